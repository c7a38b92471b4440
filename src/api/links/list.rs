//! `GET /v1/tenants/{tenant_id}/users/{user_sub}/links`

use super::Link;
use crate::{
    Context,
    api::{
        extract::{AsReader, Caller, Paging, PagingParams, PathIds},
        respond::{Answer, ok},
    },
    domain::user::UserSub,
    ids::TenantId,
    usecases,
};
use actix_web::{get, web::Data};
use serde::Serialize;

/// A page of links of a user.
#[derive(Serialize, utoipa::ToSchema)]
pub struct LinkPage {
    /// Oldest first. One a provider: mostly one, and more after the tenant was re-pointed.
    pub items: Vec<Link>,
    /// `cursor` of the next page; `null` on the last one.
    pub next_cursor: Option<String>,
}

/// List the links of a user.
///
/// Also of one who was deleted from the pool: such links keep their subjects from being linked again.
#[utoipa::path(
    operation_id = "listLinks", tag = "users",
    params(("tenant_id" = TenantId, Path, description = "The tenant"),
           ("user_sub" = UserSub, Path, description = "Cognito's `sub` of the user"), PagingParams),
    responses((status = 200, description = "A page of links", body = LinkPage)),
    extensions(("x-problems" = json!(["tenant_state", "cell_unavailable"])))
)]
#[get("/v1/tenants/{tenant_id}/users/{user_sub}/links")]
pub(crate) async fn list_links(
    caller: Caller<AsReader>,
    context: Data<Context>,
    ids: PathIds<(TenantId, UserSub)>,
    paging: Paging,
) -> Answer {
    let (tenant_id, sub) = ids.0;
    let page = usecases::links::list(&context, &caller.request, tenant_id, &sub, &paging.0).await?;
    Ok(ok(&LinkPage {
        items: page.items.into_iter().map(Link::from).collect(),
        next_cursor: page.next.map(|cursor| cursor.encode()),
    }))
}
