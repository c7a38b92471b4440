//! `GET /v1/tenants/{tenant_id}/apps/{app_id}/integration`

use super::snippets::{self, Snippet};
use crate::{
    Context,
    api::{
        extract::{AsReader, Caller, PathIds},
        respond::{Answer, ok},
    },
    domain::pool::{SignInWith, Tier},
    ids::{AppId, TenantId},
    usecases::integrations,
};
use actix_web::{get, web::Data};
use serde::Serialize;
use step_up::policy::{Binding, Outcome};

/// Everything that an app developer pastes.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Integration {
    /// Tenant.
    pub tenant_id: TenantId,
    /// App.
    pub app_id: AppId,
    /// Whether users can sign in: pool and app client are there. Snippets come with them.
    pub ready: bool,
    /// AWS region.
    #[schema(example = "eu-central-1")]
    pub region: String,
    /// Cognito user pool, once there is one.
    #[schema(example = "eu-central-1_a1B2c3D4e")]
    pub user_pool_id: Option<String>,
    /// Cognito app client id, once there is one.
    #[schema(example = "4k1ni9m0f3v0l2c1u8d7e6p5q4")]
    pub client_id: Option<String>,
    /// What users type to sign in.
    pub sign_in_with: SignInWith,
    /// Addresses that the app and its APIs talk to.
    pub endpoints: Endpoints,
    /// What the app's pages must allow.
    pub browser: Browser,
    /// Claims that tokens carry after a step-up.
    pub claims: Claims,
    /// Code for the common libraries; empty until `ready`.
    pub snippets: Vec<Snippet>,
    /// What is worth knowing about this app in particular.
    pub notes: Vec<Note>,
}

/// Addresses.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Endpoints {
    /// Cognito's API in this region.
    #[schema(format = "uri", example = "https://cognito-idp.eu-central-1.amazonaws.com")]
    pub cognito: String,
    /// `iss` of the tokens, once there is a pool.
    #[schema(
        format = "uri",
        example = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_a1B2c3D4e"
    )]
    pub issuer: Option<String>,
    /// Keys that the tokens are signed with.
    #[schema(format = "uri")]
    pub jwks: Option<String>,
    /// Origin of the page on which users step up.
    #[schema(format = "uri", example = "https://acme.1kosmos.net")]
    pub step_up: String,
}

/// What the app's pages must allow.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Browser {
    /// Origins in which the app runs; BlockID's page must let itself be framed by them.
    pub allowed_origins: Vec<String>,
    /// Page to which BlockID may return from a step-up without a frame; BlockID must know it as a redirect URI of the
    /// client.
    #[schema(format = "uri", example = "https://portal.acme.example/step-up")]
    pub return_url: Option<String>,
    /// Directives to add to `Content-Security-Policy`.
    #[schema(
        example = "connect-src https://cognito-idp.eu-central-1.amazonaws.com; frame-src https://acme.1kosmos.net"
    )]
    pub content_security_policy: String,
    /// Value of `Permissions-Policy`: what the step-up page may use inside the app's page.
    pub permissions_policy: String,
    /// Value of the frame's `allow`; `@stepgate/web` sets it by itself.
    pub frame_allow: String,
}

/// Claims.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Claims {
    /// In ID tokens.
    pub id_token: Vec<&'static str>,
    /// In access tokens: none on Cognito's plan Lite.
    pub access_token: Vec<&'static str>,
}

/// Something worth knowing.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Note {
    /// Stable code.
    #[schema(example = "cognito_default_sender")]
    pub code: &'static str,
    /// For people.
    pub text: String,
}

const CLAIMS: [&str; 4] = ["stepup_acr", "stepup_amr", "stepup_at", "stepup_policy"];
const ACTION_CLAIMS: [&str; 2] = ["stepup_action", "action_ref"];
/// What BlockID's methods use in a browser: camera, security keys, codes from text messages.
const FEATURES: [&str; 3] = ["camera", "publickey-credentials-get", "otp-credentials"];

impl From<integrations::Integration> for Integration {
    fn from(found: integrations::Integration) -> Self {
        let (tenant, app) = (&found.tenant, &found.app);
        let cognito = cognito_endpoint(&tenant.region);
        let issuer = tenant
            .user_pool_id
            .as_ref()
            .map(|pool| format!("{cognito}/{pool}"));
        let step_up = format!("https://{}", tenant.blockid.tenant_dns);
        let mut claims = CLAIMS.to_vec();
        if app.settings.action_step_up {
            claims.extend(ACTION_CLAIMS);
        }
        let access_token = if tenant.pool.tier == Tier::Lite {
            Vec::new()
        } else {
            claims.clone()
        };
        let permissions = FEATURES.map(|feature| format!("{feature}=(self \"{step_up}\")"));
        Self {
            tenant_id: tenant.id,
            app_id: app.id,
            ready: tenant.user_pool_id.is_some() && app.client_id.is_some(),
            snippets: snippets::all(tenant, app, state_only(&found)),
            notes: notes(&found),
            endpoints: Endpoints {
                jwks: issuer
                    .as_ref()
                    .map(|issuer| format!("{issuer}/.well-known/jwks.json")),
                cognito: cognito.clone(),
                issuer,
                step_up: step_up.clone(),
            },
            browser: Browser {
                allowed_origins: app.settings.allowed_origins.clone(),
                return_url: app.settings.return_url.clone(),
                content_security_policy: format!("connect-src {cognito}; frame-src {step_up}"),
                permissions_policy: permissions.join(", "),
                frame_allow: FEATURES.join("; "),
            },
            claims: Claims {
                id_token: claims,
                access_token,
            },
            sign_in_with: tenant.pool.sign_in_with,
            region: found.tenant.region,
            user_pool_id: found.tenant.user_pool_id,
            client_id: found.app.client_id,
        }
    }
}

fn cognito_endpoint(region: &str) -> String {
    let suffix = if region.starts_with("cn-") {
        "amazonaws.com.cn"
    } else {
        "amazonaws.com"
    };
    format!("https://cognito-idp.{region}.{suffix}")
}

/// Whether a rule accepts answers of 1Kosmos's own script.
fn state_only(found: &integrations::Integration) -> bool {
    let mut asked = found.policy.document.outcomes().filter_map(Outcome::requirement);
    asked.any(|asked| asked.binding == Binding::StateOnly)
}

fn notes(found: &integrations::Integration) -> Vec<Note> {
    let (tenant, app) = (&found.tenant, &found.app);
    let mut notes = Vec::new();
    let mut note = |holds: bool, code, text: String| {
        if holds {
            notes.push(Note { code, text });
        }
    };
    note(
        app.settings.allowed_origins.is_empty(),
        "no_allowed_origins",
        "The app has no `allowed_origins`: without them nobody can tell whether BlockID's page lets itself be framed by it.".into(),
    );
    note(
        tenant.pool.tier == Tier::Lite,
        "no_access_token_claims",
        "Cognito's plan Lite adds no claims to access tokens: APIs must look at the ID token, or the pool must be on Essentials.".into(),
    );
    note(
        tenant.pool.email.is_none(),
        "cognito_default_sender",
        "Without `pool.email` Cognito sends about 50 messages a day: enough for trying out, not for users."
            .into(),
    );
    note(
        tenant.sandbox,
        "sandbox",
        "The tenant is a sandbox: its users are not protected against deletion.".into(),
    );
    note(
        tenant.suspension.is_some(),
        "suspended",
        "The tenant is suspended: its triggers refuse everybody.".into(),
    );
    let shortest = found.policy.document.smallest_max_age_min();
    note(
        shortest.is_some_and(|minutes| minutes < app.settings.refresh_token_validity_min),
        "shorter_sessions",
        format!(
            "The policy lets a step-up last {} min: sessions end then, whatever `refresh_token_validity_min` says; under 60 min \
             tokens cannot be refreshed at all.",
            shortest.unwrap_or_default()
        ),
    );
    note(
        app.settings.return_url.is_some(),
        "return_url_at_blockid",
        "`return_url` works only where BlockID knows it as a redirect URI of the client: ask 1Kosmos. Its page shows an error otherwise.".into(),
    );
    note(
        state_only(found),
        "state_only_binding",
        "A rule accepts answers without a nonce, for sites that still use 1Kosmos's own script: the public challenge parameters \
         `tenant`, `community`, `kosmos_clientId`, `acr` and `state` go into `BIDStepup.stepup` as before. Move to @stepgate/web and take \
         `\"binding\": \"state_only\"` out of the policy."
            .into(),
    );
    notes
}

/// Get what an app developer needs.
///
/// Ids, addresses, browser rules and code to paste, for this app. Nothing in it is secret: it may be handed to whoever
/// builds the app.
#[utoipa::path(
    operation_id = "getAppIntegration", tag = "apps",
    params(("tenant_id" = TenantId, Path, description = "The tenant"), ("app_id" = AppId, Path, description = "The app")),
    responses((status = 200, description = "What to paste", body = Integration))
)]
#[get("/v1/tenants/{tenant_id}/apps/{app_id}/integration")]
pub(crate) async fn get_integration(
    caller: Caller<AsReader>,
    context: Data<Context>,
    ids: PathIds<(TenantId, AppId)>,
) -> Answer {
    let (tenant_id, app_id) = ids.0;
    let found = integrations::get(&context, &caller.request, tenant_id, app_id).await?;
    Ok(ok(&Integration::from(found)))
}
