//! `GET /v1/partners/{partner_id}/keys/{key_id}`, `GET /v1/keys/{key_id}`

use super::ApiKey;
use crate::{
    Context,
    api::{
        extract::{AsInstallationReader, AsReader, Caller, PathIds},
        respond::{Answer, ok},
    },
    ids::{KeyId, PartnerId},
    storage::api_keys::Owner,
    usecases::api_keys,
};
use actix_web::{get, web::Data};

/// Get an API key of a partner.
///
/// Its prefix, role, scopes, expiry and last use; the key itself was shown once.
#[utoipa::path(
    operation_id = "getPartnerKey", tag = "partners",
    params(("partner_id" = PartnerId, Path, description = "The partner"), ("key_id" = KeyId, Path, description = "The key")),
    responses((status = 200, description = "The key, without its secret", body = ApiKey))
)]
#[get("/v1/partners/{partner_id}/keys/{key_id}")]
pub(crate) async fn get_key(
    caller: Caller<AsReader>,
    context: Data<Context>,
    ids: PathIds<(PartnerId, KeyId)>,
) -> Answer {
    let (partner_id, id) = ids.0;
    let key = api_keys::get(&context, &caller.request, Owner::Partner(partner_id), id).await?;
    Ok(ok(&ApiKey::from(key)))
}

/// Get an API key of an operator or auditor.
///
/// For operators and auditors.
#[utoipa::path(
    operation_id = "getKey", tag = "keys",
    params(("key_id" = KeyId, Path, description = "The key")),
    responses((status = 200, description = "The key, without its secret", body = ApiKey))
)]
#[get("/v1/keys/{key_id}")]
pub(crate) async fn get_installation_key(
    caller: Caller<AsInstallationReader>,
    context: Data<Context>,
    id: PathIds<KeyId>,
) -> Answer {
    let key = api_keys::get(&context, &caller.request, Owner::Installation, id.0).await?;
    Ok(ok(&ApiKey::from(key)))
}
