//! `GET /v1/rollouts`

use super::Rollout;
use crate::{
    Context,
    api::{
        extract::{AsInstallationReader, Caller, Paging, PagingParams},
        respond::{Answer, ok},
    },
    usecases::rollouts,
};
use actix_web::{get, web::Data};
use serde::Serialize;

/// A page of rollouts.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct RolloutPage {
    /// Oldest first.
    pub items: Vec<Rollout>,
    /// `cursor` of the next page; `null` on the last one.
    pub next_cursor: Option<String>,
}

/// List rollouts.
///
/// For operators and auditors. Oldest first.
#[utoipa::path(
    operation_id = "listRollouts", tag = "rollouts",
    params(PagingParams),
    responses((status = 200, description = "A page of rollouts", body = RolloutPage))
)]
#[get("/v1/rollouts")]
pub(crate) async fn list_rollouts(
    caller: Caller<AsInstallationReader>,
    context: Data<Context>,
    paging: Paging,
) -> Answer {
    let page = rollouts::list(&context, &caller.request, &paging.0).await?;
    Ok(ok(&RolloutPage {
        items: page.items.into_iter().map(Rollout::from).collect(),
        next_cursor: page.next.map(|cursor| cursor.encode()),
    }))
}
