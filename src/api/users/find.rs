//! `POST /v1/tenants/{tenant_id}/users:find`

use super::User;
use crate::{
    Context,
    api::{
        extract::{AsReader, Body, Caller, PathIds, RequestBody},
        respond::{Answer, ok},
    },
    domain::{
        object::objects_only,
        user::{UserSub, Wanted},
        validation::Problems,
    },
    ids::TenantId,
    usecases,
};
use actix_web::{post, web::Data};
use serde::{Deserialize, Serialize};

/// Who is looked for: exactly one of the three. In a body and not in the path, because paths are logged.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
#[schema(example = json!({"email": "ada@acme.example"}))]
pub struct UserQuery {
    /// Cognito's `sub`.
    pub sub: Option<UserSub>,
    /// The whole user name.
    #[schema(min_length = 1, max_length = 128)]
    pub username: Option<String>,
    /// The whole e-mail address.
    #[schema(min_length = 1, max_length = 128)]
    pub email: Option<String>,
}

objects_only!(UserQuery);

impl RequestBody for UserQuery {}

/// Users that were found.
#[derive(Serialize, utoipa::ToSchema)]
pub struct FoundUsers {
    /// None, one, or where users sign in by name several with the same address (10 at most).
    #[schema(max_items = 10)]
    pub items: Vec<User>,
}

/// Find a user.
///
/// By the whole user name, e-mail address or `sub`; upper and lower case do not matter.
#[utoipa::path(
    operation_id = "findUsers", tag = "users",
    params(("tenant_id" = TenantId, Path, description = "The tenant")),
    request_body = UserQuery,
    responses((status = 200, description = "The users that are exactly that", body = FoundUsers)),
    extensions(("x-problems" = json!(["tenant_state", "cell_unavailable"])))
)]
#[post("/v1/tenants/{tenant_id}/users:find")]
pub(crate) async fn find_users(
    caller: Caller<AsReader>,
    context: Data<Context>,
    tenant_id: PathIds<TenantId>,
    body: Body<UserQuery>,
) -> Answer {
    let UserQuery { sub, username, email } = body.0;
    let mut problems = Problems::new();
    let wanted = Wanted::one_of(sub, username, email, &mut problems);
    problems.finish()?;
    let mut items = Vec::new();
    if let Some(wanted) = wanted {
        let found = usecases::users::find(&context, &caller.request, tenant_id.0, &wanted).await?;
        items.extend(found.into_iter().map(User::from));
    }
    Ok(ok(&FoundUsers { items }))
}
