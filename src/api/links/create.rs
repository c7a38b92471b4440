//! `POST /v1/tenants/{tenant_id}/users/{user_sub}/links`

use super::Link;
use crate::{
    Context, Error,
    api::{
        extract::{AsAdministrator, Body, Caller, IdempotencyParams, PathIds, Repeatable, RequestBody},
        respond::{Answer, Reply},
    },
    domain::{object::objects_only, user::UserSub},
    ids::TenantId,
    usecases::links,
};
use actix_web::{post, web::Data};
use serde::Deserialize;
use step_up::link;

/// A link to make.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
#[schema(example = json!({"subject": "8f14e45f-ceea-467f-ab1c-0e1f2a3b4c5d", "reason": "Ticket 4712: identity checked at the desk"}))]
pub struct NewLink {
    /// `iss` of the provider; without it the one of the tenant's provider, and never another.
    pub issuer: Option<String>,
    /// `sub` of the person at the provider.
    #[schema(min_length = 1, max_length = 255)]
    pub subject: String,
    /// For the audit log: how it was verified that the two are one person. No personal data.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: String,
}

objects_only!(NewLink);

impl RequestBody for NewLink {}

fn reply(link: &link::Link) -> Result<Reply, Error> {
    Reply::created(&Link::from(link.clone()))
}

/// Link a user to a BlockID subject.
///
/// For partner administrators and operators, and the only way where the policy says `linked_only`. One subject belongs
/// to one user of a pool, and a user has one subject at a provider: to replace a link, unlink first.
#[utoipa::path(
    operation_id = "createLink", tag = "users",
    params(("tenant_id" = TenantId, Path, description = "The tenant"),
           ("user_sub" = UserSub, Path, description = "Cognito's `sub` of the user"), IdempotencyParams),
    request_body = NewLink,
    responses((status = 201, description = "The link; it holds at the next step-up", body = Link)),
    extensions(("x-problems" = json!(["link_taken", "tenant_state", "cell_unavailable"])))
)]
#[post("/v1/tenants/{tenant_id}/users/{user_sub}/links")]
pub(crate) async fn create_link(
    caller: Caller<AsAdministrator>,
    context: Data<Context>,
    ids: PathIds<(TenantId, UserSub)>,
    once: Repeatable,
    body: Body<NewLink>,
) -> Answer {
    let (tenant_id, sub) = ids.0;
    let new = links::NewLink {
        issuer: body.0.issuer,
        subject: body.0.subject,
        reason: body.0.reason,
    };
    let request = &caller.request;
    once.run(&context, request, reply, async |once| {
        links::make_once(&context, request, tenant_id, &sub, new, once).await
    })
    .await
}
