//! Writing down who did what, in the transaction that does it.

use super::Request;
use crate::{
    Context, Result,
    domain::{actor::PartnerScope, audit::AuditEntry},
    ids::{AuditId, PartnerId},
    storage::audit_log,
};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// Adds an entry for the caller of `request`.
pub(super) async fn record(
    tx: &mut PgConnection,
    context: &Context,
    request: &Request,
    scope: &PartnerScope,
    entry: &AuditEntry,
    now: DateTime<Utc>,
) -> Result<()> {
    record_of(tx, context, request, Some(scope.partner_id()), entry, now).await
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
    let id = AuditId::generate(&context.ids, now);
    let actor = request.actor.id();
    let author = audit_log::Author {
        actor: &actor,
        request_id: Some(&request.id),
    };
    audit_log::insert(tx, partner_id, id, author, entry, now).await
}
