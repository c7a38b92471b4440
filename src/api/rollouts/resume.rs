//! `POST /v1/rollouts/{rollout_id}:resume`

use super::Rollout;
use crate::{
    Context,
    api::{
        extract::{AsOperator, Body, Caller, PathIds},
        respond::{Answer, ok},
        tenants::suspend::Reason,
    },
    ids::RolloutId,
    usecases::rollouts,
};
use actix_web::{post, web::Data};

/// Go on with a paused rollout.
///
/// For operators.
#[utoipa::path(
    operation_id = "resumeRollout", tag = "rollouts",
    params(("rollout_id" = RolloutId, Path, description = "The rollout")),
    request_body = Reason,
    responses((status = 200, description = "The rollout", body = Rollout)),
    extensions(("x-problems" = json!(["rollout_state"])))
)]
#[post("/v1/rollouts/{rollout_id}:resume")]
pub(crate) async fn resume_rollout(
    caller: Caller<AsOperator>,
    context: Data<Context>,
    id: PathIds<RolloutId>,
    body: Body<Reason>,
) -> Answer {
    let progress = rollouts::resume(&context, &caller.request, id.0, body.0.reason).await?;
    Ok(ok(&Rollout::from(progress)))
}
