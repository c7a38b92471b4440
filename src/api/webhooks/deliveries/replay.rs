//! `POST /v1/webhooks/{webhook_id}/deliveries/{delivery_id}:replay`

use super::WebhookDelivery;
use crate::{
    Context,
    api::{
        extract::{AsPartnerAdmin, Caller, PathIds},
        respond::Answer,
    },
    ids::{DeliveryId, WebhookId},
    usecases::webhook_deliveries,
};
use actix_web::{HttpResponse, post, web::Data};

/// Send a message again.
///
/// For partner administrators. The message keeps its id and its bytes and gets a new delivery; one that is still
/// pending is sent at once instead.
#[utoipa::path(
    operation_id = "replayWebhookDelivery", tag = "webhooks",
    params(("webhook_id" = WebhookId, Path, description = "The webhook"),
           ("delivery_id" = DeliveryId, Path, description = "The delivery whose message is sent again")),
    responses((status = 202, description = "The delivery that is now on its way", body = WebhookDelivery)),
    extensions(("x-problems" = json!(["webhook_disabled"])))
)]
#[post("/v1/webhooks/{webhook_id}/deliveries/{delivery_id}:replay")]
pub(crate) async fn replay_webhook_delivery(
    caller: Caller<AsPartnerAdmin>,
    context: Data<Context>,
    ids: PathIds<(WebhookId, DeliveryId)>,
) -> Answer {
    let (webhook_id, id) = ids.0;
    let watched = webhook_deliveries::replay(&context, &caller.request, webhook_id, id).await?;
    Ok(HttpResponse::Accepted().json(WebhookDelivery::from(watched.delivery)))
}
