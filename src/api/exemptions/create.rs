//! `POST /v1/tenants/{tenant_id}/exemptions`

use super::Exemption;
use crate::{
    Context, Error,
    api::{
        extract::{AsAdministrator, Body, Caller, IdempotencyParams, PathIds, Repeatable, RequestBody},
        respond::{Answer, Reply},
    },
    domain::{exemption, object::objects_only, user::UserSub},
    ids::{AppId, TenantId},
    usecases::exemptions,
};
use actix_web::{post, web::Data};
use serde::Deserialize;

/// What is asked for.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
#[schema(example = json!({"app_id": "app_01jd7v0p3h8s5k2m4n6q9r1t0w", "user_sub": "f3b5a1c2-7d4e-4f60-9a1b-2c3d4e5f6071",
    "reason": "Ticket 4711: phone lost, identity checked by call back", "duration_min": 240}))]
pub struct NewExemption {
    /// App it is for.
    pub app_id: AppId,
    /// Cognito `sub` of the user it is for; absent or `null`: everybody at the app.
    pub user_sub: Option<UserSub>,
    /// For the second person and the audit log. No personal data.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: String,
    /// How long it is to last, counted from its approval, min.
    #[schema(minimum = 1, maximum = 1440)]
    pub duration_min: u32,
}

objects_only!(NewExemption);

impl RequestBody for NewExemption {}

fn reply(exemption: &exemption::Exemption) -> Result<Reply, Error> {
    Reply::created(&Exemption::from(exemption.clone()))
}

/// Ask for an exemption.
///
/// For partner administrators and operators. A lost phone or an outage of the provider: for some hours the user, or
/// everybody at the app, signs in with the password alone. Opens nothing until somebody else approves it, which must
/// happen within 24 hours. Tokens that rest on it carry its id in `stepup_exempt`. Actions are never exempt.
#[utoipa::path(
    operation_id = "createExemption", tag = "exemptions",
    params(("tenant_id" = TenantId, Path, description = "The tenant"), IdempotencyParams),
    request_body = NewExemption,
    responses((status = 201, description = "The exemption, pending", body = Exemption)),
    extensions(("x-problems" = json!(["tenant_state"])))
)]
#[post("/v1/tenants/{tenant_id}/exemptions")]
pub(crate) async fn create_exemption(
    caller: Caller<AsAdministrator>,
    context: Data<Context>,
    tenant_id: PathIds<TenantId>,
    once: Repeatable,
    body: Body<NewExemption>,
) -> Answer {
    let Body(body) = body;
    let new = exemptions::NewExemption {
        app_id: body.app_id,
        user_sub: body.user_sub,
        reason: body.reason,
        duration_min: body.duration_min,
    };
    let request = &caller.request;
    once.run(&context, request, reply, async |once| {
        exemptions::ask_once(&context, request, tenant_id.0, new, once).await
    })
    .await
}
