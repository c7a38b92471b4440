//! A pilot step-up: an administrator steps up once with one method, so that what the provider returns is learned.
//!
//! It takes one answer, for a few minutes. Only a hash of its `state` is kept: nonce and PKCE verifier are derived
//! from the `state`, which comes back with the answer, and a key of the tenant, so that neither the database nor the
//! authorize URL alone gives them away.

use super::blockid::BlockIdConnection;
use crate::{
    Error, Result,
    error::{Code, FieldError},
    ids::{PartnerId, PilotId, TenantId},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use step_up::settings::ObservedMethod;
use subtle::ConstantTimeEq as _;

/// How long a pilot takes an answer.
pub const OPEN_FOR: TimeDelta = TimeDelta::minutes(10);
/// Longest authorization code, bytes.
pub const CODE_MAX_BYTES: usize = 4096;
/// Longest `state`, bytes; ours has 43.
pub const STATE_MAX_BYTES: usize = 512;

/// How a pilot ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PilotOutcome {
    /// The method is in the tenant's map.
    Learned(ObservedMethod),
    /// Nothing was learned.
    Refused(PilotRefusal),
}

/// Why nothing was learned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PilotRefusal {
    /// A reason code of the triggers, or `method_not_told`, `connection_changed`, `method_unknown`, `function_unavailable`.
    #[schema(example = "code_rejected")]
    pub reason: String,
    /// For people.
    pub message: String,
}

/// A pilot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pilot {
    /// Its id.
    pub id: PilotId,
    /// Tenant whose provider is asked.
    pub tenant_id: TenantId,
    /// Whose it is.
    pub partner_id: PartnerId,
    /// ACR value of the method.
    pub method: String,
    /// SHA-256 of its `state`.
    pub state_hash: Vec<u8>,
    /// Whether its authorize URL carries a PKCE challenge.
    pub pkce: bool,
    /// Connection that it was begun under.
    pub connection: BlockIdConnection,
    /// When it was begun.
    pub created_at: DateTime<Utc>,
    /// When it takes no answer any more.
    pub expires_at: DateTime<Utc>,
    /// When it took its answer.
    pub taken_at: Option<DateTime<Utc>>,
    /// How it ended.
    pub outcome: Option<PilotOutcome>,
}

impl Pilot {
    /// Where it is in its life, for callers.
    pub fn state_at(&self, now: DateTime<Utc>) -> &'static str {
        match (&self.outcome, self.taken_at) {
            (Some(PilotOutcome::Learned(_)), _) => "learned",
            (Some(PilotOutcome::Refused(_)), _) => "refused",
            (None, Some(_)) => "exchanging",
            (None, None) if now >= self.expires_at => "expired",
            (None, None) => "open",
        }
    }

    /// Refuses unless it may take an answer with this `state` now.
    pub fn require_open(&self, state: &str, now: DateTime<Utc>) -> Result<()> {
        if self.state_at(now) != "open" {
            let detail = match self.state_at(now) {
                "expired" => "The pilot has expired; begin another.",
                _ => "The pilot has taken its answer; begin another.",
            };
            return Err(Error::new(Code::PilotClosed, detail));
        }
        if bool::from(hash_of(state).ct_eq(&self.state_hash)) {
            Ok(())
        } else {
            Err(Error::invalid(vec![FieldError::new(
                "/state",
                "mismatch",
                "is not the `state` of this pilot's authorize URL",
            )]))
        }
    }
}

/// What is kept of a `state`.
pub fn hash_of(state: &str) -> Vec<u8> {
    Sha256::digest(state.as_bytes()).to_vec()
}

/// What ties an answer to its pilot beside the `state`. Not printable.
pub struct PilotSecrets {
    /// OIDC `nonce`.
    pub nonce: String,
    /// PKCE verifier.
    pub pkce_verifier: String,
}

impl PilotSecrets {
    /// Those of a pilot with this `state`, under the tenant's key.
    pub fn derive(tenant_key: &[u8], id: PilotId, state: &str) -> Result<Self> {
        let value = |purpose: &str| -> Result<String> {
            let mut mac = Hmac::<Sha256>::new_from_slice(tenant_key).map_err(Error::internal)?;
            mac.update(format!("stepgate pilot {purpose}\0{id}\0{state}").as_bytes());
            Ok(BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
        };
        Ok(Self {
            nonce: value("nonce")?,
            pkce_verifier: value("pkce verifier")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::IdSource;

    fn pilot(ids: &IdSource, now: DateTime<Utc>) -> Pilot {
        Pilot {
            id: PilotId::generate(ids, now),
            tenant_id: TenantId::generate(ids, now),
            partner_id: PartnerId::generate(ids, now),
            method: "otp".into(),
            state_hash: hash_of("right"),
            pkce: true,
            connection: BlockIdConnection {
                tenant_dns: "a.example".into(),
                community: "default".into(),
                client_id: "x".into(),
                extra_ca_pem: None,
            },
            created_at: now,
            expires_at: now + OPEN_FOR,
            taken_at: None,
            outcome: None,
        }
    }

    #[test]
    fn one_answer_with_its_own_state_in_time() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let open = pilot(&IdSource::seeded(1), now);
        open.require_open("right", now).unwrap();
        let wrong = open.require_open("wrong", now).unwrap_err();
        assert_eq!(wrong.fields()[0].pointer, "/state");
        let last = now + OPEN_FOR - TimeDelta::seconds(1);
        open.require_open("right", last).unwrap();
        let late = open.require_open("right", now + OPEN_FOR).unwrap_err();
        assert_eq!(late.code(), Code::PilotClosed);
        let taken = Pilot {
            taken_at: Some(now),
            ..open
        };
        assert_eq!(
            taken.require_open("right", now).unwrap_err().code(),
            Code::PilotClosed
        );
        assert_eq!(taken.state_at(now + OPEN_FOR), "exchanging");
    }

    #[test]
    fn secrets_depend_on_key_pilot_and_state_and_differ_from_each_other() {
        let (ids, now) = (IdSource::seeded(1), DateTime::from_timestamp(0, 0).unwrap());
        let (one, other) = (PilotId::generate(&ids, now), PilotId::generate(&ids, now));
        let all = [
            (&[1; 32], one, "a"),
            (&[2; 32], one, "a"),
            (&[1; 32], other, "a"),
            (&[1; 32], one, "b"),
        ];
        let mut seen = std::collections::BTreeSet::new();
        for (key, id, state) in all {
            let secrets = PilotSecrets::derive(key, id, state).unwrap();
            // RFC 7636, section 4.1: 43 to 128 characters.
            assert_eq!(secrets.pkce_verifier.len(), 43);
            seen.insert(secrets.nonce);
            seen.insert(secrets.pkce_verifier);
        }
        assert_eq!(seen.len(), 8);
    }
}
