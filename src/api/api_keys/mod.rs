//! API keys: of partners under `/v1/partners/{partner_id}/keys`, of operators and auditors under `/v1/keys`.
//!
//! Both have the same verbs; each file holds the pair.

pub mod create;
pub mod get;
pub mod list;
pub mod revoke;
pub mod rotate;

use crate::{
    domain::{
        actor::{Grants, KeyScope, Role},
        api_key,
    },
    ids::{KeyId, PartnerId},
    usecases::api_keys::NewKey,
};
use chrono::{DateTime, Utc};
use serde::Serialize;

/// An API key, without its secret.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ApiKey {
    /// Its id.
    pub id: KeyId,
    /// Partner it belongs to; `null` for operators and auditors.
    pub partner_id: Option<PartnerId>,
    /// Name for people.
    #[schema(example = "portal")]
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// What of its role it may use; `null` is everything.
    pub scopes: Option<Vec<KeyScope>>,
    /// Visible part, by which the key can be told from others.
    #[schema(example = "k3m5p7r9t2v4")]
    pub prefix: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// From when on it does not work.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// Key that took its place.
    pub replaced_by: Option<KeyId>,
}

impl From<api_key::ApiKey> for ApiKey {
    fn from(key: api_key::ApiKey) -> Self {
        Self {
            id: key.id,
            partner_id: key.partner_id,
            name: key.name,
            role: key.role,
            scopes: match key.grants {
                Grants::All => None,
                Grants::Only(scopes) => Some(scopes),
            },
            prefix: key.prefix,
            created_at: key.created_at,
            expires_at: key.expires_at,
            revoked_at: key.revoked_at,
            last_used_at: key.last_used_at,
            replaced_by: key.replaced_by,
        }
    }
}

/// A key that was just made.
#[derive(Serialize, utoipa::ToSchema)]
pub struct CreatedApiKey {
    #[serde(flatten)]
    about: ApiKey,
    /// The whole key. Shown this once: `null` when the request is repeated under its `Idempotency-Key`.
    #[schema(example = "sgk_k3m5p7r9t2v4_…")]
    key: Option<String>,
    /// `secret_already_shown` when `key` is `null`.
    code: Option<&'static str>,
}

impl CreatedApiKey {
    fn shown(new: &NewKey) -> Self {
        Self {
            about: ApiKey::from(new.key.clone()),
            key: Some(new.presented.reveal().to_owned()),
            code: None,
        }
    }

    fn repeated(new: &NewKey) -> Self {
        Self {
            about: ApiKey::from(new.key.clone()),
            key: None,
            code: Some("secret_already_shown"),
        }
    }
}
