//! Drift of a tenant: what AWS has other than wanted.

pub mod check;
pub mod get;

use crate::{
    domain::{
        drift::{DriftMode, KnownFinding, Severity},
        operation::Failure,
    },
    ids::OperationId,
    usecases::drift,
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

/// What AWS has of a tenant other than wanted, because somebody changed it past Stepgate.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct DriftReport {
    /// What is done about it: reported, or also written back.
    pub mode: DriftMode,
    /// When AWS was last compared with what is wanted; `null` before the first time.
    pub checked_at: Option<DateTime<Utc>>,
    /// Generation of the tenant that it was compared with; 0 before the first time.
    #[schema(minimum = 0)]
    pub checked_generation: i64,
    /// When the next comparison is due; `null` when at once. A tenant that is being changed is compared afterwards.
    pub next_check_at: Option<DateTime<Utc>>,
    /// What differs, the worst first.
    pub findings: Vec<DriftFinding>,
    /// What could not be compared, and why.
    pub not_checked: Vec<String>,
    /// Why the last attempt to compare failed, while it does; what was found before stays.
    pub error: Option<Failure>,
}

/// Something that differs.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct DriftFinding {
    /// What differs, from the outside in.
    #[schema(example = "app_clients/app_01jd7v0p3h8s5k2m4n6q9r1t0w/auth_flows")]
    pub path: String,
    /// How bad it is.
    pub severity: Severity,
    /// What is wanted; `null`: nothing.
    #[schema(value_type = Value, example = json!(["ALLOW_CUSTOM_AUTH"]))]
    pub wanted: Value,
    /// What is there; `null`: nothing. Where it may be secret, a digest or a word.
    #[schema(value_type = Value, example = json!(["ALLOW_CUSTOM_AUTH", "ALLOW_USER_SRP_AUTH"]))]
    pub observed: Value,
    /// When it was first seen to be so.
    pub found_at: DateTime<Utc>,
    /// Whether it can be written back. What is gone, and what Cognito fixes at creation, cannot.
    pub healable: bool,
    /// Whether it is being written back.
    pub healing: bool,
    /// Operation that writes it back, or tried to.
    pub operation_id: Option<OperationId>,
}

impl From<drift::Drift> for DriftReport {
    fn from(drift: drift::Drift) -> Self {
        Self {
            mode: drift.mode,
            checked_at: drift.summary.checked_at,
            checked_generation: drift.summary.generation,
            next_check_at: drift.next_check_at,
            findings: drift.findings.into_iter().map(DriftFinding::from).collect(),
            not_checked: drift.summary.not_checked,
            error: drift.summary.error,
        }
    }
}

impl From<KnownFinding> for DriftFinding {
    fn from(known: KnownFinding) -> Self {
        let finding = known.finding;
        Self {
            path: finding.path,
            severity: finding.severity,
            wanted: finding.wanted,
            observed: finding.observed,
            found_at: known.found_at,
            healable: finding.healable,
            healing: known.healing,
            operation_id: known.operation_id,
        }
    }
}
