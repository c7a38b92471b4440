//! Who remembers that a token was used.
//!
//! A token for an action is good for one call. The memory must be shared by everything that accepts
//! the same tokens: one process can use [`InMemoryUsedTokens`]; several need one store that decides in
//! one step, for example
//!
//! - SQL: `INSERT INTO used_tokens (fingerprint, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING`;
//!   one row inserted is [`Use::First`], none is [`Use::Again`];
//! - DynamoDB: `PutItem` with `ConditionExpression: attribute_not_exists(pk)` and the expiry as TTL
//!   attribute; a failed condition is [`Use::Again`]. An item that outlives its expiry does no harm.
//!
//! Never "look, then write": two calls at the same time would both find nothing.

use async_trait::async_trait;
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

/// Names a token without keeping it: SHA-256 of issuer, a zero byte, and `jti`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of the token `jti` of `issuer`.
    pub fn of(issuer: &str, jti: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(issuer.as_bytes());
        hash.update([0]);
        hash.update(jti.as_bytes());
        Self(hash.finalize().into())
    }

    /// Its 32 bytes, as a key for a store.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for byte in &self.0[..6] {
            write!(f, "{byte:02x}")?;
        }
        f.write_str("…")
    }
}

/// What a store says of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Never seen before, and now remembered.
    First,
    /// Seen before.
    Again,
}

/// The store could not decide; the call is refused.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the store of used tokens cannot decide: {0}")]
pub struct StoreError(pub String);

/// A memory of used tokens.
#[async_trait]
pub trait UsedTokens: Send + Sync {
    /// Remembers the token and tells whether this was its first use, in one step: of any number of
    /// calls at the same time exactly one gets [`Use::First`].
    ///
    /// The store may forget the token after `expires_at_unix_s`, when it is refused for its age.
    async fn consume(
        &self,
        token: Fingerprint,
        expires_at_unix_s: i64,
        now_unix_s: i64,
    ) -> Result<Use, StoreError>;
}

/// A memory in this process, of bounded size.
///
/// When it is full of tokens that are still alive it refuses further ones rather than forget one
/// that could then be used again. An entry takes about 150 bytes and lives as long as its token, so
/// 100,000 entries (15 MB) are enough for 110 actions per second with tokens of 15 minutes.
#[derive(Debug)]
pub struct InMemoryUsedTokens {
    capacity: usize,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    expiry_of: HashMap<Fingerprint, i64>,
    by_expiry: BTreeSet<(i64, Fingerprint)>,
}

impl Entries {
    fn forget_expired(&mut self, now_unix_s: i64) {
        while let Some(&(expires_at_unix_s, token)) = self.by_expiry.first() {
            if expires_at_unix_s > now_unix_s {
                break;
            }
            self.by_expiry.pop_first();
            self.expiry_of.remove(&token);
        }
    }
}

impl InMemoryUsedTokens {
    /// A memory of at most `capacity` live tokens.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            capacity,
            entries: Mutex::default(),
        }
    }

    /// How many tokens it holds.
    pub fn len(&self) -> usize {
        self.entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .expiry_of
            .len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[async_trait]
impl UsedTokens for InMemoryUsedTokens {
    async fn consume(
        &self,
        token: Fingerprint,
        expires_at_unix_s: i64,
        now_unix_s: i64,
    ) -> Result<Use, StoreError> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.forget_expired(now_unix_s);
        if entries.expiry_of.contains_key(&token) {
            return Ok(Use::Again);
        }
        if entries.expiry_of.len() >= self.capacity {
            return Err(StoreError(format!("{} live tokens, the capacity", self.capacity)));
        }
        entries.expiry_of.insert(token, expires_at_unix_s);
        entries.by_expiry.insert((expires_at_unix_s, token));
        Ok(Use::First)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000;

    async fn consume(
        store: &InMemoryUsedTokens,
        jti: &str,
        lives_s: i64,
        now: i64,
    ) -> Result<Use, StoreError> {
        store
            .consume(Fingerprint::of("https://issuer", jti), NOW + lives_s, now)
            .await
    }

    #[tokio::test]
    async fn a_token_is_first_once() {
        let store = InMemoryUsedTokens::with_capacity(10);
        assert_eq!(consume(&store, "a", 60, NOW).await.unwrap(), Use::First);
        assert_eq!(consume(&store, "a", 60, NOW + 59).await.unwrap(), Use::Again);
        assert_eq!(consume(&store, "b", 60, NOW).await.unwrap(), Use::First);
        let elsewhere = Fingerprint::of("https://other", "a");
        assert_eq!(store.consume(elsewhere, NOW + 60, NOW).await.unwrap(), Use::First);
    }

    #[tokio::test]
    async fn a_full_memory_refuses_and_forgets_only_the_expired() {
        let store = InMemoryUsedTokens::with_capacity(2);
        consume(&store, "short", 10, NOW).await.unwrap();
        consume(&store, "long", 60, NOW).await.unwrap();
        consume(&store, "third", 60, NOW + 9).await.unwrap_err();
        assert_eq!(consume(&store, "long", 60, NOW + 9).await.unwrap(), Use::Again);
        assert_eq!(consume(&store, "third", 60, NOW + 10).await.unwrap(), Use::First);
        assert_eq!(consume(&store, "long", 60, NOW + 10).await.unwrap(), Use::Again);
        assert_eq!(store.len(), 2);
    }

    #[tokio::test]
    async fn memory_stays_bounded_over_many_tokens() {
        let store = InMemoryUsedTokens::with_capacity(100);
        for i in 0..5_000 {
            let now = NOW + i;
            let token = Fingerprint::of("https://issuer", &i.to_string());
            assert_eq!(store.consume(token, now + 50, now).await.unwrap(), Use::First);
            assert!(store.len() <= 50);
        }
    }

    #[test]
    fn issuer_and_jti_do_not_run_together() {
        assert_ne!(Fingerprint::of("ab", "c"), Fingerprint::of("a", "bc"));
    }
}
