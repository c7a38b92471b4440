//! Writing down who did what, in the transaction that does it.

use super::Request;
use crate::{
    Context, Result,
    domain::{actor::Rows, audit::AuditEntry},
    ids::AuditId,
    storage::audit_log::{self, Author},
};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// Adds an entry for the caller of `request`, to the chain of the scope's partner or, for an operator's scope, to that
/// of the installation.
pub(super) async fn record(
    tx: &mut PgConnection,
    context: &Context,
    request: &Request,
    scope: &impl Rows,
    entry: &AuditEntry,
    now: DateTime<Utc>,
) -> Result<()> {
    let actor = request.actor.key_id.to_string();
    let author = Author {
        actor: &actor,
        role: Some(request.actor.role.as_str()),
        request_id: Some(&request.id),
    };
    record_by(tx, context, author, scope, entry, now).await
}

/// Adds an entry for somebody who is not a caller of the API: the worker, or whoever runs a command.
pub(crate) async fn record_by(
    tx: &mut PgConnection,
    context: &Context,
    author: Author<'_>,
    scope: &impl Rows,
    entry: &AuditEntry,
    now: DateTime<Utc>,
) -> Result<()> {
    let id = AuditId::generate(&context.ids, now);
    audit_log::insert(tx, scope, id, author, entry, now).await
}
