//! `POST /v1/partners/{partner_id}/keys`, `POST /v1/keys`

use super::CreatedApiKey;
use crate::{
    Context, Error,
    api::{
        extract::{
            AsAdministrator, AsOperator, Body, Caller, IdempotencyParams, PathIds, Repeatable, RequestBody,
        },
        respond::{Answer, Reply},
    },
    domain::{
        actor::{KeyScope, Role},
        object::objects_only,
    },
    ids::PartnerId,
    storage::api_keys::Owner,
    usecases::api_keys::{self, KeyRequest, NewKey},
};
use actix_web::{post, web::Data};
use chrono::{DateTime, Utc};
use serde::Deserialize;

/// A new key.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
#[schema(example = json!({"name": "portal", "role": "partner_admin", "scopes": ["tenants:write"]}))]
pub struct NewApiKey {
    /// Name for people.
    #[schema(min_length = 1, max_length = 128)]
    pub name: String,
    /// `partner_admin` or `partner_reader` for a partner; `operator` or `auditor` for the installation.
    pub role: Role,
    /// What of its role it may use; by default everything. Every key may read.
    #[schema(min_items = 1)]
    pub scopes: Option<Vec<KeyScope>>,
    /// From when on it does not work; by default never.
    pub expires_at: Option<DateTime<Utc>>,
}

objects_only!(NewApiKey);

impl RequestBody for NewApiKey {}

impl From<NewApiKey> for KeyRequest {
    fn from(body: NewApiKey) -> Self {
        Self {
            name: body.name,
            role: body.role,
            scopes: body.scopes,
            expires_at: body.expires_at,
        }
    }
}

fn reply(new: &NewKey) -> Result<Reply, Error> {
    Reply::created(&CreatedApiKey::shown(new))?.but_repeats_get(&CreatedApiKey::repeated(new))
}

/// Make an API key for a partner.
///
/// For operators, and for the partner's administrators. The key is shown this once; the service keeps its hash. A key
/// that is limited by scopes makes keys within its own scopes only.
#[utoipa::path(
    operation_id = "createPartnerKey", tag = "partners",
    params(("partner_id" = PartnerId, Path, description = "The partner"), IdempotencyParams),
    request_body = NewApiKey,
    responses((status = 201, description = "The key", body = CreatedApiKey))
)]
#[post("/v1/partners/{partner_id}/keys")]
pub(crate) async fn create_key(
    caller: Caller<AsAdministrator>,
    context: Data<Context>,
    partner_id: PathIds<PartnerId>,
    once: Repeatable,
    body: Body<NewApiKey>,
) -> Answer {
    let (request, owner) = (&caller.request, Owner::Partner(partner_id.0));
    once.run(&context, request, reply, async |once| {
        api_keys::create(&context, request, owner, body.0.into(), once).await
    })
    .await
}

/// Make an API key for an operator or auditor.
///
/// For operators. The key is shown this once; the service keeps its hash.
#[utoipa::path(
    operation_id = "createKey", tag = "keys",
    params(IdempotencyParams),
    request_body = NewApiKey,
    responses((status = 201, description = "The key", body = CreatedApiKey))
)]
#[post("/v1/keys")]
pub(crate) async fn create_installation_key(
    caller: Caller<AsOperator>,
    context: Data<Context>,
    once: Repeatable,
    body: Body<NewApiKey>,
) -> Answer {
    let request = &caller.request;
    once.run(&context, request, reply, async |once| {
        api_keys::create(&context, request, Owner::Installation, body.0.into(), once).await
    })
    .await
}
