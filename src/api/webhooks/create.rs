//! `POST /v1/webhooks`

use super::Webhook;
use crate::{
    Context,
    api::{
        extract::{AsPartnerAdmin, Body, Caller, RequestBody},
        respond::{Answer, created},
    },
    domain::{object::objects_only, webhook::EventType},
    usecases::webhooks,
};
use actix_web::{post, web::Data};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

/// A new webhook.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
#[schema(example = json!({
    "url": "https://hooks.acme.example/stepgate", "description": "Portal, production",
    "events": ["tenant.ready", "tenant.failed", "policy.changed"]
}))]
pub struct NewWebhook {
    /// Where messages go: `https://`, leading to a public address.
    #[schema(min_length = 1, max_length = 2048)]
    pub url: String,
    /// For people.
    #[serde(default)]
    #[schema(max_length = 256)]
    pub description: String,
    /// What is to be told.
    #[schema(min_items = 1)]
    pub events: Vec<EventType>,
}

objects_only!(NewWebhook);

impl RequestBody for NewWebhook {}

/// A webhook that was just made.
#[derive(Serialize, utoipa::ToSchema)]
pub struct CreatedWebhook {
    /// The webhook.
    #[serde(flatten)]
    webhook: Webhook,
    /// Signing secret (Standard Webhooks). Shown this once.
    #[schema(example = "whsec_…")]
    secret: String,
}

/// Make a webhook.
///
/// For partner administrators. Messages are CloudEvents, signed by the Standard Webhooks scheme with the secret that is
/// shown this once.
#[utoipa::path(
    operation_id = "createWebhook", tag = "webhooks",
    request_body = NewWebhook,
    responses((status = 201, description = "The webhook, and its signing secret", body = CreatedWebhook)),
    extensions(("x-problems" = json!(["limit_reached", "not_configured"])))
)]
#[post("/v1/webhooks")]
pub(crate) async fn create_webhook(
    caller: Caller<AsPartnerAdmin>,
    context: Data<Context>,
    body: Body<NewWebhook>,
) -> Answer {
    let Body(NewWebhook {
        url,
        description,
        events,
    }) = body;
    let new = webhooks::NewWebhook {
        url,
        description,
        events,
    };
    let (webhook, secret) = webhooks::create(&context, &caller.request, new).await?;
    Ok(created(&CreatedWebhook {
        webhook: Webhook::from(webhook),
        secret: secret.expose_secret().to_owned(),
    }))
}
