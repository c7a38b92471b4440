//! `GET /v1/webhooks/{webhook_id}/deliveries/{delivery_id}`

use super::WebhookDelivery;
use crate::{
    Context,
    api::{
        extract::{AsReader, Caller, PathIds},
        respond::{Answer, ok},
    },
    domain::webhook::Attempt,
    ids::{DeliveryId, WebhookId},
    storage::webhook_outbox::Watched,
    usecases::webhook_deliveries,
};
use actix_web::{get, web::Data};
use serde::Serialize;

/// A delivery with its message and its attempts.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct WebhookDeliveryDetail {
    /// The delivery.
    #[serde(flatten)]
    delivery: WebhookDelivery,
    /// The message as it is sent, to the byte: a CloudEvent.
    message: String,
    /// Attempts whose outcome is known, in order.
    log: Vec<Attempt>,
}

impl From<Watched> for WebhookDeliveryDetail {
    fn from(watched: Watched) -> Self {
        Self {
            delivery: watched.delivery.into(),
            message: watched.body,
            log: watched.attempts,
        }
    }
}

/// Get a delivery of a webhook.
///
/// With the message and every attempt.
#[utoipa::path(
    operation_id = "getWebhookDelivery", tag = "webhooks",
    params(("webhook_id" = WebhookId, Path, description = "The webhook"),
           ("delivery_id" = DeliveryId, Path, description = "The delivery")),
    responses((status = 200, description = "The delivery", body = WebhookDeliveryDetail))
)]
#[get("/v1/webhooks/{webhook_id}/deliveries/{delivery_id}")]
pub(crate) async fn get_webhook_delivery(
    caller: Caller<AsReader>,
    context: Data<Context>,
    ids: PathIds<(WebhookId, DeliveryId)>,
) -> Answer {
    let (webhook_id, id) = ids.0;
    let watched = webhook_deliveries::get(&context, &caller.request, webhook_id, id).await?;
    Ok(ok(&WebhookDeliveryDetail::from(watched)))
}
