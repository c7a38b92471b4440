//! The pool's users and keys, as *verify* needs them.

use super::provider::KeySets;
use crate::outcome::SourceError;
use async_trait::async_trait;
use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::operation::get_user::GetUserError;
use blockid::{EgressPolicy, HttpClient, fetch_jwks};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// How long the pool's key set is kept, ms.
const POOL_KEYS_FOR_MS: i64 = 3_600_000;

/// What the pool says about users, and how it signs.
#[async_trait]
pub trait Users: Send + Sync {
    /// `sub` of the user whose access token this is; `None` when it is revoked or the user is disabled.
    async fn sub_of(&self, access_token: &SecretString) -> Result<Option<String>, SourceError>;

    /// When an account was made, s.
    async fn made_at_unix_s(&self, user_pool_id: &str, user_name: &str) -> Result<i64, SourceError>;

    /// The key set the pool signs with.
    async fn pool_keys(&self, user_pool_id: &str, deadline: Instant) -> Result<Value, SourceError>;
}

/// Cognito.
pub struct Cognito {
    client: Client,
    /// `AWS_ENDPOINT_URL`: where another AWS than the public one is.
    endpoint: Option<String>,
}

impl Cognito {
    /// Over a client, and the endpoint it was told to use.
    pub fn new(client: Client, endpoint: Option<String>) -> Self {
        Self { client, endpoint }
    }

    /// The pool's keys are read from the same place as its API. A private endpoint (of a VPC, of an
    /// emulator) is named by whoever runs the function, not by a customer: its address is not judged.
    fn keys_client(&self) -> Option<HttpClient> {
        let anywhere = ["0.0.0.0/0", "::/0"];
        let policy = match self.endpoint {
            Some(_) => EgressPolicy::new(&anywhere, true, None).ok()?,
            None => EgressPolicy::default(),
        };
        HttpClient::new(policy).ok()
    }
}

#[async_trait]
impl Users for Cognito {
    async fn sub_of(&self, access_token: &SecretString) -> Result<Option<String>, SourceError> {
        match self
            .client
            .get_user()
            .access_token(access_token.expose_secret())
            .send()
            .await
        {
            Ok(user) => Ok(user
                .user_attributes
                .into_iter()
                .find(|attribute| attribute.name == "sub")
                .and_then(|attribute| attribute.value)),
            Err(error) => match error.as_service_error() {
                Some(
                    GetUserError::NotAuthorizedException(_)
                    | GetUserError::UserNotFoundException(_)
                    | GetUserError::UserNotConfirmedException(_)
                    | GetUserError::PasswordResetRequiredException(_),
                ) => Ok(None),
                _ => Err(SourceError::aws(&error)),
            },
        }
    }

    async fn made_at_unix_s(&self, user_pool_id: &str, user_name: &str) -> Result<i64, SourceError> {
        let user = self
            .client
            .admin_get_user()
            .user_pool_id(user_pool_id)
            .username(user_name)
            .send()
            .await
            .map_err(|error| SourceError::aws(&error))?;
        let made_at = user
            .user_create_date
            .ok_or_else(|| SourceError::malformed("UserWithoutDate"))?;
        Ok(made_at.secs())
    }

    async fn pool_keys(&self, user_pool_id: &str, deadline: Instant) -> Result<Value, SourceError> {
        let region = region(user_pool_id);
        let base = match &self.endpoint {
            Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
            None => format!("https://cognito-idp.{region}.amazonaws.com"),
        };
        let client = self
            .keys_client()
            .ok_or_else(|| SourceError::malformed("NoTls"))?;
        fetch_jwks(
            &client,
            &format!("{base}/{user_pool_id}/.well-known/jwks.json"),
            deadline,
        )
        .await
        .map_err(|_| SourceError::malformed("PoolKeysNotReadable"))
    }
}

/// Region of a pool: `eu-central-1` of `eu-central-1_AbCdEf`.
fn region(user_pool_id: &str) -> &str {
    user_pool_id.split('_').next().unwrap_or_default()
}

/// `iss` of the pool's tokens.
pub fn issuer(user_pool_id: &str) -> String {
    format!(
        "https://cognito-idp.{}.amazonaws.com/{user_pool_id}",
        region(user_pool_id)
    )
}

/// The pool's key set, kept for an hour, and fetched again for an unknown key as rarely as a provider's.
#[derive(Default)]
pub struct PoolKeys {
    held: Mutex<Option<(String, Value, i64)>>,
    pause: KeySets,
}

impl PoolKeys {
    /// The key set at hand.
    pub fn held(&self, user_pool_id: &str, now_ms: i64) -> Option<Value> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let (pool, keys, at_ms) = held.as_ref()?;
        (pool == user_pool_id && (0..POOL_KEYS_FOR_MS).contains(&(now_ms - at_ms))).then(|| keys.clone())
    }

    /// Whether it may be fetched now.
    pub fn may_fetch(&self, now_ms: i64) -> bool {
        self.pause.may_fetch(now_ms)
    }

    /// Keeps a key set.
    pub fn store(&self, user_pool_id: &str, keys: Value, now_ms: i64) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((user_pool_id.to_owned(), keys, now_ms));
    }
}
