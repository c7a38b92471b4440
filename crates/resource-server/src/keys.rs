//! The pool's keys (RFC 7517): fetched when first needed, cached, fetched again when a token names an
//! unknown one.
//!
//! Anybody can send tokens with invented key ids, so fetching again is limited in rate: an unknown key
//! costs at most one fetch per [`KeyCacheLimits::min_fetch_interval_s`], whatever arrives.

use crate::clock::Clock;
use crate::token::TokenError;
use async_trait::async_trait;
use openidconnect::core::{CoreJsonWebKey, CoreJsonWebKeySet, CoreJsonWebKeyType};
use openidconnect::{JsonWebKey as _, JsonWebKeyUse};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// Most that is read of a key set.
const MAX_KEY_SET_BYTES: usize = 64 * 1024;

/// The key set could not be had.
#[derive(Debug, Clone, thiserror::Error)]
#[error("key set not available: {0}")]
pub struct KeySourceError(pub String);

/// Where a key set comes from.
#[async_trait]
pub trait KeySource: Send + Sync {
    /// The key set as JSON text.
    async fn fetch(&self) -> Result<Vec<u8>, KeySourceError>;
}

/// A key set behind a URL.
#[derive(Debug, Clone)]
pub struct HttpKeySource {
    client: reqwest::Client,
    url: String,
}

impl HttpKeySource {
    /// Fetches `url` with a client that follows no redirect and gives up after 3 s.
    ///
    /// A rustls crypto provider must be installed in the process before, in `main`.
    pub fn new(url: impl Into<String>) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(3))
            .build()?;
        Ok(Self {
            client,
            url: url.into(),
        })
    }
}

#[async_trait]
impl KeySource for HttpKeySource {
    async fn fetch(&self) -> Result<Vec<u8>, KeySourceError> {
        let failed = |error: reqwest::Error| KeySourceError(error.without_url().to_string());
        let mut answer = self.client.get(&self.url).send().await.map_err(failed)?;
        if answer.status() != reqwest::StatusCode::OK {
            return Err(KeySourceError(format!("status {}", answer.status().as_u16())));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > MAX_KEY_SET_BYTES {
                return Err(KeySourceError(format!("more than {MAX_KEY_SET_BYTES} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// How long keys are believed and how often they are asked for, all in seconds.
#[derive(Debug, Clone, Copy)]
pub struct KeyCacheLimits {
    /// After this the set is fetched again, so that a withdrawn key goes away.
    pub refresh_after_s: i64,
    /// For this long a set is used although fetching again fails.
    pub max_stale_s: i64,
    /// Least time between two fetches, also failed ones.
    pub min_fetch_interval_s: i64,
}

impl Default for KeyCacheLimits {
    fn default() -> Self {
        Self {
            refresh_after_s: 3_600,
            max_stale_s: 24 * 3_600,
            min_fetch_interval_s: 30,
        }
    }
}

/// Why there is no key for a token.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum KeyError {
    #[error(transparent)]
    Token(TokenError),
    #[error("the pool's keys are not available")]
    Unavailable,
}

/// The cached key set of one pool.
pub struct KeyCache {
    source: Box<dyn KeySource>,
    limits: KeyCacheLimits,
    clock: Arc<dyn Clock>,
    state: RwLock<State>,
    /// Held while fetching, so that many tokens with an unknown key wait for one fetch.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    keys: HashMap<String, CoreJsonWebKey>,
    fetched_at_unix_s: Option<i64>,
    tried_at_unix_s: Option<i64>,
}

enum Lookup {
    Fresh(CoreJsonWebKey),
    /// Known, but the set is due for a refresh.
    Due(CoreJsonWebKey),
    Unknown,
    NoKeys,
}

impl std::fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyCache")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl KeyCache {
    /// An empty cache; the first token fills it.
    pub fn new(source: impl KeySource + 'static, limits: KeyCacheLimits, clock: Arc<dyn Clock>) -> Self {
        Self {
            source: Box::new(source),
            limits,
            clock,
            state: RwLock::default(),
            fetching: tokio::sync::Mutex::new(()),
        }
    }

    /// The key that a token names, fetching the set if it must and may.
    pub(crate) async fn key(&self, key_id: &str) -> Result<CoreJsonWebKey, KeyError> {
        let _fetching = match self.look_up(key_id) {
            Lookup::Fresh(key) => return Ok(key),
            // Somebody refreshes already: the key at hand is good enough meanwhile.
            Lookup::Due(key) => match self.fetching.try_lock() {
                Ok(guard) => guard,
                Err(_) => return Ok(key),
            },
            Lookup::Unknown | Lookup::NoKeys => self.fetching.lock().await,
        };
        if let Lookup::Fresh(key) = self.look_up(key_id) {
            return Ok(key); // fetched by whoever held the lock before
        }
        if self.may_fetch() {
            self.fetch().await;
        }
        match self.look_up(key_id) {
            Lookup::Fresh(key) | Lookup::Due(key) => Ok(key),
            Lookup::Unknown => Err(KeyError::Token(TokenError::UnknownKey)),
            Lookup::NoKeys => Err(KeyError::Unavailable),
        }
    }

    fn look_up(&self, key_id: &str) -> Lookup {
        let now_unix_s = self.clock.now_unix_s();
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let Some(fetched_at_unix_s) = state.fetched_at_unix_s else {
            return Lookup::NoKeys;
        };
        let age_s = now_unix_s.saturating_sub(fetched_at_unix_s);
        if age_s > self.limits.max_stale_s {
            return Lookup::NoKeys;
        }
        match state.keys.get(key_id) {
            Some(key) if age_s < self.limits.refresh_after_s => Lookup::Fresh(key.clone()),
            Some(key) => Lookup::Due(key.clone()),
            None => Lookup::Unknown,
        }
    }

    /// Whether the last try is long enough ago; if so, this counts as the next one.
    fn may_fetch(&self) -> bool {
        let now_unix_s = self.clock.now_unix_s();
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let too_soon = state.tried_at_unix_s.is_some_and(|tried_at_unix_s| {
            let since_s = now_unix_s.saturating_sub(tried_at_unix_s);
            (0..self.limits.min_fetch_interval_s).contains(&since_s)
        });
        if !too_soon {
            state.tried_at_unix_s = Some(now_unix_s);
        }
        !too_soon
    }

    async fn fetch(&self) {
        let fetched = match self.source.fetch().await {
            Ok(text) => serde_json::from_slice::<CoreJsonWebKeySet>(&text)
                .map_err(|error| KeySourceError(error.to_string())),
            Err(error) => Err(error),
        };
        match fetched {
            Ok(set) => {
                let now_unix_s = self.clock.now_unix_s();
                let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
                state.keys = set.keys().iter().filter_map(usable).collect();
                state.fetched_at_unix_s = Some(now_unix_s);
            }
            Err(error) => tracing::warn!(%error, "the pool's key set could not be fetched"),
        }
    }
}

/// RSA keys for signatures, by id.
fn usable(key: &CoreJsonWebKey) -> Option<(String, CoreJsonWebKey)> {
    let signs = key.key_use().is_none_or(JsonWebKeyUse::allows_signature);
    let usable = signs && *key.key_type() == CoreJsonWebKeyType::RSA;
    let id = key.key_id().filter(|_| usable)?;
    Some((id.as_str().to_owned(), key.clone()))
}
