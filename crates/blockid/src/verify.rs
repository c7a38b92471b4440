//! The id_token: signature, and every claim that ties it to this provider, client, challenge and moment.
//!
//! The work is `openidconnect`'s [`CoreIdTokenVerifier`]. Three things are added to it here. What it
//! leaves to its caller: `azp`, times against the challenge, algorithms pinned to discovery. Errors that
//! tell one broken rule from another without the token's text in them. And tolerance: 1Kosmos publishes the
//! form of neither `acr`, `amr` nor `auth_time`, and the library refuses a whole token whose `amr` is a text
//! instead of a list. Such a token still has its signature verified by the library's key type, and
//! [`check_claims`], which every token passes, applies the same rules.

mod claims;

use crate::jwks::SUPPORTED_ALGORITHMS;
use chrono::{DateTime, Utc};
pub use claims::Claims;
use claims::{Header, RawClaims, Token};
use openidconnect::core::{
    CoreIdToken, CoreIdTokenVerifier, CoreJsonWebKey, CoreJsonWebKeySet, CoreJwsSigningAlgorithm,
};
use openidconnect::{
    ClaimsVerificationError, ClientId, IssuerUrl, JsonWebKey, Nonce, SignatureVerificationError,
};
use std::str::FromStr;
use step_up::reason::Reason;
use step_up::settings::ProviderMetadata;
use subtle::ConstantTimeEq;

/// Longest id_token that is looked at.
pub const MAX_ID_TOKEN_BYTES: usize = 32 * 1024;

/// What an id_token is compared with.
#[derive(Debug, Clone, Copy)]
pub struct Expectation<'a> {
    /// The nonce that was sent. `None` only for sites that bind by `state` alone.
    pub nonce: Option<&'a str>,
    /// When the challenge was made: neither token nor authentication may be older.
    pub issued_not_before_unix_s: i64,
    /// The present.
    pub now_unix_s: i64,
    /// Difference of clocks that is tolerated, s (60 in a sign-in). Expiry has none.
    pub leeway_s: i64,
}

/// Which rule an id_token breaks. Holds nothing of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// Not a signed JWT with the claims an id_token must have.
    #[error("the id_token is not a signed JWT with iss, sub, aud, exp and iat")]
    Malformed,
    /// `none`, `HS*`, or an algorithm that discovery does not list.
    #[error("the id_token's algorithm is not one of the provider's")]
    AlgorithmRefused,
    /// No key of that id: fetch the key set once more, then verify again.
    #[error("the id_token is signed with a key that is not in the key set")]
    UnknownKey,
    /// The signature does not hold.
    #[error("the id_token's signature does not hold")]
    SignatureInvalid,
    /// `iss` is another.
    #[error("iss is not the provider's issuer")]
    IssuerMismatch,
    /// `aud` is not, or not only, our client.
    #[error("aud is not our client alone")]
    AudienceMismatch,
    /// `azp` is there and is not our client.
    #[error("azp is not our client")]
    AuthorizedPartyMismatch,
    /// `exp` has passed.
    #[error("the id_token has expired")]
    Expired,
    /// `iat` or `auth_time` is in the future.
    #[error("iat or auth_time is in the future")]
    InTheFuture,
    /// `iat` is before the challenge.
    #[error("the id_token was issued before the challenge")]
    IssuedBeforeChallenge,
    /// `auth_time` is before the challenge.
    #[error("the user authenticated before the challenge")]
    AuthenticatedBeforeChallenge,
    /// A nonce was sent and none came back.
    #[error("the id_token has no nonce")]
    NonceMissing,
    /// Another nonce came back.
    #[error("the id_token has another nonce")]
    NonceMismatch,
}

impl VerifyError {
    /// The reason code of a step-up that failed by this.
    pub const fn reason(self) -> Reason {
        match self {
            Self::Malformed => Reason::ProviderMalformed,
            Self::AlgorithmRefused | Self::UnknownKey | Self::SignatureInvalid => Reason::SignatureInvalid,
            Self::IssuerMismatch => Reason::IssuerMismatch,
            Self::AudienceMismatch | Self::AuthorizedPartyMismatch => Reason::AudienceMismatch,
            Self::Expired | Self::InTheFuture => Reason::TokenExpired,
            Self::IssuedBeforeChallenge | Self::AuthenticatedBeforeChallenge => Reason::StaleAuthentication,
            Self::NonceMissing | Self::NonceMismatch => Reason::NonceMismatch,
        }
    }
}

/// Verifies `id_token` for `client_id` and returns its claims.
pub fn verify_id_token(
    provider: &ProviderMetadata,
    client_id: &str,
    id_token: &str,
    expected: &Expectation<'_>,
) -> Result<Claims, VerifyError> {
    let token = Token::parse(id_token).ok_or(VerifyError::Malformed)?;
    let algorithm = pinned_algorithm(&token.header, provider)?;
    if !token.header.is_plain() {
        return Err(VerifyError::Malformed);
    }
    let keys: CoreJsonWebKeySet =
        serde_json::from_value(provider.jwks.clone()).map_err(|_| VerifyError::UnknownKey)?;
    let key = the_key(&keys, token.header.kid.as_deref(), &algorithm)?;
    let subject = Subject {
        provider,
        client_id,
        algorithm,
        expected,
    };
    match CoreIdToken::from_str(id_token) {
        Ok(parsed) => verify_by_library(&parsed, &token.claims, &keys, &subject)?,
        Err(_) => key
            .verify_signature(
                &subject.algorithm,
                token.signing_input.as_bytes(),
                &token.signature,
            )
            .map_err(|_| VerifyError::SignatureInvalid)?,
    }
    check_claims(&token.claims, &subject)?;
    token.claims.into_claims().ok_or(VerifyError::Malformed)
}

fn pinned_algorithm(
    header: &Header,
    provider: &ProviderMetadata,
) -> Result<CoreJwsSigningAlgorithm, VerifyError> {
    let supported = SUPPORTED_ALGORITHMS.contains(&header.alg.as_str());
    if !supported || !provider.id_token_signing_algorithms.contains(&header.alg) {
        return Err(VerifyError::AlgorithmRefused);
    }
    serde_json::from_value(header.alg.clone().into()).map_err(|_| VerifyError::AlgorithmRefused)
}

/// The one key that may have signed: by id, else the only one that fits the algorithm.
fn the_key<'a>(
    keys: &'a CoreJsonWebKeySet,
    kid: Option<&str>,
    algorithm: &CoreJwsSigningAlgorithm,
) -> Result<&'a CoreJsonWebKey, VerifyError> {
    use openidconnect::JwsSigningAlgorithm as _;
    let named =
        |key: &&CoreJsonWebKey| kid.is_none_or(|kid| key.key_id().is_some_and(|id| id.as_str() == kid));
    let fits = |key: &&CoreJsonWebKey| algorithm.key_type().as_ref() == Some(key.key_type());
    let mut candidates = keys.keys().iter().filter(named).peekable();
    if candidates.peek().is_none() {
        return Err(VerifyError::UnknownKey);
    }
    let mut fitting = candidates.filter(fits);
    match (fitting.next(), fitting.next()) {
        (Some(key), None) => Ok(key),
        _ => Err(VerifyError::SignatureInvalid),
    }
}

/// What of a verification stays the same for both readers of the token.
struct Subject<'a> {
    provider: &'a ProviderMetadata,
    client_id: &'a str,
    algorithm: CoreJwsSigningAlgorithm,
    expected: &'a Expectation<'a>,
}

fn verify_by_library(
    id_token: &CoreIdToken,
    claims: &RawClaims,
    keys: &CoreJsonWebKeySet,
    subject: &Subject<'_>,
) -> Result<(), VerifyError> {
    let issuer = IssuerUrl::new(subject.provider.issuer.clone()).map_err(|_| VerifyError::IssuerMismatch)?;
    let now = DateTime::<Utc>::from_timestamp(subject.expected.now_unix_s, 0).ok_or(VerifyError::Expired)?;
    let client_id = ClientId::new(subject.client_id.to_owned());
    let verifier = CoreIdTokenVerifier::new_public_client(client_id, issuer, keys.clone())
        .set_allowed_algs([subject.algorithm.clone()])
        .set_time_fn(move || now);
    let outcome = match subject.expected.nonce {
        Some(nonce) => id_token.claims(&verifier, &Nonce::new(nonce.to_owned())),
        None => id_token.claims(&verifier, |_: Option<&Nonce>| Ok(())),
    };
    outcome.map(|_| ()).map_err(|error| match error {
        ClaimsVerificationError::Expired(_) => VerifyError::Expired,
        ClaimsVerificationError::InvalidAudience(_) => VerifyError::AudienceMismatch,
        ClaimsVerificationError::InvalidIssuer(_) => VerifyError::IssuerMismatch,
        // The library tells the two apart by text only.
        ClaimsVerificationError::InvalidNonce(_) if claims.nonce.is_none() => VerifyError::NonceMissing,
        ClaimsVerificationError::InvalidNonce(_) => VerifyError::NonceMismatch,
        ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey) => {
            VerifyError::UnknownKey
        }
        ClaimsVerificationError::SignatureVerification(
            SignatureVerificationError::DisallowedAlg(_) | SignatureVerificationError::NoSignature,
        ) => VerifyError::AlgorithmRefused,
        ClaimsVerificationError::SignatureVerification(_) => VerifyError::SignatureInvalid,
        _ => VerifyError::Malformed,
    })
}

/// Every rule about claims, on the claims as this crate reads them.
fn check_claims(claims: &RawClaims, subject: &Subject<'_>) -> Result<(), VerifyError> {
    let Subject {
        provider,
        client_id,
        expected,
        ..
    } = *subject;
    if claims.iss != provider.issuer {
        return Err(VerifyError::IssuerMismatch);
    }
    if claims.aud.is_empty() || claims.aud.iter().any(|audience| audience != client_id) {
        return Err(VerifyError::AudienceMismatch);
    }
    if claims.azp.as_deref().is_some_and(|party| party != client_id) {
        return Err(VerifyError::AuthorizedPartyMismatch);
    }
    if expected.now_unix_s >= claims.exp {
        return Err(VerifyError::Expired);
    }
    let latest = expected.now_unix_s.saturating_add(expected.leeway_s);
    let earliest = expected
        .issued_not_before_unix_s
        .saturating_sub(expected.leeway_s);
    if claims.iat > latest || claims.auth_time.is_some_and(|time| time > latest) {
        return Err(VerifyError::InTheFuture);
    }
    if claims.iat < earliest {
        return Err(VerifyError::IssuedBeforeChallenge);
    }
    if claims.auth_time.is_some_and(|time| time < earliest) {
        return Err(VerifyError::AuthenticatedBeforeChallenge);
    }
    match (expected.nonce, claims.nonce.as_deref()) {
        (None, _) => Ok(()),
        (Some(_), None) => Err(VerifyError::NonceMissing),
        (Some(sent), Some(came)) if bool::from(sent.as_bytes().ct_eq(came.as_bytes())) => Ok(()),
        (Some(_), Some(_)) => Err(VerifyError::NonceMismatch),
    }
}

#[cfg(test)]
mod tests;
