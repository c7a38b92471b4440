//! Operations: accepted work and how far it is.

pub mod cancel;
pub mod events;
pub mod feed;
pub mod get;
pub mod list;

use crate::{
    domain::{
        deletion::PurgeReport,
        operation::{self, Failure, OperationKind, OperationState, OperationStateName, Step},
    },
    ids::{OperationId, TenantId},
};
use chrono::{DateTime, Utc};
use serde::Serialize;

/// Accepted work and how far it is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Operation {
    /// Its id.
    pub id: OperationId,
    /// What was asked for.
    pub kind: OperationKind,
    /// How far it is; the last three are final.
    pub state: OperationStateName,
    /// Tenant it works on.
    pub tenant_id: TenantId,
    /// What is created or changed: a tenant's or an app's id.
    pub resource_id: String,
    /// Steps in order, as far as they are known.
    pub steps: Vec<Step>,
    /// Why it failed.
    pub error: Option<Failure>,
    /// Of a purge that is done: what was deleted and what is kept, until when. It can be read after the tenant is gone.
    pub report: Option<PurgeReport>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When a worker took it.
    pub started_at: Option<DateTime<Utc>>,
    /// When it was done or given up.
    pub finished_at: Option<DateTime<Utc>>,
}

impl Operation {
    /// An operation with its steps.
    pub fn new(operation: operation::Operation, steps: Vec<Step>) -> Self {
        let state = operation.state.name();
        let (started_at, finished_at, error) = match operation.state {
            OperationState::Pending => (None, None, None),
            OperationState::Running { started_at } => (Some(started_at), None, None),
            OperationState::Succeeded {
                started_at,
                finished_at,
            } => (Some(started_at), Some(finished_at), None),
            OperationState::Failed {
                started_at,
                finished_at,
                error,
            } => (started_at, Some(finished_at), Some(error)),
            OperationState::Cancelled {
                started_at,
                finished_at,
            } => (started_at, Some(finished_at), None),
        };
        Self {
            id: operation.id,
            kind: operation.kind,
            state,
            tenant_id: operation.tenant_id,
            resource_id: operation.resource_id,
            steps,
            error,
            report: operation.report,
            created_at: operation.created_at,
            started_at,
            finished_at,
        }
    }
}
