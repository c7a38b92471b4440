//! Writing down who did what, in the transaction that does it.

use super::Request;
use crate::{
    Context, Result,
    domain::{actor::PartnerScope, audit::AuditEntry},
    ids::AuditId,
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
    let id = AuditId::generate(&context.ids, now);
    let actor = request.actor.key_id.to_string();
    let author = audit_log::Author {
        actor: &actor,
        request_id: Some(&request.id),
    };
    audit_log::insert(tx, scope, id, author, entry, now).await
}
