//! `GET /v1/tenants/{tenant_id}/users/{user_sub}`

use super::User;
use crate::{
    Context,
    api::{
        exemptions::Exemption,
        extract::{AsReader, Caller, PathIds},
        links::Link,
        respond::{Answer, ok},
    },
    domain::user::UserSub,
    ids::TenantId,
    usecases,
};
use actix_web::{get, web::Data};
use serde::Serialize;

/// A user with what concerns the step-up.
#[derive(Serialize, utoipa::ToSchema)]
pub struct UserDetails {
    /// The user.
    #[serde(flatten)]
    pub user: User,
    /// BlockID subjects that the user is linked to, one a provider.
    pub links: Vec<Link>,
    /// Exemptions in force: the user's own, and those of whole apps.
    pub exemptions: Vec<Exemption>,
}

/// Get a user.
#[utoipa::path(
    operation_id = "getUser", tag = "users",
    params(("tenant_id" = TenantId, Path, description = "The tenant"),
           ("user_sub" = UserSub, Path, description = "Cognito's `sub` of the user")),
    responses((status = 200, description = "The user, links, exemptions in force", body = UserDetails)),
    extensions(("x-problems" = json!(["tenant_state", "cell_unavailable"])))
)]
#[get("/v1/tenants/{tenant_id}/users/{user_sub}")]
pub(crate) async fn get_user(
    caller: Caller<AsReader>,
    context: Data<Context>,
    ids: PathIds<(TenantId, UserSub)>,
) -> Answer {
    let (tenant_id, sub) = ids.0;
    let details = usecases::users::get(&context, &caller.request, tenant_id, &sub).await?;
    Ok(ok(&UserDetails {
        user: User::from(details.user),
        links: details.links.into_iter().map(Link::from).collect(),
        exemptions: details.exemptions.into_iter().map(Exemption::from).collect(),
    }))
}
