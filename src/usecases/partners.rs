//! Partners: operators only.

use super::{Request, audit};
use crate::{
    Context, Result,
    domain::{
        audit::{AuditAction, AuditEntry},
        partner::{self, Partner},
    },
    ids::PartnerId,
    storage,
};
use serde_json::json;

/// Adds a partner.
pub async fn create(context: &Context, request: &Request, name: String) -> Result<Partner> {
    let scope = request.actor.operator()?;
    partner::validate_name(&name)?;
    let now = context.clock.now();
    let partner = Partner {
        id: PartnerId::generate(&context.ids, now),
        name,
        created_at: now,
    };
    let mut tx = context.db.begin(&scope).await?;
    storage::partners::insert(&mut tx, &scope, &partner).await?;
    let entry = AuditEntry {
        tenant_id: None,
        resource_id: partner.id.to_string(),
        action: AuditAction::PartnerCreated,
        reason: String::new(),
        detail: json!({"name": partner.name}),
    };
    let chain = request.actor.administrator_of(partner.id)?;
    audit::record(&mut tx, context, request, &chain, &entry, now).await?;
    tx.commit().await?;
    tracing::info!(partner_id = %partner.id, "partner created");
    Ok(partner)
}
