//! `GET /v1/tenants/{tenant_id}/blockid/pilots/{pilot_id}`

use super::Pilot;
use crate::{
    Context,
    api::{
        extract::{AsReader, Caller, PathIds},
        respond::{Answer, ok},
    },
    ids::{PilotId, TenantId},
    usecases::pilots,
};
use actix_web::{get, web::Data};

/// Get a pilot step-up.
///
/// How far it is, and what it taught.
#[utoipa::path(
    operation_id = "getPilot", tag = "tenants",
    params(("tenant_id" = TenantId, Path, description = "The tenant"), ("pilot_id" = PilotId, Path, description = "The pilot")),
    responses((status = 200, description = "The pilot", body = Pilot))
)]
#[get("/v1/tenants/{tenant_id}/blockid/pilots/{pilot_id}")]
pub(crate) async fn get_pilot(
    caller: Caller<AsReader>,
    context: Data<Context>,
    ids: PathIds<(TenantId, PilotId)>,
) -> Answer {
    let pilot = pilots::get(&context, &caller.request, ids.0).await?;
    Ok(ok(&Pilot::at(pilot, context.clock.now())))
}
