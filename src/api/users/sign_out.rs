//! `POST /v1/tenants/{tenant_id}/users/{user_sub}:sign-out`

use crate::{
    Context,
    api::{
        extract::{AsAdministrator, Body, Caller, PathIds},
        respond::{Answer, no_content},
        tenants::suspend::Reason,
    },
    domain::user::UserSub,
    ids::TenantId,
    usecases,
};
use actix_web::{post, web::Data};

/// Sign a user out everywhere.
///
/// For partner administrators and operators. Every session ends: refresh tokens are revoked, access tokens as far as
/// they are checked with Cognito, and no step-up that was made carries a refresh. ID and access tokens that APIs check
/// by themselves work until they end. After `cell_unavailable`: repeat the request.
#[utoipa::path(
    operation_id = "signOutUser", tag = "users",
    params(("tenant_id" = TenantId, Path, description = "The tenant"),
           ("user_sub" = UserSub, Path, description = "Cognito's `sub` of the user")),
    request_body = Reason,
    responses((status = 204, description = "The user is signed out")),
    extensions(("x-problems" = json!(["tenant_state", "cell_unavailable"])))
)]
#[post("/v1/tenants/{tenant_id}/users/{user_sub}:sign-out")]
pub(crate) async fn sign_out_user(
    caller: Caller<AsAdministrator>,
    context: Data<Context>,
    ids: PathIds<(TenantId, UserSub)>,
    body: Body<Reason>,
) -> Answer {
    let (tenant_id, sub) = ids.0;
    usecases::users::sign_out(&context, &caller.request, tenant_id, &sub, body.0.reason).await?;
    Ok(no_content())
}
