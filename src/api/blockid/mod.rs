//! BlockID connections.

pub mod check;
pub mod check_new;
pub mod get;
pub mod put;
pub mod revert;

use super::operations::Operation;
use crate::{
    domain::{
        blockid::BlockIdConnection,
        connection_change::{self, ChangeState},
        connection_check::ConnectionReport,
        operation::Failure,
    },
    ids::{ChangeId, OperationId, TenantId},
    usecases::connections,
};
use chrono::{DateTime, Utc};
use serde::Serialize;

/// A tenant's BlockID connection. Its client secret is never shown.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Connection {
    /// The tenant.
    pub tenant_id: TenantId,
    /// Generation of the tenant; the `ETag` of this.
    #[schema(minimum = 1)]
    pub generation: i64,
    /// What is in force.
    pub blockid: BlockIdConnection,
    /// The provider's issuer, once it was read. Links and evidence are of it.
    #[schema(example = "https://acme.1kosmos.net/oauth2/community/default/v1")]
    pub issuer: Option<String>,
    /// The newest change; what it asks for is in force once it is `done`.
    pub change: Option<ConnectionChange>,
    /// What the last check found; `null` when the place was never checked.
    pub check: Option<ConnectionReport>,
}

/// A change of a connection: tried first, then put in force or taken back.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ConnectionChange {
    /// Its id.
    pub id: ChangeId,
    /// How far it is.
    pub state: ChangeState,
    /// What is to be in force.
    pub blockid: BlockIdConnection,
    /// Whether the client secret changes.
    pub new_secret: bool,
    /// The issuer that the provider is expected to name, when it changes.
    pub issuer: Option<String>,
    /// The work; `null` until the secret is in the cell.
    pub operation_id: Option<OperationId>,
    /// Why it was taken back.
    pub error: Option<Failure>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it was put in force or taken back.
    pub finished_at: Option<DateTime<Utc>>,
}

impl From<connection_change::ConnectionChange> for ConnectionChange {
    fn from(change: connection_change::ConnectionChange) -> Self {
        Self {
            id: change.id,
            state: change.state,
            blockid: change.connection,
            new_secret: change.version_id.is_some(),
            issuer: change.issuer,
            operation_id: change.operation_id,
            error: change.failure,
            created_at: change.created_at,
            finished_at: change.finished_at,
        }
    }
}

impl From<connections::Connection> for Connection {
    fn from(connection: connections::Connection) -> Self {
        Self {
            tenant_id: connection.tenant.id,
            generation: connection.tenant.generation,
            blockid: connection.tenant.blockid,
            issuer: connection.issuer,
            change: connection.change.map(ConnectionChange::from),
            check: connection.tenant.check,
        }
    }
}

/// A connection and the operation that was opened for its change.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AcceptedConnection {
    /// The connection, with the change that was asked for.
    pub connection: Connection,
    /// The work.
    pub operation: Operation,
}
