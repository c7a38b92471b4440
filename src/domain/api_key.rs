//! API keys: `sgk_{prefix}_{secret}`. The prefix is visible and finds the key, the secret is 256 random bits.

use super::actor::{Grants, Role};
use crate::ids::{IdSource, KeyId, PartnerId};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A key as stored: without the secret.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// Its id.
    pub id: KeyId,
    /// Whose it is; `None` for operators and auditors.
    pub partner_id: Option<PartnerId>,
    /// What its holder may do.
    pub role: Role,
    /// Name for people.
    pub name: String,
    /// What of its role it may use.
    pub grants: Grants,
    /// Visible part.
    pub prefix: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// From when on it does not work.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was withdrawn.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// Key that took its place.
    pub replaced_by: Option<KeyId>,
}

impl ApiKey {
    /// Whether it works.
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|expires_at| now < expires_at)
    }
}

/// SHA-256 of a whole key. A random 256-bit secret needs no slow hash.
#[derive(Clone, Copy)]
pub struct KeyHash(pub [u8; 32]);

impl KeyHash {
    /// Compares in constant time with a stored hash.
    pub fn matches(&self, stored: &[u8]) -> bool {
        self.0.ct_eq(stored).into()
    }
}

/// A key as presented or just made.
#[derive(Debug)]
pub struct PresentedKey {
    /// Visible part.
    pub prefix: String,
    whole: SecretString,
}

const PREFIX_CHARS: usize = 12;

impl PresentedKey {
    /// Makes a new key.
    pub fn generate(ids: &IdSource) -> Self {
        let prefix = ids.suffix(PREFIX_CHARS);
        let mut secret = [0_u8; 32];
        ids.fill(&mut secret);
        let whole = format!("sgk_{prefix}_{}", BASE64_URL_SAFE_NO_PAD.encode(secret)).into();
        Self { prefix, whole }
    }

    /// Reads a presented key; `None` when it does not have the form of one.
    pub fn parse(text: &str) -> Option<Self> {
        let (prefix, secret) = text.strip_prefix("sgk_")?.split_once('_')?;
        let plausible = prefix.len() == PREFIX_CHARS
            && prefix.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && secret.len() == 43;
        plausible.then(|| Self {
            prefix: prefix.to_owned(),
            whole: text.into(),
        })
    }

    /// The hash that is stored.
    pub fn hash(&self) -> KeyHash {
        KeyHash(Sha256::digest(self.whole.expose_secret()).into())
    }

    /// The whole key, to be shown once.
    pub fn reveal(&self) -> &str {
        self.whole.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_key_parses_and_only_it_matches_its_hash() {
        let ids = IdSource::seeded(3);
        let key = PresentedKey::generate(&ids);
        let hash = key.hash().0;
        let again = PresentedKey::parse(key.reveal()).unwrap();
        assert_eq!(again.prefix, key.prefix);
        assert!(again.hash().matches(&hash));
        assert!(!PresentedKey::generate(&ids).hash().matches(&hash));
        assert!(!again.hash().matches(&hash[..31]));
        for bad in [
            "",
            "sgk_",
            "sgk_abc_def",
            "Bearer x",
            &key.reveal()[1..],
            &format!("{}x", key.reveal()),
        ] {
            assert!(PresentedKey::parse(bad).is_none(), "{bad}");
        }
        assert!(
            !format!("{key:?}").contains(&key.reveal()[20..]),
            "a key must not be printable"
        );
    }
}
