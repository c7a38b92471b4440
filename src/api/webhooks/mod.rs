//! Webhooks: where a partner wants to be told what happened.

pub mod create;
pub mod delete;
pub mod deliveries;
pub mod get;
pub mod list;
pub mod test;
pub mod update;

use crate::{
    domain::webhook::{self, EventType},
    ids::{PartnerId, WebhookId},
};
use chrono::{DateTime, Utc};
use serde::Serialize;

/// Where a partner wants to be told what happened.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Partner it belongs to.
    pub partner_id: PartnerId,
    /// Where messages go.
    #[schema(example = "https://hooks.acme.example/stepgate", max_length = 2048)]
    pub url: String,
    /// For people.
    #[schema(example = "Portal, production")]
    pub description: String,
    /// What is told.
    pub events: Vec<EventType>,
    /// Whether anything is sent.
    pub enabled: bool,
    /// Why nothing is sent.
    pub disabled_reason: Option<String>,
    /// First failure since the last success; after five days without one the webhook is switched off.
    pub failing_since: Option<DateTime<Utc>>,
    /// Grows with every change, also when Stepgate switches the webhook off; its `ETag`.
    #[schema(minimum = 1)]
    pub revision: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl From<webhook::Webhook> for Webhook {
    fn from(webhook: webhook::Webhook) -> Self {
        Self {
            id: webhook.id,
            partner_id: webhook.partner_id,
            url: webhook.url,
            description: webhook.description,
            events: webhook.events,
            enabled: webhook.enabled,
            disabled_reason: webhook.disabled_reason,
            failing_since: webhook.failing_since,
            revision: webhook.revision,
            created_at: webhook.created_at,
            updated_at: webhook.updated_at,
        }
    }
}
