//! `PATCH /v1/tenants/{tenant_id}/apps/{app_id}`

use super::{App, create::AcceptedApp, etag};
use crate::{
    Context,
    api::{
        extract::{AsPartnerAdmin, Body, Caller, PathIds, RequestBody, given, if_match},
        operations::Operation,
        respond::{Answer, accepted},
    },
    domain::{app, object::objects_only},
    ids::{AppId, TenantId},
    usecases::apps,
};
use actix_web::{HttpRequest, http::header::HeaderName, patch, web::Data};
use serde::Deserialize;

/// A change of an app; what is absent stays.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
#[schema(example = json!({"allowed_origins": ["https://portal.acme.example"], "session_validity_min": 5}))]
pub struct AppChange {
    /// Name for people, unique in the tenant: letters, digits, spaces and `_+=,.@-`.
    #[schema(min_length = 1, max_length = 128)]
    pub name: Option<String>,
    /// Lifetime of ID tokens, min.
    #[schema(minimum = 5, maximum = 1440)]
    pub id_token_validity_min: Option<u32>,
    /// Lifetime of access tokens, min.
    #[schema(minimum = 5, maximum = 1440)]
    pub access_token_validity_min: Option<u32>,
    /// Lifetime of refresh tokens, min; the age at which a step-up must be repeated at the latest.
    #[schema(minimum = 60, maximum = 525_600)]
    pub refresh_token_validity_min: Option<u32>,
    /// How long Cognito keeps a challenge open, min.
    #[schema(minimum = 3, maximum = 15)]
    pub session_validity_min: Option<u32>,
    /// The whole list of web origins in which the app runs.
    #[schema(max_items = 50)]
    pub allowed_origins: Option<Vec<String>>,
    /// Whether signed-in users may step up for one action.
    pub action_step_up: Option<bool>,
    /// Page of the app to which BlockID returns when the step-up takes a page of its own; `null` takes it away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 512)]
    pub return_url: Option<Option<String>>,
}

objects_only!(AppChange);

impl RequestBody for AppChange {}

/// Change an app.
///
/// For partner administrators. Its policy is changed by `PUT …/policy`; the policy in force must be acceptable under
/// the new settings. New lifetimes hold for tokens that are issued from then on.
#[utoipa::path(
    operation_id = "updateApp", tag = "apps",
    params(
        ("tenant_id" = TenantId, Path, description = "The tenant"),
        ("app_id" = AppId, Path, description = "The app"),
        ("If-Match" = String, Header, pattern = r#"^"[1-9][0-9]{0,17}"$"#, description = "`ETag` of the app as it was read", example = "\"1\"")
    ),
    request_body = AppChange,
    responses((status = 202, description = "The app as asked for, and the operation that brings AWS to it",
               body = AcceptedApp,
               headers(("Location" = String, description = "Path of the operation"),
                       ("ETag" = String, description = "The new revision")))),
    extensions(("x-problems" = json!(["name_taken", "precondition_required", "precondition_failed", "tenant_state"])))
)]
#[patch("/v1/tenants/{tenant_id}/apps/{app_id}")]
pub(crate) async fn update_app(
    caller: Caller<AsPartnerAdmin>,
    context: Data<Context>,
    request: HttpRequest,
    ids: PathIds<(TenantId, AppId)>,
    body: Body<AppChange>,
) -> Answer {
    let replaces = if_match(&request)?;
    let Body(body) = body;
    let change = app::AppChange {
        name: body.name,
        id_token_validity_min: body.id_token_validity_min,
        access_token_validity_min: body.access_token_validity_min,
        refresh_token_validity_min: body.refresh_token_validity_min,
        session_validity_min: body.session_validity_min,
        allowed_origins: body.allowed_origins,
        action_step_up: body.action_step_up,
        return_url: body.return_url,
    };
    let (app, (operation, steps)) = apps::update(&context, &caller.request, ids.0, replaces, change).await?;
    let (id, (name, value)) = (operation.id, etag(app.revision));
    let mut response = accepted(
        &id,
        &AcceptedApp {
            app: App::from(app),
            operation: Operation::new(operation, steps),
        },
    );
    if let Ok(value) = value.parse() {
        response
            .headers_mut()
            .insert(HeaderName::from_static(name), value);
    }
    Ok(response)
}
