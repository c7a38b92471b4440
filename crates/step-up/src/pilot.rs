//! A pilot step-up: how a tenant's method map is learned, without anybody but *verify* seeing the client secret.
//!
//! The control plane makes an authorize URL for one method, an administrator steps up with it, and *verify* is
//! invoked directly with the code. It answers with what the provider said about the method and nothing else: no
//! token, no subject, no claim that names a person.

use crate::assurance::Method;
use crate::reason::Reason;
use crate::settings::ObservedMethod;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Member of the event by which *verify* knows a pilot. Cognito's events never carry it, and always name a
/// trigger source, which a pilot does not.
pub const PILOT_EVENT: &str = "stepgate_pilot";

/// What *verify* is asked: exchange this code and tell what the id_token says about the method. Not printable.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PilotRequest {
    /// Authorization code.
    pub code: String,
    /// `nonce` of the authorize URL.
    pub nonce: String,
    /// PKCE verifier, when the authorize URL carried its challenge.
    pub pkce_verifier: Option<String>,
    /// When the authorize URL was made; the id_token must not be older (60 s leeway).
    pub issued_at_unix_s: i64,
}

impl fmt::Debug for PilotRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PilotRequest(…)")
    }
}

/// What *verify* answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum PilotOutcome {
    /// The id_token is genuine; this is what it says.
    Told(ToldMethod),
    /// There is none that could be believed.
    Refused {
        /// Why.
        reason: Reason,
    },
}

/// What an id_token says about the method.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldMethod {
    /// `acr`, when there was one.
    pub acr: Option<String>,
    /// `amr`
    pub amr: Vec<String>,
    /// Whether there was an `auth_time`.
    pub auth_time: bool,
    /// Whether the nonce came back.
    pub nonce: bool,
    /// Whether a PKCE verifier went along with the code.
    pub pkce: bool,
}

/// Why an answer teaches nothing about a method.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unteachable {
    /// Neither `acr` nor `amr`, or nothing beyond a password.
    #[error(
        "the provider says nothing about a second factor, so a step-up with the method could never be recognised"
    )]
    Silent,
    /// Another method in so many words.
    #[error("the provider says that `{0}` was used")]
    AnotherMethod(String),
    /// Longer than anything that is kept.
    #[error("the provider says more about the method than is kept")]
    TooLong,
}

/// Most of `acr` and `amr` together that is kept of one method, bytes: the settings have room for every method.
const MAX_TOLD_BYTES: usize = 1024;
/// Most values of `amr` that are kept; *verify* looks at no more in a sign-in.
const MAX_TOLD_AMR: usize = 32;
/// Longest value that *verify* looks at in a sign-in.
const MAX_VALUE_BYTES: usize = 256;

impl ToldMethod {
    /// As an entry of the map under `method`, unless it teaches nothing about it. `catalogue` is every method of
    /// the tenant.
    pub fn observed(
        &self,
        method: &Method,
        catalogue: &[Method],
        now_unix_s: i64,
    ) -> Result<ObservedMethod, Unteachable> {
        let acr = self.acr.as_deref().filter(|acr| !acr.is_empty());
        let values = || self.amr.iter().map(String::as_str).chain(acr);
        if self.amr.len() > MAX_TOLD_AMR
            || values().any(|value| value.len() > MAX_VALUE_BYTES)
            || values().map(str::len).sum::<usize>() > MAX_TOLD_BYTES
        {
            return Err(Unteachable::TooLong);
        }
        let observed = ObservedMethod {
            acr: acr.map(str::to_owned),
            amr: self.amr.clone(),
            auth_time: self.auth_time,
            nonce: Some(self.nonce),
            pkce: Some(self.pkce),
            recorded_at_unix_s: now_unix_s,
        };
        if !crate::assurance::recognisable(method, &observed) {
            return Err(Unteachable::Silent);
        }
        // Values are the provider's own and may mean anything; a name of the catalogue means its method. Proofing
        // leaves its level beside whatever else was used.
        let named = |value: &&str| *value == method.acr;
        if !values().any(|value| named(&value))
            && let Some(other) = catalogue
                .iter()
                .find(|other| !other.is_proofing() && values().any(|value| value == other.acr))
        {
            return Err(Unteachable::AnotherMethod(other.acr.clone()));
        }
        Ok(observed)
    }
}
