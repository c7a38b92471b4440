//! A cell: one AWS account and region that tenants are placed in.

mod call_limits;
mod capacity;
mod place;
mod release;

pub use call_limits::{CALLS_PER_S_MAX, CALLS_PER_S_MIN, CallGroup, CallLimits, CallScope};
pub use capacity::{HeadRoom, QUOTA_MAX, Quota, QuotaName, Quotas, Use};
pub use place::{Candidate, Wish, place};
pub use release::{Release, release_name};

use super::text_enum;
use crate::ids::{CellId, ReleaseId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

text_enum! {
    /// Whether new tenants may be placed in a cell.
    CellState {
        /// Takes tenants.
        Ready => "ready",
        /// Keeps its tenants and takes no more.
        Closed => "closed",
    }
}

text_enum! {
    /// Processor of the functions of a cell.
    Architecture {
        /// AWS Graviton.
        Arm64 => "arm64",
        /// Intel and AMD.
        X86_64 => "x86_64",
    }
}

/// A cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Cell {
    /// Its id.
    pub id: CellId,
    /// AWS account.
    pub account_id: String,
    /// AWS region.
    pub region: String,
    /// Processor of its functions.
    pub architecture: Architecture,
    /// Whether it takes tenants.
    pub state: CellState,
    /// Bucket that holds the trigger artifacts.
    pub artifact_bucket: String,
    /// Log group that all functions of the cell share.
    pub log_group_name: String,
    /// Queue with the step-up events of its tenants; none until the cell is brought to a version that has one.
    pub event_queue_url: Option<String>,
    /// Trigger artifacts that new tenants get.
    pub artifacts: Artifacts,
    /// What new tenants get: these artifacts and a template; `null` where nothing was registered yet.
    pub release_id: Option<ReleaseId>,
    /// AWS quotas as an operator gave them; `null` is AWS's default.
    pub quotas: Quotas,
    /// Calls a second that AWS allows the account and region, as an operator gave them; of what is absent AWS's default.
    pub aws_call_limits: CallLimits,
    /// How its account is reached; `null` with the service's own credentials.
    pub access: Option<CellAccess>,
    /// Networks beside the public internet in which BlockID providers may be.
    #[schema(value_type = Vec<String>)]
    pub allowed_provider_networks: Vec<ipnet::IpNet>,
    /// Grows with every change of state, quotas and limits of calls; its `ETag`.
    #[schema(minimum = 1)]
    pub revision: i64,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl Cell {
    /// Where AWS counts the calls that are made for the cell.
    pub fn call_scope(&self) -> CallScope {
        CallScope {
            account_id: Some(self.account_id.clone()),
            region: self.region.clone(),
        }
    }

    /// Queue with events that could not be carried or taken in. The cell's template gives it the name of the other one and
    /// an ending.
    pub fn dead_event_queue_url(&self) -> Option<String> {
        self.event_queue_url.as_ref().map(|url| format!("{url}-dead"))
    }
}

/// The role by which an account is reached that the service's own credentials do not belong to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, utoipa::ToSchema)]
pub struct CellAccess {
    /// ARN of the role.
    #[schema(example = "arn:aws:iam::123456789012:role/stepgate-cell")]
    pub role_arn: String,
    /// What the role's trust policy asks for beside the caller, so that nobody else can have us act there.
    pub external_id: Option<String>,
}

impl CellAccess {
    /// The account that the role belongs to; `None` where its ARN names none.
    pub fn account_id(&self) -> Option<&str> {
        // arn:PARTITION:iam::ACCOUNT:role/NAME
        let account = self.role_arn.split(':').nth(4)?;
        let digits = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        digits.then_some(account)
    }
}

/// Trigger artifacts of one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Artifacts {
    /// Version of the trigger binaries.
    pub version: String,
    /// Define, create and pre-token gate.
    pub challenge: Artifact,
    /// Verify.
    pub verify: Artifact,
    /// Forwarder of events, one for the cell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarder: Option<Artifact>,
}

/// One artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Artifact {
    /// Key in the bucket.
    pub key: String,
    /// SHA-256 of the zip, base64, as Lambda reports it.
    pub sha256_base64: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_is_read_from_the_role() {
        let account = |role_arn: &str| {
            let access = CellAccess {
                role_arn: role_arn.to_owned(),
                external_id: None,
            };
            access.account_id().map(str::to_owned)
        };
        for partition in ["aws", "aws-us-gov"] {
            let role = format!("arn:{partition}:iam::123456789012:role/path/stepgate-cell");
            assert_eq!(account(&role).as_deref(), Some("123456789012"));
        }
        for nonsense in [
            "",
            "stepgate-cell",
            "arn:aws:iam:::role/x",
            "arn:aws:iam::1:role/x",
        ] {
            assert_eq!(account(nonsense), None, "{nonsense}");
        }
    }
}
