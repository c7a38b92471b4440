//! `GET /v1/webhooks/{webhook_id}/deliveries`

use super::WebhookDelivery;
use crate::{
    Context,
    api::{
        extract::{AsReader, BadValue, Caller, Filter, Filtered, PagingParams, PathIds, unusable},
        respond::{Answer, ok},
    },
    domain::webhook::DeliveryState,
    ids::WebhookId,
    usecases::webhook_deliveries,
};
use actix_web::{get, web::Data};
use serde::Serialize;

/// A page of deliveries.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct WebhookDeliveryPage {
    /// Newest first.
    pub items: Vec<WebhookDelivery>,
    /// `cursor` of the next page; `null` on the last one.
    pub next_cursor: Option<String>,
}

/// Query parameters that narrow the delivery log.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only documents what `OfState` reads")]
pub struct DeliveryParams {
    /// `pending`, `delivered` or `dead`.
    #[param(pattern = "^(pending|delivered|dead)$")]
    state: Option<String>,
}

/// What the delivery log is narrowed to.
#[derive(Debug, Default)]
pub struct OfState(Option<DeliveryState>);

impl Filter for OfState {
    fn take(&mut self, name: &str, value: &str) -> Option<Result<(), BadValue>> {
        (name == "state").then(|| {
            let state = value.parse::<DeliveryState>();
            self.0 = Some(state.map_err(|_| unusable("`pending`, `delivered` or `dead`"))?);
            Ok(())
        })
    }
}

/// List the deliveries of a webhook.
///
/// Newest first. What ended is kept for 30 days.
#[utoipa::path(
    operation_id = "listWebhookDeliveries", tag = "webhooks",
    params(("webhook_id" = WebhookId, Path, description = "The webhook"), DeliveryParams, PagingParams),
    responses((status = 200, description = "A page of deliveries", body = WebhookDeliveryPage))
)]
#[get("/v1/webhooks/{webhook_id}/deliveries")]
pub(crate) async fn list_webhook_deliveries(
    caller: Caller<AsReader>,
    context: Data<Context>,
    id: PathIds<WebhookId>,
    asked: Filtered<OfState>,
) -> Answer {
    let page = webhook_deliveries::list(&context, &caller.request, id.0, asked.filter.0, &asked.page).await?;
    Ok(ok(&WebhookDeliveryPage {
        items: page.items.into_iter().map(WebhookDelivery::from).collect(),
        next_cursor: page.next.map(|cursor| cursor.encode()),
    }))
}
