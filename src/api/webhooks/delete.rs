//! `DELETE /v1/webhooks/{webhook_id}`

use super::Webhook;
use crate::{
    Context,
    api::{
        extract::{AsPartnerAdmin, Caller, PathIds},
        respond::{Answer, ok},
    },
    ids::WebhookId,
    usecases,
};
use actix_web::{delete, web::Data};

/// Remove a webhook.
///
/// For partner administrators. What was on its way is not sent, and its delivery log goes with it.
#[utoipa::path(
    operation_id = "deleteWebhook", tag = "webhooks",
    params(("webhook_id" = WebhookId, Path, description = "The webhook")),
    responses((status = 200, description = "The webhook as it was", body = Webhook))
)]
#[delete("/v1/webhooks/{webhook_id}")]
pub(crate) async fn delete_webhook(
    caller: Caller<AsPartnerAdmin>,
    context: Data<Context>,
    id: PathIds<WebhookId>,
) -> Answer {
    let webhook = usecases::webhooks::delete(&context, &caller.request, id.0).await?;
    Ok(ok(&Webhook::from(webhook)))
}
