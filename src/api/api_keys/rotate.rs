//! `POST /v1/partners/{partner_id}/keys/{key_id}:rotate`, `POST /v1/keys/{key_id}:rotate`

use super::{ApiKey, CreatedApiKey};
use crate::{
    Context, Error,
    api::{
        extract::{
            AsAdministrator, AsOperator, Body, Caller, IdempotencyParams, PathIds, Repeatable, RequestBody,
        },
        respond::{Answer, Reply},
    },
    domain::object::objects_only,
    ids::{KeyId, PartnerId},
    storage::api_keys::Owner,
    usecases::api_keys::{self, Rotated},
};
use actix_web::{post, web::Data};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// How a key is rotated.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
#[schema(example = json!({"overlap_s": 3600}))]
pub struct Rotation {
    /// For how long the old key works on, s.
    #[schema(minimum = 0, maximum = 2_592_000, default = 86_400)]
    pub overlap_s: Option<u32>,
    /// From when on the new key does not work; by default never.
    pub expires_at: Option<DateTime<Utc>>,
}

objects_only!(Rotation);

impl RequestBody for Rotation {}

/// A key that took the place of another.
#[derive(Serialize, utoipa::ToSchema)]
pub struct RotatedApiKey {
    /// The new key.
    new: CreatedApiKey,
    /// The old one, which works until it expires.
    replaced: ApiKey,
}

fn reply(rotated: &Rotated) -> Result<Reply, Error> {
    let body = |new| RotatedApiKey {
        new,
        replaced: ApiKey::from(rotated.replaced.clone()),
    };
    Reply::created(&body(CreatedApiKey::shown(&rotated.new)))?
        .but_repeats_get(&body(CreatedApiKey::repeated(&rotated.new)))
}

/// Rotate an API key of a partner.
///
/// For operators, and for the partner's administrators. Makes a key of the same role, name and scopes, shown this once; the old one works on for the overlap.
#[utoipa::path(
    operation_id = "rotatePartnerKey", tag = "partners",
    params(("partner_id" = PartnerId, Path, description = "The partner"), ("key_id" = KeyId, Path, description = "The key"),
           IdempotencyParams),
    request_body = Rotation,
    responses((status = 201, description = "The new key and the old one", body = RotatedApiKey)),
    extensions(("x-problems" = json!(["key_state"])))
)]
#[post("/v1/partners/{partner_id}/keys/{key_id}:rotate")]
pub(crate) async fn rotate_key(
    caller: Caller<AsAdministrator>,
    context: Data<Context>,
    ids: PathIds<(PartnerId, KeyId)>,
    once: Repeatable,
    body: Body<Rotation>,
) -> Answer {
    let (request, (partner_id, id)) = (&caller.request, ids.0);
    let Rotation {
        overlap_s,
        expires_at,
    } = body.0;
    once.run(&context, request, reply, async |once| {
        let which = (Owner::Partner(partner_id), id);
        api_keys::rotate(&context, request, which, overlap_s, expires_at, once).await
    })
    .await
}

/// Rotate an API key of an operator or auditor.
///
/// For operators. Makes a key of the same role, name and scopes, shown this once; the old one works on for the overlap.
#[utoipa::path(
    operation_id = "rotateKey", tag = "keys",
    params(("key_id" = KeyId, Path, description = "The key"), IdempotencyParams),
    request_body = Rotation,
    responses((status = 201, description = "The new key and the old one", body = RotatedApiKey)),
    extensions(("x-problems" = json!(["key_state"])))
)]
#[post("/v1/keys/{key_id}:rotate")]
pub(crate) async fn rotate_installation_key(
    caller: Caller<AsOperator>,
    context: Data<Context>,
    id: PathIds<KeyId>,
    once: Repeatable,
    body: Body<Rotation>,
) -> Answer {
    let (
        request,
        Rotation {
            overlap_s,
            expires_at,
        },
    ) = (&caller.request, body.0);
    once.run(&context, request, reply, async |once| {
        let which = (Owner::Installation, id.0);
        api_keys::rotate(&context, request, which, overlap_s, expires_at, once).await
    })
    .await
}
