//! A cell: one AWS account and region that tenants are placed in.

mod capacity;
mod place;
mod release;

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
    /// How its account is reached; `null` with the service's own credentials.
    pub access: Option<CellAccess>,
    /// Networks beside the public internet in which BlockID providers may be.
    #[schema(value_type = Vec<String>)]
    pub allowed_provider_networks: Vec<ipnet::IpNet>,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
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
