//! `POST /v1/tenants/{tenant_id}/apps`

use super::App;
use crate::{
    Context, Error,
    api::{
        extract::{AsPartnerAdmin, Body, Caller, IdempotencyParams, PathIds, Repeatable, RequestBody},
        operations::Operation,
        respond::{Answer, Reply},
    },
    domain::{
        app::{self, AppSettings},
        object::objects_only,
    },
    ids::TenantId,
    usecases::{apps, operations::Watched},
};
use actix_web::{post, web::Data};
use serde::{Deserialize, Serialize};

/// A new app. Absent settings have the defaults that are shown.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
#[schema(example = json!({"name": "Portal", "allowed_origins": ["https://portal.acme.example"]}))]
pub struct NewApp {
    /// Name for people, unique in the tenant: letters, digits, spaces and `_+=,.@-`.
    #[schema(min_length = 1, max_length = 128)]
    pub name: String,
    /// Lifetime of ID tokens, min.
    #[schema(minimum = 5, maximum = 1440, default = 15)]
    pub id_token_validity_min: Option<u32>,
    /// Lifetime of access tokens, min.
    #[schema(minimum = 5, maximum = 1440, default = 15)]
    pub access_token_validity_min: Option<u32>,
    /// Lifetime of refresh tokens, min; the age at which a step-up must be repeated at the latest.
    #[schema(minimum = 60, maximum = 525_600, default = 480)]
    pub refresh_token_validity_min: Option<u32>,
    /// How long Cognito keeps a challenge open, min.
    #[schema(minimum = 3, maximum = 15, default = 3)]
    pub session_validity_min: Option<u32>,
    /// Web origins in which the app runs, `https://host[:port]`; plain HTTP only for `localhost`.
    #[serde(default)]
    #[schema(max_items = 50)]
    pub allowed_origins: Vec<String>,
    /// Whether signed-in users may step up for one action.
    #[serde(default)]
    pub action_step_up: bool,
    /// Page of the app to which BlockID returns when the step-up takes a page of its own instead of a frame.
    #[schema(max_length = 512)]
    pub return_url: Option<String>,
    /// First policy; without one everybody steps up with any shipped method.
    #[schema(value_type = Option<crate::api::policies::put::PolicyBody>)]
    pub policy: Option<serde_json::Value>,
}

objects_only!(NewApp);

impl RequestBody for NewApp {
    const MAX_BYTES: usize = step_up::policy::MAX_DOCUMENT_BYTES + 64 * 1024;
}

/// An app and the operation that was opened for it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AcceptedApp {
    /// The app as asked for.
    pub app: App,
    /// The work that brings AWS to it.
    pub operation: Operation,
}

fn reply((app, (operation, steps)): &(app::App, Watched)) -> Result<Reply, Error> {
    let accepted = AcceptedApp {
        app: App::from(app.clone()),
        operation: Operation::new(operation.clone(), steps.clone()),
    };
    Reply::accepted(&operation.id, &accepted)
}

/// Add an app to a tenant.
///
/// For partner administrators.
#[utoipa::path(
    operation_id = "createApp", tag = "apps",
    params(("tenant_id" = TenantId, Path, description = "The tenant"), IdempotencyParams),
    request_body = NewApp,
    responses((status = 202, description = "The app, and the operation that makes its client", body = AcceptedApp,
               headers(("Location" = String, description = "Path of the operation")))),
    extensions(("x-problems" = json!(["name_taken", "tenant_state"])))
)]
#[post("/v1/tenants/{tenant_id}/apps")]
pub(crate) async fn create_app(
    caller: Caller<AsPartnerAdmin>,
    context: Data<Context>,
    tenant_id: PathIds<TenantId>,
    once: Repeatable,
    body: Body<NewApp>,
) -> Answer {
    let Body(body) = body;
    let default = AppSettings::default();
    let settings = AppSettings {
        id_token_validity_min: body
            .id_token_validity_min
            .unwrap_or(default.id_token_validity_min),
        access_token_validity_min: body
            .access_token_validity_min
            .unwrap_or(default.access_token_validity_min),
        refresh_token_validity_min: body
            .refresh_token_validity_min
            .unwrap_or(default.refresh_token_validity_min),
        session_validity_min: body.session_validity_min.unwrap_or(default.session_validity_min),
        allowed_origins: body.allowed_origins,
        action_step_up: body.action_step_up,
        return_url: body.return_url,
    };
    let new = apps::NewApp {
        name: body.name,
        settings,
        policy: body.policy,
    };
    let request = &caller.request;
    once.run(&context, request, reply, async |once| {
        apps::create_once(&context, request, tenant_id.0, new, once).await
    })
    .await
}
