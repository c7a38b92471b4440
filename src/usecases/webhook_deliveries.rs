//! What was sent to a webhook: the delivery log, a test message, and sending again.

use super::{Request, audit};
use crate::{
    Context, Error, Result,
    domain::{
        audit::{AuditAction, AuditEntry},
        webhook::{Announcement, Delivery, DeliveryState, TEST_TYPE, Webhook},
    },
    error::Code,
    ids::{DeliveryId, WebhookId},
    storage::{self, Page, PageRequest, webhook_outbox, webhook_outbox::Watched},
};
use serde_json::json;

/// Deliveries of a webhook, newest first.
#[tracing::instrument(target = "stepgate::trace", name = "webhook_deliveries.list", skip_all)]
pub async fn list(
    context: &Context,
    request: &Request,
    webhook_id: WebhookId,
    state: Option<DeliveryState>,
    page: &PageRequest,
) -> Result<Page<Delivery>> {
    let scope = request.actor.reader()?;
    let mut db = context.db.begin(&scope).await?;
    storage::webhooks::get(&mut db, &scope, webhook_id).await?;
    webhook_outbox::list(&mut db, &scope, webhook_id, state, page).await
}

/// One delivery.
#[tracing::instrument(target = "stepgate::trace", name = "webhook_deliveries.get", skip_all)]
pub async fn get(
    context: &Context,
    request: &Request,
    webhook_id: WebhookId,
    id: DeliveryId,
) -> Result<Watched> {
    let scope = request.actor.reader()?;
    webhook_outbox::get(&mut *context.db.begin(&scope).await?, &scope, webhook_id, id).await
}

/// Sends a test message, whatever the webhook asked to be told.
#[tracing::instrument(target = "stepgate::trace", name = "webhook_deliveries.test", skip_all)]
pub async fn test(context: &Context, request: &Request, webhook_id: WebhookId) -> Result<Watched> {
    let scope = request.actor.partner_admin()?;
    let mut tx = context.db.begin(&scope).await?;
    let webhook = storage::webhooks::lock(&mut tx, &scope, webhook_id).await?;
    require_enabled(&webhook)?;
    let now = context.clock.now();
    let announcement = Announcement {
        kind: TEST_TYPE,
        tenant_id: None,
        subject: webhook_id.to_string(),
        data: json!({"webhook_id": webhook_id, "asked_by": request.actor.id()}),
    };
    let partner_id = scope.partner_id();
    let message =
        webhook_outbox::insert_message(&mut tx, partner_id, &announcement, &context.ids, now).await?;
    let to = (webhook_id, message);
    let id = webhook_outbox::insert_delivery(&mut tx, partner_id, to, &context.ids, now).await?;
    let entry = entry(webhook_id, AuditAction::WebhookTested, id);
    audit::record(&mut tx, context, request, &scope, &entry, now).await?;
    let watched = webhook_outbox::get(&mut tx, &scope.into(), webhook_id, id).await?;
    tx.commit().await?;
    Ok(watched)
}

/// Sends the message of a delivery again, under the same message id, as a new delivery. One that is still pending is
/// due at once instead.
#[tracing::instrument(target = "stepgate::trace", name = "webhook_deliveries.replay", skip_all)]
pub async fn replay(
    context: &Context,
    request: &Request,
    webhook_id: WebhookId,
    id: DeliveryId,
) -> Result<Watched> {
    let scope = request.actor.partner_admin()?;
    let mut tx = context.db.begin(&scope).await?;
    let webhook = storage::webhooks::lock(&mut tx, &scope, webhook_id).await?;
    require_enabled(&webhook)?;
    let replayed = webhook_outbox::get(&mut tx, &scope.into(), webhook_id, id)
        .await?
        .delivery;
    let now = context.clock.now();
    let next = if replayed.state == DeliveryState::Pending {
        webhook_outbox::hasten(&mut tx, &scope, id, now).await?;
        id
    } else {
        let to = (webhook_id, replayed.message_id);
        webhook_outbox::insert_delivery(&mut tx, scope.partner_id(), to, &context.ids, now).await?
    };
    let entry = entry(webhook_id, AuditAction::WebhookReplayed, id);
    audit::record(&mut tx, context, request, &scope, &entry, now).await?;
    let watched = webhook_outbox::get(&mut tx, &scope.into(), webhook_id, next).await?;
    tx.commit().await?;
    Ok(watched)
}

fn require_enabled(webhook: &Webhook) -> Result<()> {
    if webhook.enabled {
        return Ok(());
    }
    Err(Error::new(
        Code::WebhookDisabled,
        "The webhook is switched off; switch it on first.",
    ))
}

fn entry(webhook_id: WebhookId, action: AuditAction, delivery: DeliveryId) -> AuditEntry {
    AuditEntry {
        tenant_id: None,
        resource_id: webhook_id.to_string(),
        action,
        reason: String::new(),
        detail: json!({"delivery_id": delivery}),
    }
}
