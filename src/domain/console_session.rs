//! A browser that is signed in to the console: what it holds, for how long that is good, and what its forms repeat.
//!
//! The browser holds random bytes and nothing else ([`BrowserSecret`]); the database holds their hash. Rights are those
//! of the issuer's file at the time of the sign-in, for [`LIFETIME`] at most.

use super::actor::{Actor, Grants, Identity, Role};
use crate::ids::{IdSource, PartnerId};
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use std::fmt;
use subtle::ConstantTimeEq;

/// After this long without a request a session is over.
pub const IDLE: TimeDelta = TimeDelta::minutes(30);
/// After this long a session is over whatever happened: rights are read again.
pub const LIFETIME: TimeDelta = TimeDelta::hours(8);
/// How exactly it is known when a session was last seen: writing that for every request would be a waste.
pub const SEEN_WITHIN: TimeDelta = TimeDelta::minutes(1);
/// How long a link of the demonstration may wait to be opened.
pub const LINK_LIFETIME: TimeDelta = TimeDelta::minutes(30);
/// Issuer of whoever came by a link of the demonstration; no issuer's name in the configuration can be it.
pub const DEMO_ISSUER: &str = "demo.link";

/// 32 random bytes that only one browser holds. Cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct BrowserSecret([u8; 32]);

impl fmt::Debug for BrowserSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BrowserSecret(…)")
    }
}

impl BrowserSecret {
    /// A new one.
    pub fn generate(ids: &IdSource) -> Self {
        let mut bytes = [0; 32];
        ids.fill(&mut bytes);
        Self(bytes)
    }

    /// Reads what a browser sent; `None` when it does not have the form.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }

    /// As the browser is given it.
    pub fn reveal(&self) -> String {
        hex::encode(self.0)
    }

    /// By what the database knows it.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }

    /// A value for one purpose that only who holds the secret can make; it tells nothing about the secret.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        // Any length of key is taken.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else {
            return [0; 32];
        };
        mac.update(purpose.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// What every form of this session repeats, so that no other site can send one.
    pub fn form_token(&self) -> String {
        hex::encode(self.derive("console form"))
    }

    /// Whether a form repeats it.
    pub fn accepts_form(&self, given: &str) -> bool {
        self.form_token().as_bytes().ct_eq(given.as_bytes()).into()
    }
}

/// A session, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleSession {
    /// Name of the issuer in the configuration, or [`DEMO_ISSUER`].
    pub issuer: String,
    /// `sub` at the issuer.
    pub subject: String,
    /// What whoever signed in may do.
    pub role: Role,
    /// Whose they are; `None` for operators and auditors.
    pub partner_id: Option<PartnerId>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last seen, right to [`SEEN_WITHIN`].
    pub last_seen_at: DateTime<Utc>,
    /// When it is over at the latest.
    pub expires_at: DateTime<Utc>,
}

impl ConsoleSession {
    /// A session of a subject that has just signed in; `None` for callers that are known by something else.
    pub fn begin(actor: &Actor, now: DateTime<Utc>) -> Option<Self> {
        let Identity::Subject { issuer, subject } = &actor.identity else {
            return None;
        };
        Some(Self {
            issuer: issuer.clone(),
            subject: subject.clone(),
            role: actor.role,
            partner_id: actor.partner_id,
            created_at: now,
            last_seen_at: now,
            expires_at: now + LIFETIME,
        })
    }

    /// Whether it is good at this time.
    pub fn is_alive(&self, now: DateTime<Utc>) -> bool {
        now < self.expires_at && now < self.last_seen_at + IDLE
    }

    /// Whether it is to be written down that it was seen.
    pub fn is_to_be_noted(&self, now: DateTime<Utc>) -> bool {
        now >= self.last_seen_at + SEEN_WITHIN
    }

    /// Who uses it.
    pub fn actor(&self) -> Actor {
        Actor {
            identity: Identity::Subject {
                issuer: self.issuer.clone(),
                subject: self.subject.clone(),
            },
            role: self.role,
            partner_id: self.partner_id,
            grants: Grants::All,
        }
    }
}

/// Whoever opens a link of the demonstration.
pub fn demo_operator() -> Actor {
    Actor {
        identity: Identity::Subject {
            issuer: DEMO_ISSUER.to_owned(),
            subject: "operator".to_owned(),
        },
        role: Role::Operator,
        partner_id: None,
        grants: Grants::All,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_reads_back_is_not_printable_and_only_it_accepts_its_forms() {
        let ids = IdSource::seeded(1);
        let secret = BrowserSecret::generate(&ids);
        let again = BrowserSecret::parse(&secret.reveal()).unwrap();
        assert_eq!(again.hash(), secret.hash());
        assert!(again.accepts_form(&secret.form_token()));
        let other = BrowserSecret::generate(&ids);
        assert!(!other.accepts_form(&secret.form_token()) && !secret.accepts_form(""));
        assert!(!secret.accepts_form(&secret.reveal()));
        assert_ne!(secret.derive("state"), secret.derive("nonce"));
        assert!(!format!("{secret:?}").contains(&secret.reveal()[..8]));
        for bad in [
            "",
            "00",
            &secret.reveal()[1..],
            &secret.reveal().replace(|_| true, "z"),
        ] {
            assert!(BrowserSecret::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_session_ends_idle_and_ends_anyway() {
        let now = DateTime::from_timestamp(1_767_607_200, 0).unwrap();
        let mut session = ConsoleSession::begin(&demo_operator(), now).unwrap();
        assert!(session.is_alive(now + TimeDelta::minutes(29)));
        assert!(!session.is_alive(now + IDLE));
        assert!(!session.is_to_be_noted(now + TimeDelta::seconds(59)));
        assert!(session.is_to_be_noted(now + SEEN_WITHIN));
        session.last_seen_at = now + LIFETIME - TimeDelta::minutes(1);
        assert!(session.is_alive(now + LIFETIME - TimeDelta::seconds(1)));
        assert!(!session.is_alive(now + LIFETIME));
        assert_eq!(session.actor().id(), "demo.link:operator");
    }
}
