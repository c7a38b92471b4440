//! An operation: the work that one accepted request asks of the worker, and how far it is.

use super::{deletion::PurgeReport, text_enum};
use crate::ids::{OperationId, PartnerId, TenantId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

text_enum! {
    /// What was asked for.
    OperationKind {
        /// Make a tenant's pool, functions and secrets.
        CreateTenant => "create_tenant",
        /// Change a tenant's settings.
        UpdateTenant => "update_tenant",
        /// Make an app client and its policy item.
        CreateApp => "create_app",
        /// Bring an app's settings to its client and the triggers.
        UpdateApp => "update_app",
        /// Remove an app's client and policy item.
        DeleteApp => "delete_app",
        /// Bring a new policy version to the triggers.
        UpdatePolicy => "update_policy",
        /// Have the triggers refuse everybody.
        SuspendTenant => "suspend_tenant",
        /// Have the triggers decide by policy again.
        ResumeTenant => "resume_tenant",
        /// Have the triggers refuse everybody, because the tenant is deleted.
        DeleteTenant => "delete_tenant",
        /// Bring a deleted tenant back to what is asked of it.
        RestoreTenant => "restore_tenant",
        /// Remove a deleted tenant for good.
        PurgeTenant => "purge_tenant",
        /// Try another BlockID connection or secret, and put it in force.
        ChangeConnection => "change_connection",
        /// Tell the triggers of an exemption.
        ApproveExemption => "approve_exemption",
        /// Take an exemption from the triggers.
        EndExemption => "end_exemption",
        /// Tell the triggers what a pilot step-up taught about a method.
        RecordPilot => "record_pilot",
        /// Tell the triggers which methods the tenant has beside the shipped ones.
        UpdateMethods => "update_methods",
        /// Bring a tenant to other triggers or another template, or back.
        ChangeRelease => "change_release",
        /// Write back what was changed past Stepgate.
        HealDrift => "heal_drift",
    }
}

text_enum! {
    /// How far a step is.
    StepState {
        /// Not begun.
        Pending => "pending",
        /// Under way, or being tried again.
        Running => "running",
        /// Done.
        Succeeded => "succeeded",
        /// Given up for this operation.
        Failed => "failed",
        /// There was nothing to do.
        Skipped => "skipped",
    }
}

/// Why something did not work, in words that may be shown to the partner. No secrets, no internals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({"code": "LimitExceededException", "message": "The account has no room for another user pool.",
    "step": "tenant_stack", "aws_request_id": "6a1f6f0e", "at": "2026-01-05T10:00:00Z"}))]
pub struct Failure {
    /// Stable code, or AWS's error code.
    pub code: String,
    /// What happened, one or two sentences.
    pub message: String,
    /// What can be done about it, when that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Step in which it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// AWS's request id, by which their support finds the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws_request_id: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
}

impl OperationKind {
    /// Whether a caller may have the work stopped. What shuts, opens or removes a tenant is never stopped half-way:
    /// nobody could tell from its row whether its triggers refuse. Which release a tenant runs is for a rollout to say.
    pub const fn may_be_cancelled(self) -> bool {
        !matches!(
            self,
            Self::SuspendTenant
                | Self::ResumeTenant
                | Self::DeleteTenant
                | Self::RestoreTenant
                | Self::PurgeTenant
                | Self::ChangeRelease
        )
    }
}

text_enum! {
    /// How far an operation is, without the data.
    OperationStateName {
        /// No worker took it yet.
        Pending => "pending",
        /// A worker is at it.
        Running => "running",
        /// AWS is as asked.
        Succeeded => "succeeded",
        /// It was given up.
        Failed => "failed",
        /// A caller had it stopped.
        Cancelled => "cancelled",
    }
}

/// How far an operation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperationState {
    /// No worker took it yet.
    Pending,
    /// A worker is at it.
    Running {
        /// Since when.
        started_at: DateTime<Utc>,
    },
    /// AWS is as asked.
    Succeeded {
        /// When a worker took it.
        started_at: DateTime<Utc>,
        /// When it was done.
        finished_at: DateTime<Utc>,
    },
    /// It was given up.
    Failed {
        /// When a worker took it, if one did.
        started_at: Option<DateTime<Utc>>,
        /// When it was given up.
        finished_at: DateTime<Utc>,
        /// Why.
        error: Failure,
    },
    /// A caller had it stopped.
    Cancelled {
        /// When a worker took it, if one did.
        started_at: Option<DateTime<Utc>>,
        /// When it was stopped.
        finished_at: DateTime<Utc>,
    },
}

impl OperationState {
    /// Its name.
    pub const fn name(&self) -> OperationStateName {
        match self {
            Self::Pending => OperationStateName::Pending,
            Self::Running { .. } => OperationStateName::Running,
            Self::Succeeded { .. } => OperationStateName::Succeeded,
            Self::Failed { .. } => OperationStateName::Failed,
            Self::Cancelled { .. } => OperationStateName::Cancelled,
        }
    }

    /// Whether nothing will change any more.
    pub const fn has_ended(&self) -> bool {
        !matches!(self, Self::Pending | Self::Running { .. })
    }
}

/// An operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Its id.
    pub id: OperationId,
    /// Whose it is.
    pub partner_id: PartnerId,
    /// Tenant it works on.
    pub tenant_id: TenantId,
    /// What was created or changed: a tenant's or an app's id.
    pub resource_id: String,
    /// What was asked for.
    pub kind: OperationKind,
    /// Done when the tenant's observed generation has come this far.
    pub target_generation: i64,
    /// How far it is.
    pub state: OperationState,
    /// Grows with every change of the operation itself; its steps have revisions of their own.
    pub revision: i64,
    /// Request that asked for it.
    pub request_id: Option<String>,
    /// W3C trace context of that request.
    pub traceparent: Option<String>,
    /// Of a purge that is done: what was deleted and what is kept.
    pub report: Option<PurgeReport>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
}

/// One try of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Try {
    /// Which it is, from 1.
    #[schema(minimum = 1)]
    pub number: i32,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended; `null` while it runs, and of one whose worker was killed or stopped.
    pub finished_at: Option<DateTime<Utc>>,
    /// How long it took, ms, once it has ended.
    #[schema(minimum = 0)]
    pub duration_ms: Option<i64>,
    /// Why it failed.
    pub error: Option<String>,
    /// AWS's request id of its last call.
    pub aws_request_id: Option<String>,
}

/// One step of an operation, as the worker recorded it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Step {
    /// Name of the step.
    pub name: String,
    /// How far it is.
    pub state: StepState,
    /// How often it was tried.
    #[schema(minimum = 0)]
    pub attempts: i32,
    /// What it is doing or did.
    pub detail: Option<String>,
    /// Why the last try failed.
    pub error: Option<String>,
    /// AWS's request id of the last call.
    pub aws_request_id: Option<String>,
    /// When it was first tried.
    pub started_at: Option<DateTime<Utc>>,
    /// When it was done or given up.
    pub finished_at: Option<DateTime<Utc>>,
    /// How long it took from the first try to the end, ms, once it has ended.
    #[schema(minimum = 0)]
    pub duration_ms: Option<i64>,
    /// The latest tries, oldest first; 20 at most.
    pub tries: Vec<Try>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_shuts_or_opens_a_tenant_is_carried_through() {
        assert!(OperationKind::CreateTenant.may_be_cancelled());
        assert!(!OperationKind::SuspendTenant.may_be_cancelled());
        assert!(!OperationKind::ResumeTenant.may_be_cancelled());
        assert!(!OperationKind::ChangeRelease.may_be_cancelled());
        assert!(!OperationKind::DeleteTenant.may_be_cancelled());
        assert!(!OperationKind::PurgeTenant.may_be_cancelled());
    }

    #[test]
    fn an_operation_that_has_ended_changes_no_more() {
        let at = DateTime::UNIX_EPOCH;
        assert!(!OperationState::Pending.has_ended());
        assert!(!OperationState::Running { started_at: at }.has_ended());
        let stopped = OperationState::Cancelled {
            started_at: None,
            finished_at: at,
        };
        assert!(stopped.has_ended());
        assert_eq!(stopped.name().as_str(), "cancelled");
    }
}
