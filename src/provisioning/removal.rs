//! The end of a purge: the tenant's rows go in one transaction with the report, the entry in the audit log, and what
//! webhooks are told.

use super::{announcements, pass::Pass};
use crate::{
    Result,
    domain::{
        audit::{AuditAction, AuditEntry},
        deletion::Deletion,
    },
    storage::{Tx, audit_log::Author, deletions},
    usecases::audit,
};
use chrono::{DateTime, Utc};

/// Ends it; false when the claim is lost.
pub(super) async fn end(
    tx: &mut Tx,
    pass: &Pass<'_>,
    generation: i64,
    deletion: &Deletion,
    now: DateTime<Utc>,
) -> Result<bool> {
    let found = pass.desired.observed.removed.clone().unwrap_or_default();
    let purged = deletions::purged(tx, pass.claim, generation, (deletion.clone(), found), now).await?;
    let Some(report) = purged else {
        return Ok(false);
    };
    let entry = AuditEntry {
        tenant_id: Some(pass.desired.tenant_id),
        resource_id: pass.desired.tenant_id.to_string(),
        action: AuditAction::TenantPurged,
        reason: String::new(),
        detail: serde_json::to_value(&report)?,
    };
    let chain = Some(pass.desired.partner_id);
    audit::record_by(tx, pass.context, Author::WORKER, chain, &entry, now).await?;
    announcements::purged(tx, pass.context, &pass.desired, &report, now).await?;
    Ok(true)
}
