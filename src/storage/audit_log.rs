//! The audit log: rows are added in the transaction that does what they tell, never changed or removed.

use crate::{
    Result,
    domain::audit::AuditEntry,
    ids::{AuditId, PartnerId, TenantId},
};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// Who makes an entry.
#[derive(Debug, Clone, Copy)]
pub struct Author<'a> {
    /// Id of the API key, `issuer:subject`, or `worker`.
    pub actor: &'a str,
    /// Request, when there is one.
    pub request_id: Option<&'a str>,
}

/// Adds an entry about what belongs to a partner, or to the installation. The transaction must be for its rows.
pub async fn insert(
    tx: &mut PgConnection,
    partner_id: Option<PartnerId>,
    id: AuditId,
    author: Author<'_>,
    entry: &AuditEntry,
    at: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO audit_log (id, partner_id, tenant_id, resource_id, action, actor, reason, detail, request_id, at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        id as AuditId,
        partner_id as Option<PartnerId>,
        entry.tenant_id as Option<TenantId>,
        entry.resource_id,
        entry.action.as_str(),
        author.actor,
        entry.reason,
        entry.detail,
        author.request_id,
        at
    )
    .execute(tx)
    .await?;
    Ok(())
}
