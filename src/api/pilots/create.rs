//! `POST /v1/tenants/{tenant_id}/blockid/pilots`

use super::Pilot;
use crate::{
    Context,
    api::{
        extract::{AsPartnerAdmin, Body, Caller, PathIds, RequestBody},
        respond::{Answer, created},
    },
    domain::object::objects_only,
    ids::TenantId,
    usecases::pilots,
};
use actix_web::{post, web::Data};
use serde::{Deserialize, Serialize};

/// With which method who steps up.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
#[schema(example = json!({"method": "liveID push", "username": "ada"}))]
pub struct NewPilot {
    /// ACR value of a method of the tenant.
    #[schema(min_length = 1, max_length = 128)]
    pub method: String,
    /// Name by which BlockID knows the person who will step up. Goes into the authorize URL and is not kept.
    #[schema(min_length = 1, max_length = 256)]
    pub username: String,
}

objects_only!(NewPilot);

impl RequestBody for NewPilot {}

/// A pilot step-up that was begun.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct StartedPilot {
    /// The pilot.
    pub pilot: Pilot,
    /// What the administrator opens in a browser. Shown once.
    #[schema(format = "uri")]
    pub authorize_url: String,
}

/// Begin a pilot step-up.
///
/// For partner administrators. Open `authorize_url`, step up with the method, and complete the pilot with the `code`
/// and `state` that the provider's page posts, within ten minutes.
#[utoipa::path(
    operation_id = "createPilot", tag = "tenants",
    params(("tenant_id" = TenantId, Path, description = "The tenant")),
    request_body = NewPilot,
    responses((status = 201, description = "The pilot, and the address to open", body = StartedPilot)),
    extensions(("x-problems" = json!(["tenant_state"])))
)]
#[post("/v1/tenants/{tenant_id}/blockid/pilots")]
pub(crate) async fn create_pilot(
    caller: Caller<AsPartnerAdmin>,
    context: Data<Context>,
    id: PathIds<TenantId>,
    body: Body<NewPilot>,
) -> Answer {
    let Body(NewPilot { method, username }) = body;
    let new = pilots::NewPilot { method, username };
    let (pilot, authorize_url) = pilots::start(&context, &caller.request, id.0, new).await?;
    Ok(created(&StartedPilot {
        pilot: Pilot::at(pilot, context.clock.now()),
        authorize_url,
    }))
}
