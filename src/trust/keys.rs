//! An issuer's keys: fetched when first needed, cached, fetched again when a token names an unknown one.
//!
//! Anybody can send tokens with invented key ids, so an unknown key costs at most one fetch per [`MIN_FETCH_INTERVAL_S`],
//! whatever arrives. One fetch at a time; requests meanwhile wait for it.

use super::{discovery::Metadata, token::TokenError};
use blockid::{HttpClient, fetch_jwks};
use chrono::{DateTime, Utc};
use openidconnect::{
    JsonWebKey as _,
    core::{CoreJsonWebKey, CoreJsonWebKeySet},
};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};
use tokio::sync::Mutex;

/// After this a set is fetched again, so that a withdrawn key goes away, s.
const REFRESH_AFTER_S: i64 = 3600;
/// For this long a set is used although fetching it again fails, s.
const MAX_STALE_S: i64 = 24 * 3600;
/// Least time between two fetches, also failed ones, s.
pub const MIN_FETCH_INTERVAL_S: i64 = 30;
/// How long a fetch may take, discovery included.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// The cached keys of one issuer.
#[derive(Debug)]
pub struct KeyCache {
    client: HttpClient,
    issuer: String,
    jwks_url: Option<String>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    keys: HashMap<String, CoreJsonWebKey>,
    fetched_at_s: Option<i64>,
    tried_at_s: Option<i64>,
}

impl KeyCache {
    /// An empty cache; the first token fills it.
    pub(super) fn new(client: HttpClient, issuer: String, jwks_url: Option<String>) -> Self {
        Self {
            client,
            issuer,
            jwks_url,
            state: Mutex::default(),
        }
    }

    /// The key that a token names.
    pub(super) async fn key(&self, id: &str, now: DateTime<Utc>) -> Result<CoreJsonWebKey, TokenError> {
        let now_s = now.timestamp();
        let mut state = self.state.lock().await;
        let age_s = state.fetched_at_s.map(|at| now_s.saturating_sub(at));
        let fresh = age_s.is_some_and(|age_s| age_s < REFRESH_AFTER_S);
        let recently = state
            .tried_at_s
            .is_some_and(|at| (0..MIN_FETCH_INTERVAL_S).contains(&now_s.saturating_sub(at)));
        let known = fresh && state.keys.contains_key(id);
        if !known && !recently {
            state.tried_at_s = Some(now_s);
            match self.fetch().await {
                Ok(keys) => {
                    state.keys = keys;
                    state.fetched_at_s = Some(now_s);
                }
                Err(error) => {
                    tracing::warn!(issuer = self.issuer, error = %format!("{error:#}"), "an issuer's keys cannot be fetched");
                }
            }
        }
        let usable = state
            .fetched_at_s
            .is_some_and(|at| now_s.saturating_sub(at) <= MAX_STALE_S);
        if !usable {
            return Err(TokenError::KeysUnavailable);
        }
        state.keys.get(id).cloned().ok_or(TokenError::UnknownKey)
    }

    async fn fetch(&self) -> anyhow::Result<HashMap<String, CoreJsonWebKey>> {
        let deadline = Instant::now() + FETCH_TIMEOUT;
        let url = if let Some(url) = &self.jwks_url {
            url.clone()
        } else {
            let metadata = Metadata::read(&self.client, &self.issuer, deadline).await?;
            metadata.text("jwks_uri")?.to_owned()
        };
        let set = fetch_jwks(&self.client, &url, deadline).await?;
        let set: CoreJsonWebKeySet = serde_json::from_value(set)?;
        let named = set
            .keys()
            .iter()
            .filter_map(|key| Some((key.key_id()?.as_str().to_owned(), key.clone())));
        Ok(named.collect())
    }
}
