//! `POST /v1/tenants/{tenant_id}/users/{user_sub}/links/{link_id}:unlink`

use super::Link;
use crate::{
    Context,
    api::{
        extract::{AsAdministrator, Body, Caller, PathIds},
        respond::{Answer, ok},
        tenants::suspend::Reason,
    },
    domain::user::UserSub,
    ids::TenantId,
    usecases::links,
};
use actix_web::{post, web::Data};
use serde::Serialize;

/// What became of unlinking.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Unlinked {
    /// Whether there was such a link; if not, the user was signed out all the same.
    pub unlinked: bool,
    /// Links that the user still has.
    pub links: Vec<Link>,
}

/// Unlink a user.
///
/// For partner administrators and operators. The link is removed both ways, evidence and grants of step-ups are deleted,
/// and the user is signed out everywhere. The next step-up makes a new link where the policy allows a first one. After
/// `cell_unavailable`: repeat the request; what was done is done again.
#[utoipa::path(
    operation_id = "unlinkUser", tag = "users",
    params(("tenant_id" = TenantId, Path, description = "The tenant"),
           ("user_sub" = UserSub, Path, description = "Cognito's `sub` of the user"),
           ("link_id" = String, Path, description = "The link")),
    request_body = Reason,
    responses((status = 200, description = "Unlinked and signed out", body = Unlinked)),
    extensions(("x-problems" = json!(["tenant_state", "cell_unavailable"])))
)]
#[post("/v1/tenants/{tenant_id}/users/{user_sub}/links/{link_id}:unlink")]
pub(crate) async fn unlink_user(
    caller: Caller<AsAdministrator>,
    context: Data<Context>,
    ids: PathIds<(TenantId, UserSub, String)>,
    body: Body<Reason>,
) -> Answer {
    let (tenant_id, sub, link_id) = ids.0;
    let done = links::unlink(
        &context,
        &caller.request,
        tenant_id,
        (&sub, &link_id),
        body.0.reason,
    )
    .await?;
    Ok(ok(&Unlinked {
        unlinked: done.unlinked,
        links: done.links.into_iter().map(Link::from).collect(),
    }))
}
