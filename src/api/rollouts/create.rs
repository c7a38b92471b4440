//! `POST /v1/rollouts`

use super::Rollout;
use crate::{
    Context, Error,
    api::{
        extract::{AsOperator, Body, Caller, IdempotencyParams, Repeatable, RequestBody},
        respond::{Answer, Reply},
    },
    domain::{object::objects_only, rollout::Plan},
    ids::CellId,
    usecases::rollouts::{self, Progress},
};
use actix_web::{post, web::Data};
use serde::Deserialize;

/// A new rollout.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
#[schema(example = json!({
    "release": "0.4.0-3fa9c1d2",
    "plan": {"canary": 2, "wave_percents": [10, 40, 50], "soak_s": 1800, "gate": {"max_success_drop_points": 3}}
}))]
pub struct NewRollout {
    /// Release to bring tenants to, as `GET /v1/cells/{cell_id}/releases` names it. An earlier one is as good as a newer.
    #[schema(min_length = 1, max_length = 128)]
    pub release: String,
    /// Cells whose tenants are brought to it; by default all that have the release.
    #[schema(min_items = 1, max_items = 100)]
    pub cell_ids: Option<Vec<CellId>>,
    /// How to go about it.
    #[serde(default)]
    pub plan: Plan,
}

objects_only!(NewRollout);

impl RequestBody for NewRollout {}

fn reply(progress: &Progress) -> Result<Reply, Error> {
    Reply::created(&Rollout::from(progress.clone()))
}

/// Begin a rollout.
///
/// For operators. Brings every tenant of the cells that runs something else, or those with the labels of the plan, to a
/// release: a canary first, then wave after wave. Between waves it looks at whether the functions answer as well as before
/// and how often steps-up succeed, and brings everybody back when the gate is not passed. A cell has one rollout at a
/// time. With its success the release is what new tenants of the cells get, unless it was for some labels only.
#[utoipa::path(
    operation_id = "createRollout", tag = "rollouts",
    params(IdempotencyParams),
    request_body = NewRollout,
    responses((status = 201, description = "The rollout", body = Rollout)),
    extensions(("x-problems" = json!(["rollout_state"])))
)]
#[post("/v1/rollouts")]
pub(crate) async fn create_rollout(
    caller: Caller<AsOperator>,
    context: Data<Context>,
    once: Repeatable,
    body: Body<NewRollout>,
) -> Answer {
    let Body(NewRollout {
        release,
        cell_ids,
        plan,
    }) = body;
    let new = rollouts::NewRollout {
        release,
        cell_ids,
        plan,
    };
    let request = &caller.request;
    once.run(&context, request, reply, async |once| {
        rollouts::create(&context, request, new, once).await
    })
    .await
}
