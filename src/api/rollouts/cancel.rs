//! `POST /v1/rollouts/{rollout_id}:cancel`

use super::Rollout;
use crate::{
    Context,
    api::{
        extract::{AsOperator, Body, Caller, PathIds, RequestBody},
        respond::{Answer, ok},
    },
    domain::object::objects_only,
    ids::RolloutId,
    usecases::rollouts,
};
use actix_web::{post, web::Data};
use serde::Deserialize;

/// How to end a rollout.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
#[schema(example = json!({"reason": "users of acme cannot sign in", "roll_back": true}))]
pub struct Cancellation {
    /// Why; kept in the audit log.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: String,
    /// Whether tenants are brought back to what they ran before; else each keeps what it runs.
    pub roll_back: bool,
}

objects_only!(Cancellation);

impl RequestBody for Cancellation {}

/// End a rollout.
///
/// For operators. With `roll_back` every tenant that was taken up is brought back to what it ran before, and the rollout
/// ends as `rolled_back` when they are. Without, it ends at once as `cancelled`: updates under way go on, nobody else is
/// taken up, and another rollout can bring tenants to wherever they are to be.
#[utoipa::path(
    operation_id = "cancelRollout", tag = "rollouts",
    params(("rollout_id" = RolloutId, Path, description = "The rollout")),
    request_body = Cancellation,
    responses((status = 200, description = "The rollout", body = Rollout)),
    extensions(("x-problems" = json!(["rollout_state"])))
)]
#[post("/v1/rollouts/{rollout_id}:cancel")]
pub(crate) async fn cancel_rollout(
    caller: Caller<AsOperator>,
    context: Data<Context>,
    id: PathIds<RolloutId>,
    body: Body<Cancellation>,
) -> Answer {
    let Body(Cancellation { reason, roll_back }) = body;
    let progress = rollouts::cancel(&context, &caller.request, id.0, reason, roll_back).await?;
    Ok(ok(&Rollout::from(progress)))
}
