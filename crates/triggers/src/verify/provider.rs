//! BlockID as *verify* needs it.

use async_trait::async_trait;
use blockid::http::HttpError;
use blockid::{
    ClientCredentials, EgressPolicy, ExchangeError, HttpClient, JwksError, Probe, exchange_code, fetch_jwks,
    probe_client,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use step_up::settings::{Credentials, ProviderMetadata, TenantSettings};

/// How long after fetching a key set an unknown key does not make it be fetched again, ms: whoever can make
/// tokens with made-up key ids must not make us a burden to the provider.
const REFETCH_PAUSE_MS: i64 = 60_000;

/// A tenant's provider.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Exchanges a code for an id_token.
    async fn exchange(
        &self,
        settings: &TenantSettings,
        provider: &ProviderMetadata,
        credentials: &Credentials,
        code: &SecretString,
        pkce_verifier: Option<&str>,
        deadline: Instant,
    ) -> Result<SecretString, ExchangeError>;

    /// Fetches the key set.
    async fn keys(
        &self,
        settings: &TenantSettings,
        provider: &ProviderMetadata,
        deadline: Instant,
    ) -> Result<Value, JwksError>;

    /// Tries credentials out with a code that cannot exist.
    async fn probe(
        &self,
        settings: &TenantSettings,
        provider: &ProviderMetadata,
        credentials: &Credentials,
        deadline: Instant,
    ) -> Probe;
}

/// The real one. Keeps one connection pool warm for as long as the settings allow the same addresses.
pub struct BlockId {
    /// From the process environment, never from settings: what the control plane writes cannot turn TLS off.
    insecure_loopback: bool,
    client: Mutex<Option<HttpClient>>,
}

impl BlockId {
    /// A client without connections.
    pub fn new(insecure_loopback: bool) -> Self {
        Self {
            insecure_loopback,
            client: Mutex::new(None),
        }
    }

    fn client(&self, settings: &TenantSettings) -> Result<HttpClient, HttpError> {
        let policy = EgressPolicy::from_settings(settings, self.insecure_loopback)
            .map_err(|_| HttpError::AddressRefused)?;
        let mut held = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = held.as_ref().filter(|client| *client.policy() == policy) {
            return Ok(client.clone());
        }
        let client = HttpClient::new(policy).map_err(|_| HttpError::TlsFailed)?;
        *held = Some(client.clone());
        Ok(client)
    }
}

#[async_trait]
impl Provider for BlockId {
    async fn exchange(
        &self,
        settings: &TenantSettings,
        provider: &ProviderMetadata,
        credentials: &Credentials,
        code: &SecretString,
        pkce_verifier: Option<&str>,
        deadline: Instant,
    ) -> Result<SecretString, ExchangeError> {
        let client = self.client(settings)?;
        let credentials = ClientCredentials::from(credentials.clone());
        let code = code.expose_secret();
        let tokens = exchange_code(&client, provider, &credentials, code, pkce_verifier, deadline).await?;
        Ok(tokens.id_token)
    }

    async fn keys(
        &self,
        settings: &TenantSettings,
        provider: &ProviderMetadata,
        deadline: Instant,
    ) -> Result<Value, JwksError> {
        fetch_jwks(&self.client(settings)?, &provider.jwks_uri, deadline).await
    }

    async fn probe(
        &self,
        settings: &TenantSettings,
        provider: &ProviderMetadata,
        credentials: &Credentials,
        deadline: Instant,
    ) -> Probe {
        match self.client(settings) {
            Ok(client) => {
                probe_client(
                    &client,
                    provider,
                    &ClientCredentials::from(credentials.clone()),
                    deadline,
                )
                .await
            }
            Err(error) => Probe::Inconclusive(error.into()),
        }
    }
}

/// Key sets fetched since the settings were written.
#[derive(Default)]
pub struct KeySets(Mutex<Fetched>);

#[derive(Default)]
struct Fetched {
    last_try_ms: Option<i64>,
    /// `jwks_uri`, the set, and when it was fetched, s.
    held: Option<(String, Value, i64)>,
}

impl KeySets {
    /// The provider's metadata with the newest key set known.
    pub fn over<'a>(&self, provider: &'a ProviderMetadata) -> Cow<'a, ProviderMetadata> {
        let fetched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &fetched.held {
            Some((uri, jwks, at_s)) if *uri == provider.jwks_uri && *at_s >= provider.fetched_at_unix_s => {
                Cow::Owned(ProviderMetadata {
                    jwks: jwks.clone(),
                    ..provider.clone()
                })
            }
            _ => Cow::Borrowed(provider),
        }
    }

    /// Whether a key set may be fetched now; if so, that counts as a try.
    pub fn may_fetch(&self, now_ms: i64) -> bool {
        let mut fetched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let allowed = fetched
            .last_try_ms
            .is_none_or(|last| now_ms - last >= REFETCH_PAUSE_MS);
        if allowed {
            fetched.last_try_ms = Some(now_ms);
        }
        allowed
    }

    /// Keeps a key set.
    pub fn store(&self, provider: &ProviderMetadata, jwks: Value, now_ms: i64) {
        let mut fetched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        fetched.held = Some((provider.jwks_uri.clone(), jwks, now_ms.div_euclid(1_000)));
    }
}
