//! Writing down who did what, in the transaction that does it.

use super::Request;
use crate::{
    Context, Result,
    domain::{actor::Rows, audit::AuditEntry},
    ids::{AuditId, PartnerId},
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
    record_of(tx, context, request, scope.partner_id(), entry, now).await
}

/// Adds an entry about a partner, or about the installation, in a transaction for whatever it is about.
pub(super) async fn record_of(
    tx: &mut PgConnection,
    context: &Context,
    request: &Request,
    partner_id: Option<PartnerId>,
    entry: &AuditEntry,
    now: DateTime<Utc>,
) -> Result<()> {
    let actor = request.actor.id();
    let author = Author {
        actor: &actor,
        role: Some(request.actor.role.as_str()),
        request_id: Some(&request.id),
    };
    record_by(tx, context, author, partner_id, entry, now).await
}

/// Adds an entry for somebody who is not a caller of the API: the worker, or whoever runs a command.
pub(crate) async fn record_by(
    tx: &mut PgConnection,
    context: &Context,
    author: Author<'_>,
    partner_id: Option<PartnerId>,
    entry: &AuditEntry,
    now: DateTime<Utc>,
) -> Result<()> {
    let id = AuditId::generate(&context.ids, now);
    audit_log::insert(tx, partner_id, id, author, entry, now).await
}
