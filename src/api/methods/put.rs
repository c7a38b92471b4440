//! `PUT /v1/tenants/{tenant_id}/blockid/methods`

use super::Methods;
use crate::{
    Context,
    api::{
        extract::{AsPartnerAdmin, Body, Caller, PathIds, RequestBody, if_match},
        operations::Operation,
        respond::{Answer, accepted},
    },
    domain::object::objects_only,
    ids::TenantId,
    usecases::methods,
};
use actix_web::{HttpRequest, put, web::Data};
use serde::{Deserialize, Serialize};
use step_up::assurance::Method;

/// The tenant's own methods.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
#[schema(example = json!({"extra_methods": [{"acr": "fido2", "label": "Passkey", "max_aal": 3, "phishing_resistant": true}]}))]
pub struct OwnMethods {
    /// All of them: what is not listed goes, and with it what was learned about it.
    #[schema(max_items = 16)]
    pub extra_methods: Vec<OwnMethod>,
}

/// A method that the tenant has beside the shipped ones, for example its FIDO2 value.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct OwnMethod {
    /// ACR value as BlockID takes it; none of the shipped ones.
    #[schema(min_length = 1, max_length = 128, example = "fido2")]
    pub acr: String,
    /// Name for people.
    #[schema(min_length = 1, max_length = 128, example = "Passkey")]
    pub label: String,
    /// Highest authenticator assurance level that a password and this method reach.
    #[schema(minimum = 1, maximum = 3)]
    pub max_aal: u8,
    /// Whether it resists phishing (SP 800-63B, 5.2.5).
    #[serde(default)]
    pub phishing_resistant: bool,
    /// Whether it is a restricted authenticator (SP 800-63B, 5.2.10).
    #[serde(default)]
    pub restricted: bool,
    /// Whether it is no second factor on its own.
    #[serde(default)]
    pub not_out_of_band: bool,
    /// Identity assurance level that it proves, for proofing.
    #[schema(minimum = 1, maximum = 3)]
    pub proves_ial: Option<u8>,
}

objects_only!(OwnMethods, OwnMethod);

impl RequestBody for OwnMethods {}

impl From<OwnMethod> for Method {
    fn from(own: OwnMethod) -> Self {
        Self {
            acr: own.acr,
            label: own.label,
            max_aal: own.max_aal,
            phishing_resistant: own.phishing_resistant,
            restricted: own.restricted,
            not_out_of_band: own.not_out_of_band,
            proves_ial: own.proves_ial,
        }
    }
}

/// The tenant's methods and the operation that was opened for them.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AcceptedMethods {
    /// Every method, as asked for.
    pub methods: Methods,
    /// The work that tells the triggers.
    pub operation: Operation,
}

/// Replace a tenant's own methods.
///
/// For partner administrators. Refused when the policy of an app could not be kept any more. A new method is
/// recognised once a pilot step-up has taught what the provider returns for it.
#[utoipa::path(
    operation_id = "putMethods", tag = "tenants",
    params(
        ("tenant_id" = TenantId, Path, description = "The tenant"),
        ("If-Match" = String, Header, pattern = r#"^"[1-9][0-9]{0,17}"$"#, description = "`ETag` of the methods as they were read", example = "\"1\"")
    ),
    request_body = OwnMethods,
    responses((status = 202, description = "Every method, and the operation that tells the triggers",
               body = AcceptedMethods, headers(("Location" = String, description = "Path of the operation")))),
    extensions(("x-problems" = json!(["tenant_state", "precondition_required", "precondition_failed"])))
)]
#[put("/v1/tenants/{tenant_id}/blockid/methods")]
pub(crate) async fn put_methods(
    caller: Caller<AsPartnerAdmin>,
    context: Data<Context>,
    request: HttpRequest,
    id: PathIds<TenantId>,
    body: Body<OwnMethods>,
) -> Answer {
    let replaces = if_match(&request)?;
    let extra = body.0.extra_methods.into_iter().map(Method::from).collect();
    let (known, (operation, steps)) =
        methods::put_extra(&context, &caller.request, id.0, replaces, extra).await?;
    let id = operation.id;
    Ok(accepted(
        &id,
        &AcceptedMethods {
            methods: Methods::from(known),
            operation: Operation::new(operation, steps),
        },
    ))
}
