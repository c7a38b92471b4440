//! `POST /v1/webhooks`

use super::Webhook;
use crate::{
    Context, Error,
    api::{
        extract::{AsPartnerAdmin, Body, Caller, IdempotencyParams, Repeatable, RequestBody},
        respond::{Answer, Reply},
    },
    domain::{object::objects_only, webhook, webhook::EventType},
    usecases::webhooks,
};
use actix_web::{post, web::Data};
use secrecy::{ExposeSecret, SecretString};
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
    /// Signing secret (Standard Webhooks). Shown this once: `null` when the request is repeated.
    #[schema(example = "whsec_…")]
    secret: Option<String>,
    /// `secret_already_shown` when the request is repeated.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^secret_already_shown$")]
    code: Option<&'static str>,
}

fn reply((webhook, secret): &(webhook::Webhook, SecretString)) -> Result<Reply, Error> {
    let shown = |secret: Option<&SecretString>| CreatedWebhook {
        webhook: Webhook::from(webhook.clone()),
        secret: secret.map(|secret| secret.expose_secret().to_owned()),
        code: secret.is_none().then_some("secret_already_shown"),
    };
    Reply::created(&shown(Some(secret)))?.but_repeats_get(&shown(None))
}

/// Make a webhook.
///
/// For partner administrators. Messages are CloudEvents, signed by the Standard Webhooks scheme with the secret that is
/// shown this once.
#[utoipa::path(
    operation_id = "createWebhook", tag = "webhooks",
    params(IdempotencyParams),
    request_body = NewWebhook,
    responses((status = 201, description = "The webhook, and its signing secret", body = CreatedWebhook)),
    extensions(("x-problems" = json!(["limit_reached", "not_configured"])))
)]
#[post("/v1/webhooks")]
pub(crate) async fn create_webhook(
    caller: Caller<AsPartnerAdmin>,
    context: Data<Context>,
    once: Repeatable,
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
    let request = &caller.request;
    once.run(&context, request, reply, async |once| {
        webhooks::create(&context, request, new, once).await
    })
    .await
}
