//! The tenant settings: one JSON document in Secrets Manager, written by the worker, read by both triggers.
//!
//! It holds everything about a tenant's BlockID connection except the client secret, which is in a
//! secret of its own ([`Credentials`]) that only *verify* may read. Unknown fields are ignored on
//! reading, so that an older trigger survives a newer control plane.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Version of [`TenantSettings`] that this crate writes.
pub const SETTINGS_SCHEMA_VERSION: u32 = 1;

/// The document in the `settings` secret of a tenant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TenantSettings {
    /// [`SETTINGS_SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// Grows with every write; a warm function ignores a document with a lower one than it has.
    pub generation: i64,
    /// `tnt_…`
    pub tenant_id: String,
    /// The pool whose events the functions accept. `None` until the stack exists: then every event is refused.
    pub user_pool_id: Option<String>,
    /// A suspended tenant issues no tokens and opens no challenges.
    #[serde(default)]
    pub suspended: bool,
    /// How BlockID knows the tenant.
    pub connection: Connection,
    /// The provider's metadata as discovered by the control plane. `None` until discovery succeeded.
    pub provider: Option<ProviderMetadata>,
    /// Networks beside the public internet that may be connected to (CIDR, e.g. `127.0.0.1/32`); from the cell.
    #[serde(default)]
    pub allowed_provider_networks: Vec<String>,
    /// Further trust anchors for the provider's TLS certificate, PEM.
    #[serde(default)]
    pub extra_ca_pem: Option<String>,
    /// Key of the HMAC that hides user ids in events, base64 of 32 random bytes. Per tenant; hidden in `Debug`.
    pub event_hash_key: EventHashKey,
    /// Methods that this tenant has beside the shipped catalogue (for example its FIDO2 value).
    #[serde(default)]
    pub extra_methods: Vec<crate::assurance::Method>,
    /// What the provider returned per method in a recorded pilot step-up. Empty: not yet learned.
    #[serde(default)]
    pub observed_methods: BTreeMap<String, ObservedMethod>,
    /// What only the control plane needs of the tenant, kept here for the day on which its database is lost. Triggers
    /// do not look at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration: Option<Value>,
}

/// What names a tenant to BlockID.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Host name of the tenant at 1Kosmos, without scheme; a port only where the cell allows private providers.
    pub tenant_dns: String,
    /// Community name.
    pub community: String,
    /// OAuth client id.
    pub client_id: String,
}

/// OpenID provider metadata (OpenID Connect Discovery 1.0, section 3) and a snapshot of its keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProviderMetadata {
    /// `issuer`, compared exactly with the id_token's `iss`.
    pub issuer: String,
    /// `authorization_endpoint`
    pub authorization_endpoint: String,
    /// `token_endpoint`
    pub token_endpoint: String,
    /// `jwks_uri`
    pub jwks_uri: String,
    /// `https://{tenantDNS}/admin/{community}/post_stepup`: the page that posts `{code, state}` to the parent frame.
    pub redirect_uri: String,
    /// Algorithms accepted for the id_token: those of discovery without `none` and `HS*`.
    pub id_token_signing_algorithms: Vec<String>,
    /// Whether discovery offers PKCE with S256 (RFC 7636).
    pub pkce_s256: bool,
    /// JWK Set (RFC 7517) as fetched; refetched by *verify* when it meets an unknown key id.
    pub jwks: Value,
    /// When metadata and keys were fetched.
    pub fetched_at_unix_s: i64,
}

/// What the provider returned for one method.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedMethod {
    /// `acr` of the id_token, when there was one.
    pub acr: Option<String>,
    /// `amr` of the id_token.
    #[serde(default)]
    pub amr: Vec<String>,
    /// Whether the id_token carried `auth_time`.
    #[serde(default)]
    pub auth_time: bool,
    /// Whether the id_token carried the `nonce` that was sent. `None` in recordings that did not look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<bool>,
    /// Whether the code was exchanged with a PKCE verifier (RFC 7636). `None` in recordings that did not look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pkce: Option<bool>,
    /// When the pilot step-up was recorded.
    pub recorded_at_unix_s: i64,
}

/// The document in the `credentials` secret of a tenant. The client secret is not `Debug`.
#[derive(Clone, Serialize, Deserialize)]
pub struct Credentials {
    /// OAuth client id the secret belongs to; read together, so that a rotation of both is atomic.
    pub client_id: String,
    /// OAuth client secret, for HTTP Basic at the token endpoint.
    pub client_secret: String,
    /// The provider it was given by. It is sent to no other, whatever the settings say. `None` in documents
    /// that were written before there was this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_by: Option<ProviderPlace>,
}

/// What a client secret is bound to: it belongs to one community of one tenant at 1Kosmos.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderPlace {
    /// [`Connection::tenant_dns`]
    pub tenant_dns: String,
    /// [`Connection::community`]
    pub community: String,
}

impl Credentials {
    /// Whether these are the credentials of this connection. Settings and credentials are two documents and
    /// change one after the other: a pair that does not belong together is never used.
    pub fn fits(&self, connection: &Connection) -> bool {
        self.client_id == connection.client_id
            && self.issued_by.as_ref().is_none_or(|place| {
                place.tenant_dns == connection.tenant_dns && place.community == connection.community
            })
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("client_id", &self.client_id)
            .field("client_secret", &"…")
            .finish_non_exhaustive()
    }
}

/// Base64 of a per-tenant HMAC key; never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventHashKey(pub String);

impl std::fmt::Debug for EventHashKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EventHashKey(…)")
    }
}
