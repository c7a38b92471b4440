//! `POST /v1/partners/{partner_id}/keys/{key_id}:revoke`, `POST /v1/keys/{key_id}:revoke`

use super::ApiKey;
use crate::{
    Context,
    api::{
        extract::{AsAdministrator, AsOperator, Caller, PathIds},
        respond::{Answer, ok},
    },
    ids::{KeyId, PartnerId},
    storage::api_keys::Owner,
    usecases::api_keys,
};
use actix_web::{post, web::Data};

/// Revoke an API key of a partner.
///
/// For operators, and for the partner's administrators. It does not work from the next request on. Repeating it changes nothing.
#[utoipa::path(
    operation_id = "revokePartnerKey", tag = "partners",
    params(("partner_id" = PartnerId, Path, description = "The partner"), ("key_id" = KeyId, Path, description = "The key")),
    responses((status = 200, description = "The revoked key", body = ApiKey))
)]
#[post("/v1/partners/{partner_id}/keys/{key_id}:revoke")]
pub(crate) async fn revoke_key(
    caller: Caller<AsAdministrator>,
    context: Data<Context>,
    ids: PathIds<(PartnerId, KeyId)>,
) -> Answer {
    let (partner_id, id) = ids.0;
    let key = api_keys::revoke(&context, &caller.request, Owner::Partner(partner_id), id).await?;
    Ok(ok(&ApiKey::from(key)))
}

/// Revoke an API key of an operator or auditor.
///
/// For operators. When no operator key works any more, `stepgate keys bootstrap` makes one.
#[utoipa::path(
    operation_id = "revokeKey", tag = "keys",
    params(("key_id" = KeyId, Path, description = "The key")),
    responses((status = 200, description = "The revoked key", body = ApiKey))
)]
#[post("/v1/keys/{key_id}:revoke")]
pub(crate) async fn revoke_installation_key(
    caller: Caller<AsOperator>,
    context: Data<Context>,
    id: PathIds<KeyId>,
) -> Answer {
    let key = api_keys::revoke(&context, &caller.request, Owner::Installation, id.0).await?;
    Ok(ok(&ApiKey::from(key)))
}
