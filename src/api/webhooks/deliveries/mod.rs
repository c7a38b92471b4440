//! The delivery log of a webhook.

pub mod get;
pub mod list;
pub mod replay;

use crate::{
    domain::webhook::{Delivery, DeliveryState},
    ids::{DeliveryId, MessageId, WebhookId},
};
use chrono::{DateTime, Utc};
use serde::Serialize;

/// A message on its way to a webhook.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct WebhookDelivery {
    /// Its id.
    pub id: DeliveryId,
    /// Webhook it goes to.
    pub webhook_id: WebhookId,
    /// Message it carries; the `id` of the CloudEvent and the `webhook-id` of the request.
    pub message_id: MessageId,
    /// What the message tells.
    #[schema(example = "tenant.ready")]
    pub event: String,
    /// How far it is.
    pub state: DeliveryState,
    /// Attempts begun.
    #[schema(minimum = 0)]
    pub attempts: i32,
    /// When the next attempt is due; `null` when there is none.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// HTTP status of the last attempt.
    pub last_status: Option<i32>,
    /// What was wrong with the last attempt.
    pub last_error: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was accepted or given up.
    pub finished_at: Option<DateTime<Utc>>,
}

impl From<Delivery> for WebhookDelivery {
    fn from(delivery: Delivery) -> Self {
        let pending = delivery.state == DeliveryState::Pending;
        Self {
            id: delivery.id,
            webhook_id: delivery.webhook_id,
            message_id: delivery.message_id,
            event: delivery.kind,
            state: delivery.state,
            attempts: delivery.attempts,
            next_attempt_at: pending.then_some(delivery.next_attempt_at),
            last_status: delivery.last_status,
            last_error: delivery.last_error,
            created_at: delivery.created_at,
            finished_at: delivery.finished_at,
        }
    }
}
