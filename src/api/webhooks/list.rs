//! `GET /v1/webhooks`

use super::Webhook;
use crate::{
    Context,
    api::{
        extract::{AsReader, Caller, Paging, PagingParams},
        respond::{Answer, ok},
    },
    usecases,
};
use actix_web::{get, web::Data};
use serde::Serialize;

/// A page of webhooks.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct WebhookPage {
    /// Oldest first.
    pub items: Vec<Webhook>,
    /// `cursor` of the next page; `null` on the last one.
    pub next_cursor: Option<String>,
}

/// List webhooks.
///
/// A partner's own; every partner's for operators and auditors. Oldest first.
#[utoipa::path(
    operation_id = "listWebhooks", tag = "webhooks",
    params(PagingParams),
    responses((status = 200, description = "A page of webhooks", body = WebhookPage))
)]
#[get("/v1/webhooks")]
pub(crate) async fn list_webhooks(
    caller: Caller<AsReader>,
    context: Data<Context>,
    paging: Paging,
) -> Answer {
    let page = usecases::webhooks::list(&context, &caller.request, &paging.0).await?;
    Ok(ok(&WebhookPage {
        items: page.items.into_iter().map(Webhook::from).collect(),
        next_cursor: page.next.map(|cursor| cursor.encode()),
    }))
}
