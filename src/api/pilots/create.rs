//! `POST /v1/tenants/{tenant_id}/blockid/pilots`

use super::Pilot;
use crate::{
    Context, Error,
    api::{
        extract::{AsPartnerAdmin, Body, Caller, IdempotencyParams, PathIds, Repeatable, RequestBody},
        respond::{Answer, Reply},
    },
    domain::{object::objects_only, pilot},
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
    /// What the administrator opens in a browser. Shown this once: `null` when the request is repeated under its
    /// `Idempotency-Key`. Begin another pilot then.
    #[schema(format = "uri")]
    pub authorize_url: Option<String>,
    /// `secret_already_shown` when `authorize_url` is `null`.
    pub code: Option<&'static str>,
}

/// The address holds the pilot's `state` and the person's name, which are kept nowhere.
fn reply((pilot, authorize_url): &(pilot::Pilot, String)) -> Result<Reply, Error> {
    let started = |authorize_url, code| StartedPilot {
        pilot: Pilot::at(pilot.clone(), pilot.created_at),
        authorize_url,
        code,
    };
    Reply::created(&started(Some(authorize_url.clone()), None))?
        .but_repeats_get(&started(None, Some("secret_already_shown")))
}

/// Begin a pilot step-up.
///
/// For partner administrators. Open `authorize_url`, step up with the method, and complete the pilot with the `code`
/// and `state` that the provider's page posts, within ten minutes.
#[utoipa::path(
    operation_id = "createPilot", tag = "tenants",
    params(("tenant_id" = TenantId, Path, description = "The tenant"), IdempotencyParams),
    request_body = NewPilot,
    responses((status = 201, description = "The pilot, and the address to open", body = StartedPilot)),
    extensions(("x-problems" = json!(["tenant_state"])))
)]
#[post("/v1/tenants/{tenant_id}/blockid/pilots")]
pub(crate) async fn create_pilot(
    caller: Caller<AsPartnerAdmin>,
    context: Data<Context>,
    id: PathIds<TenantId>,
    once: Repeatable,
    body: Body<NewPilot>,
) -> Answer {
    let Body(NewPilot { method, username }) = body;
    let new = pilots::NewPilot { method, username };
    let request = &caller.request;
    once.run(&context, request, reply, async |once| {
        pilots::start(&context, request, id.0, new, once).await
    })
    .await
}
