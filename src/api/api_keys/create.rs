//! `POST /v1/partners/{partner_id}/keys`

use crate::{
    Context,
    api::{
        extract::{AsOperator, Body, Caller, PathIds, RequestBody},
        respond::{Answer, created},
    },
    domain::{actor::Role, object::objects_only},
    ids::{KeyId, PartnerId},
    usecases::{self, api_keys::NewKey},
};
use actix_web::{post, web::Data};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A new key.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
#[schema(example = json!({"name": "portal", "role": "partner_admin"}))]
pub struct NewApiKey {
    /// Name for people.
    #[schema(min_length = 1, max_length = 128)]
    pub name: String,
    /// `partner_admin` or `partner_reader`.
    pub role: Role,
}

objects_only!(NewApiKey);

impl RequestBody for NewApiKey {}

/// A key that was just made.
#[derive(Serialize, utoipa::ToSchema)]
pub struct CreatedApiKey {
    id: KeyId,
    partner_id: Option<PartnerId>,
    name: String,
    role: Role,
    /// Visible part, by which the key can be told from others.
    #[schema(example = "k3m5p7r9t2v4")]
    prefix: String,
    /// The whole key. Shown this once.
    #[schema(example = "sgk_k3m5p7r9t2v4_…")]
    key: String,
    created_at: DateTime<Utc>,
}

impl From<NewKey> for CreatedApiKey {
    fn from(NewKey { key, presented }: NewKey) -> Self {
        Self {
            id: key.id,
            partner_id: key.partner_id,
            name: key.name,
            role: key.role,
            prefix: key.prefix,
            key: presented.reveal().to_owned(),
            created_at: key.created_at,
        }
    }
}

/// Make an API key for a partner.
///
/// For operators. The key is shown this once; the service keeps its hash.
#[utoipa::path(
    operation_id = "createPartnerKey", tag = "partners",
    params(("partner_id" = PartnerId, Path, description = "The partner")),
    request_body = NewApiKey,
    responses((status = 201, description = "The key", body = CreatedApiKey))
)]
#[post("/v1/partners/{partner_id}/keys")]
pub(crate) async fn create_key(
    caller: Caller<AsOperator>,
    context: Data<Context>,
    partner_id: PathIds<PartnerId>,
    body: Body<NewApiKey>,
) -> Answer {
    let Body(NewApiKey { name, role }) = body;
    let new = usecases::api_keys::create(&context, &caller.request, partner_id.0, name, role).await?;
    Ok(created(&CreatedApiKey::from(new)))
}
