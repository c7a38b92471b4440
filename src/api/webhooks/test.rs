//! `POST /v1/webhooks/{webhook_id}:test`

use super::deliveries::WebhookDelivery;
use crate::{
    Context,
    api::{
        extract::{AsPartnerAdmin, Caller, PathIds},
        respond::Answer,
    },
    ids::WebhookId,
    usecases::webhook_deliveries,
};
use actix_web::{HttpResponse, post, web::Data};

/// Send a test message to a webhook.
///
/// For partner administrators. The message is of type `dev.stepgate.webhook.test`, signed and retried like any other;
/// how it fared is told by its delivery.
#[utoipa::path(
    operation_id = "testWebhook", tag = "webhooks",
    params(("webhook_id" = WebhookId, Path, description = "The webhook")),
    responses((status = 202, description = "The delivery of the test message", body = WebhookDelivery)),
    extensions(("x-problems" = json!(["webhook_disabled"])))
)]
#[post("/v1/webhooks/{webhook_id}:test")]
pub(crate) async fn test_webhook(
    caller: Caller<AsPartnerAdmin>,
    context: Data<Context>,
    id: PathIds<WebhookId>,
) -> Answer {
    let watched = webhook_deliveries::test(&context, &caller.request, id.0).await?;
    Ok(HttpResponse::Accepted().json(WebhookDelivery::from(watched.delivery)))
}
