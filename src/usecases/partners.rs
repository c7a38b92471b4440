//! Partners: made and changed by operators; each can read its own.

use super::{Request, audit, idempotency::Once, require_as_read};
use crate::{
    Context, Result,
    domain::{
        audit::{AuditAction, AuditEntry},
        partner::{self, Partner},
    },
    ids::PartnerId,
    storage::{self, Page, PageRequest},
};
use serde_json::json;

/// Adds a partner.
#[tracing::instrument(target = "stepgate::trace", name = "partners.create", skip_all)]
pub async fn create(context: &Context, request: &Request, name: String) -> Result<Partner> {
    create_once(context, request, name, &Once::never()).await
}

/// Adds a partner, once for all repeats of the request.
#[tracing::instrument(target = "stepgate::trace", name = "partners.create_once", skip_all)]
pub async fn create_once(
    context: &Context,
    request: &Request,
    name: String,
    once: &Once<'_, Partner>,
) -> Result<Partner> {
    let scope = request.actor.operator()?;
    partner::validate_name(&name)?;
    let now = context.clock.now();
    let partner = Partner {
        id: PartnerId::generate(&context.ids, now),
        name,
        revision: 1,
        created_at: now,
    };
    let mut tx = context.db.begin(&scope).await?;
    storage::partners::insert(&mut tx, &scope, &partner).await?;
    let entry = entry(partner.id, AuditAction::PartnerCreated);
    audit::record_of(&mut tx, context, request, Some(partner.id), &entry, now).await?;
    once.record(&mut tx, &partner).await?;
    tx.commit().await?;
    tracing::info!(partner_id = %partner.id, "partner created");
    Ok(partner)
}

/// One partner: a caller's own, or any for operators and auditors.
#[tracing::instrument(target = "stepgate::trace", name = "partners.get", skip_all)]
pub async fn get(context: &Context, request: &Request, id: PartnerId) -> Result<Partner> {
    let scope = request.actor.reader()?;
    storage::partners::get(&mut *context.db.begin(&scope).await?, &scope, id).await
}

/// Partners, oldest first.
#[tracing::instrument(target = "stepgate::trace", name = "partners.list", skip_all)]
pub async fn list(context: &Context, request: &Request, page: &PageRequest) -> Result<Page<Partner>> {
    let scope = request.actor.installation_reader()?;
    storage::partners::list(&mut *context.db.begin(&scope).await?, &scope, page).await
}

/// What may be changed; what is absent stays.
#[derive(Debug, Default)]
pub struct PartnerChange {
    /// Name.
    pub name: Option<String>,
}

/// Changes a partner that is at revision `replaces`.
#[tracing::instrument(target = "stepgate::trace", name = "partners.update", skip_all)]
pub async fn update(
    context: &Context,
    request: &Request,
    id: PartnerId,
    replaces: i64,
    change: PartnerChange,
) -> Result<Partner> {
    let scope = request.actor.operator()?;
    let mut tx = context.db.begin(&scope).await?;
    let partner = storage::partners::lock(&mut tx, &scope, id).await?;
    require_as_read("partner", partner.revision, replaces)?;
    let Some(name) = change.name else {
        return Ok(partner);
    };
    partner::validate_name(&name)?;
    let now = context.clock.now();
    let revision = storage::partners::rename(&mut tx, &scope, id, &name).await?;
    let entry = AuditEntry {
        detail: json!({"name": {"from": partner.name, "to": name}}),
        ..entry(id, AuditAction::PartnerChanged)
    };
    audit::record_of(&mut tx, context, request, Some(id), &entry, now).await?;
    tx.commit().await?;
    Ok(Partner {
        name,
        revision,
        ..partner
    })
}

fn entry(id: PartnerId, action: AuditAction) -> AuditEntry {
    AuditEntry {
        tenant_id: None,
        resource_id: id.to_string(),
        action,
        reason: String::new(),
        detail: json!({}),
    }
}
