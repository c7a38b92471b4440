//! `GET /v1/webhooks/{webhook_id}`

use super::Webhook;
use crate::{
    Context,
    api::{
        extract::{AsReader, Caller, PathIds},
        respond::{Answer, ok_at},
    },
    ids::WebhookId,
    usecases,
};
use actix_web::{get, web::Data};

/// Get a webhook.
///
/// Its signing secret is not shown again.
#[utoipa::path(
    operation_id = "getWebhook", tag = "webhooks",
    params(("webhook_id" = WebhookId, Path, description = "The webhook")),
    responses((status = 200, description = "The webhook", body = Webhook,
               headers(("ETag" = String, description = "Its revision, for `If-Match`"))))
)]
#[get("/v1/webhooks/{webhook_id}")]
pub(crate) async fn get_webhook(
    caller: Caller<AsReader>,
    context: Data<Context>,
    id: PathIds<WebhookId>,
) -> Answer {
    let webhook = usecases::webhooks::get(&context, &caller.request, id.0).await?;
    Ok(ok_at(webhook.revision, &Webhook::from(webhook)))
}
