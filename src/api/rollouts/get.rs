//! `GET /v1/rollouts/{rollout_id}`

use super::Rollout;
use crate::{
    Context,
    api::{
        extract::{AsInstallationReader, Caller, PathIds},
        respond::{Answer, ok},
    },
    ids::RolloutId,
    usecases::rollouts,
};
use actix_web::{get, web::Data};

/// Get a rollout.
///
/// For operators and auditors.
#[utoipa::path(
    operation_id = "getRollout", tag = "rollouts",
    params(("rollout_id" = RolloutId, Path, description = "The rollout")),
    responses((status = 200, description = "The rollout", body = Rollout))
)]
#[get("/v1/rollouts/{rollout_id}")]
pub(crate) async fn get_rollout(
    caller: Caller<AsInstallationReader>,
    context: Data<Context>,
    id: PathIds<RolloutId>,
) -> Answer {
    let progress = rollouts::get(&context, &caller.request, id.0).await?;
    Ok(ok(&Rollout::from(progress)))
}
