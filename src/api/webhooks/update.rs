//! `PATCH /v1/webhooks/{webhook_id}`

use super::Webhook;
use crate::{
    Context,
    api::{
        extract::{AsPartnerAdmin, Body, Caller, PathIds, RequestBody, if_match},
        respond::{Answer, ok_at},
    },
    domain::{object::objects_only, webhook::EventType},
    ids::WebhookId,
    usecases::webhooks,
};
use actix_web::{HttpRequest, patch, web::Data};
use serde::Deserialize;

/// A change of a webhook; what is absent stays.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
#[schema(example = json!({"events": ["tenant.failed"], "enabled": true}))]
pub struct WebhookChange {
    /// Where messages go.
    #[schema(min_length = 1, max_length = 2048)]
    pub url: Option<String>,
    /// For people.
    #[schema(max_length = 256)]
    pub description: Option<String>,
    /// What is to be told.
    #[schema(min_items = 1)]
    pub events: Option<Vec<EventType>>,
    /// Whether anything is sent. What happens while it is off is not told later.
    pub enabled: Option<bool>,
}

objects_only!(WebhookChange);

impl RequestBody for WebhookChange {}

/// Change a webhook.
///
/// For partner administrators. The signing secret stays.
#[utoipa::path(
    operation_id = "updateWebhook", tag = "webhooks",
    params(
        ("webhook_id" = WebhookId, Path, description = "The webhook"),
        ("If-Match" = String, Header, pattern = r#"^"[1-9][0-9]{0,17}"$"#, description = "`ETag` of the webhook as it was read", example = "\"1\"")
    ),
    request_body = WebhookChange,
    responses((status = 200, description = "The webhook as changed", body = Webhook,
               headers(("ETag" = String, description = "The new revision")))),
    extensions(("x-problems" = json!(["precondition_required", "precondition_failed"])))
)]
#[patch("/v1/webhooks/{webhook_id}")]
pub(crate) async fn update_webhook(
    caller: Caller<AsPartnerAdmin>,
    context: Data<Context>,
    request: HttpRequest,
    id: PathIds<WebhookId>,
    body: Body<WebhookChange>,
) -> Answer {
    let replaces = if_match(&request)?;
    let Body(WebhookChange {
        url,
        description,
        events,
        enabled,
    }) = body;
    let change = webhooks::WebhookChange {
        url,
        description,
        events,
        enabled,
    };
    let webhook = webhooks::update(&context, &caller.request, id.0, replaces, change).await?;
    Ok(ok_at(webhook.revision, &Webhook::from(webhook)))
}
