//! `POST /v1/tenants/{tenant_id}/blockid/pilots/{pilot_id}:complete`

use super::Pilot;
use crate::{
    Context,
    api::{
        extract::{AsPartnerAdmin, Body, Caller, PathIds, RequestBody, json::secret},
        operations::Operation,
        respond::{Answer, accepted},
    },
    domain::object::objects_only,
    ids::{PilotId, TenantId},
    usecases::pilots,
};
use actix_web::{post, web::Data};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// What the provider's page posted to the page that framed or opened it.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
#[schema(example = json!({"code": "3f9c…", "state": "Yk1d…"}))]
pub struct PilotAnswer {
    /// Authorization code. Used once, by the tenant's function, and kept nowhere.
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, format = Password, write_only, min_length = 1, max_length = 4096)]
    pub code: SecretString,
    /// `state` of the authorize URL.
    #[schema(min_length = 1, max_length = 512)]
    pub state: String,
}

objects_only!(PilotAnswer);

impl RequestBody for PilotAnswer {}

/// A pilot step-up that taught something, and the operation that tells the triggers.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct CompletedPilot {
    /// The pilot.
    pub pilot: Pilot,
    /// The work that brings the tenant's map to the triggers.
    pub operation: Operation,
}

/// Complete a pilot step-up.
///
/// For partner administrators. The tenant's function *verify* exchanges the code and tells what the id_token says
/// about the method. From then on policies that ask for the method are accepted; warm triggers recognise it within
/// 30 s after the operation has succeeded. A pilot takes one answer, also one that teaches nothing.
#[utoipa::path(
    operation_id = "completePilot", tag = "tenants",
    params(("tenant_id" = TenantId, Path, description = "The tenant"), ("pilot_id" = PilotId, Path, description = "The pilot")),
    request_body = PilotAnswer,
    responses((status = 202, description = "The pilot, and the operation that tells the triggers", body = CompletedPilot,
               headers(("Location" = String, description = "Path of the operation")))),
    extensions(("x-problems" = json!(["pilot_closed", "pilot_failed", "tenant_state"])))
)]
#[post("/v1/tenants/{tenant_id}/blockid/pilots/{pilot_id}:complete")]
pub(crate) async fn complete_pilot(
    caller: Caller<AsPartnerAdmin>,
    context: Data<Context>,
    ids: PathIds<(TenantId, PilotId)>,
    body: Body<PilotAnswer>,
) -> Answer {
    let Body(PilotAnswer { code, state }) = body;
    let posted = pilots::Posted { code, state };
    let (pilot, (operation, steps)) = pilots::complete(&context, &caller.request, ids.0, posted).await?;
    let id = operation.id;
    Ok(accepted(
        &id,
        &CompletedPilot {
            pilot: Pilot::at(pilot, context.clock.now()),
            operation: Operation::new(operation, steps),
        },
    ))
}
