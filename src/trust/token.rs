//! The token of a trusted issuer: form, algorithm, signature, claims.
//!
//! The signature is checked by `openidconnect`'s key type. The algorithm is one of a closed list of asymmetric ones, so
//! `none` and `HS*` cannot be asked for by a token, and must fit the key that is named.

use super::issuer::TrustedIssuer;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use blockid::jwks::SUPPORTED_ALGORITHMS;
use openidconnect::{
    JsonWebKey as _, JsonWebKeyAlgorithm,
    core::{CoreJsonWebKey, CoreJwsSigningAlgorithm},
};
use serde::Deserialize;
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;

/// Longest token that is looked at, bytes.
const MAX_TOKEN_BYTES: usize = 16 * 1024;
/// Difference of clocks that is tolerated, s. Expiry has none.
const CLOCK_SKEW_S: i64 = 60;
/// Longest validity that is accepted, s: a token cannot be withdrawn.
const MAX_VALIDITY_S: i64 = 24 * 3600;
/// Greatest age of an id_token that a code was just exchanged for, s.
const MAX_ID_TOKEN_AGE_S: i64 = 600;

/// Why a token is not accepted. Logged; whoever sent it only learns that it is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a JWS in compact form, too long, or claims of a wrong type.
    #[error("malformed token")]
    Malformed,
    /// `none`, `HS*`, unknown, or another than its key is for.
    #[error("the algorithm is refused")]
    Algorithm,
    /// The issuer has no such key.
    #[error("the key is not one of the issuer's")]
    UnknownKey,
    /// The keys cannot be had.
    #[error("the issuer's keys are not available")]
    KeysUnavailable,
    /// The signature does not hold.
    #[error("the signature does not hold")]
    Signature,
    /// `iss` is not trusted.
    #[error("the issuer is not trusted")]
    Issuer,
    /// It was made for somebody else.
    #[error("the audience is another")]
    Audience,
    /// `exp` has come.
    #[error("the token has expired")]
    Expired,
    /// `nbf` or `iat` is in the future.
    #[error("the token is not valid yet")]
    Future,
    /// It is valid for longer than a day.
    #[error("the token is valid for too long")]
    Validity,
    /// It belongs to another sign-in.
    #[error("the nonce is another")]
    Nonce,
    /// `sub` is missing, too long or not printable.
    #[error("the subject cannot be used")]
    Subject,
    /// Its partner claim names none, or more than one, of the issuer's partners.
    #[error("the token names no partner of this issuer")]
    Partner,
    /// None of its roles is one of the issuer's.
    #[error("the token has no role of this issuer")]
    Role,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    /// RFC 7515, section 4.1.11: extensions that must be understood. We understand none.
    crit: Option<Value>,
}

/// A token taken apart, nothing of it believed yet.
pub(super) struct Jws<'t> {
    algorithm: CoreJwsSigningAlgorithm,
    key_id: String,
    signed: &'t str,
    payload: Map<String, Value>,
    signature: Vec<u8>,
}

impl<'t> Jws<'t> {
    pub(super) fn parse(token: &'t str) -> Result<Self, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        let header: Header = decode(header)?;
        if !SUPPORTED_ALGORITHMS.contains(&header.alg.as_str()) {
            return Err(TokenError::Algorithm);
        }
        // RFC 9068 names access tokens `at+jwt`; many issuers say `JWT` or nothing.
        let typ = header.typ.as_deref().unwrap_or("JWT").to_ascii_lowercase();
        let typ = typ.trim_start_matches("application/");
        if header.crit.is_some() || !matches!(typ, "jwt" | "at+jwt") {
            return Err(TokenError::Malformed);
        }
        Ok(Self {
            algorithm: serde_json::from_value(header.alg.into()).map_err(|_| TokenError::Algorithm)?,
            key_id: header.kid.ok_or(TokenError::UnknownKey)?,
            signed,
            payload: decode(payload)?,
            signature: BASE64_URL_SAFE_NO_PAD
                .decode(signature)
                .map_err(|_| TokenError::Malformed)?,
        })
    }

    /// The issuer that the token claims to be of: only good for choosing whose keys to check it with.
    pub(super) fn claimed_issuer(&self) -> Result<&str, TokenError> {
        self.payload
            .get("iss")
            .and_then(Value::as_str)
            .ok_or(TokenError::Malformed)
    }

    pub(super) fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The claims, once `key` proves that they were signed.
    pub(super) fn verified_claims(self, key: &CoreJsonWebKey) -> Result<Claims, TokenError> {
        match key.signing_alg() {
            JsonWebKeyAlgorithm::Algorithm(of_key) if *of_key != self.algorithm => {
                return Err(TokenError::Algorithm);
            }
            JsonWebKeyAlgorithm::Unsupported => return Err(TokenError::Algorithm),
            JsonWebKeyAlgorithm::Algorithm(_) | JsonWebKeyAlgorithm::Unspecified => {}
        }
        key.verify_signature(&self.algorithm, self.signed.as_bytes(), &self.signature)
            .map_err(|_| TokenError::Signature)?;
        Ok(Claims(self.payload))
    }
}

fn decode<T: serde::de::DeserializeOwned>(part: &str) -> Result<T, TokenError> {
    let bytes = BASE64_URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| TokenError::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| TokenError::Malformed)
}

/// Claims that were signed by the issuer's key.
#[derive(Debug)]
pub struct Claims(Map<String, Value>);

impl Claims {
    /// Whether they are this issuer's, for us, and alive.
    pub(super) fn check(&self, issuer: &TrustedIssuer, now_s: i64) -> Result<(), TokenError> {
        if self.text("iss") != Some(issuer.issuer.as_str()) {
            return Err(TokenError::Issuer);
        }
        let for_us = match self.0.get("aud") {
            Some(Value::String(one)) => *one == issuer.audience,
            Some(Value::Array(several)) => several.iter().any(|one| one == issuer.audience.as_str()),
            _ => false,
        };
        if !for_us {
            return Err(TokenError::Audience);
        }
        let expires_s = self.time("exp")?.ok_or(TokenError::Malformed)?;
        if expires_s <= now_s {
            return Err(TokenError::Expired);
        }
        let latest_s = now_s.saturating_add(CLOCK_SKEW_S);
        for claim in ["iat", "nbf"] {
            if self.time(claim)?.is_some_and(|time_s| time_s > latest_s) {
                return Err(TokenError::Future);
            }
        }
        if expires_s > now_s.saturating_add(MAX_VALIDITY_S) {
            return Err(TokenError::Validity);
        }
        Ok(())
    }

    /// Whether they are of an id_token of this issuer, made for this client and this very sign-in just now (OpenID
    /// Connect Core 1.0, section 3.1.3.7).
    pub(super) fn check_id_token(
        &self,
        issuer: &str,
        client_id: &str,
        nonce: &str,
        now_s: i64,
    ) -> Result<(), TokenError> {
        if self.text("iss") != Some(issuer) {
            return Err(TokenError::Issuer);
        }
        // Made for several, it must be us who asked for it.
        let audience_ok = match self.0.get("aud") {
            Some(Value::String(one)) => one == client_id,
            Some(Value::Array(several)) => {
                several.iter().any(|one| one == client_id)
                    && (several.len() == 1 || self.text("azp") == Some(client_id))
            }
            _ => false,
        };
        if !audience_ok || self.text("azp").is_some_and(|azp| azp != client_id) {
            return Err(TokenError::Audience);
        }
        let given = self.text("nonce").unwrap_or_default();
        if !bool::from(given.as_bytes().ct_eq(nonce.as_bytes())) {
            return Err(TokenError::Nonce);
        }
        if self.time("exp")?.ok_or(TokenError::Malformed)? <= now_s {
            return Err(TokenError::Expired);
        }
        let made_s = self.time("iat")?.ok_or(TokenError::Malformed)?;
        if made_s > now_s.saturating_add(CLOCK_SKEW_S) {
            return Err(TokenError::Future);
        }
        // The code was exchanged this moment: a token from earlier is of another exchange.
        if made_s < now_s.saturating_sub(MAX_ID_TOKEN_AGE_S) {
            return Err(TokenError::Expired);
        }
        Ok(())
    }

    /// `sub`; empty when there is none.
    pub(super) fn subject(&self) -> &str {
        self.text("sub").unwrap_or_default()
    }

    /// Words of a claim: a text is split at spaces, as `scope` is (RFC 8693), a list is taken as it is.
    pub(super) fn words(&self, claim: &str) -> Vec<String> {
        let value = if claim.starts_with('/') {
            // A JSON pointer needs the object as a value.
            Value::Object(self.0.clone()).pointer(claim).cloned()
        } else {
            self.0.get(claim).cloned()
        };
        match value {
            Some(Value::String(text)) => text.split_whitespace().map(str::to_owned).collect(),
            Some(Value::Array(list)) => list
                .into_iter()
                .filter_map(|entry| entry.as_str().map(str::to_owned))
                .collect(),
            _ => Vec::new(),
        }
    }

    fn text(&self, claim: &str) -> Option<&str> {
        self.0.get(claim).and_then(Value::as_str)
    }

    /// A NumericDate (RFC 7519, section 2), which may have a fraction.
    fn time(&self, claim: &str) -> Result<Option<i64>, TokenError> {
        match self.0.get(claim) {
            None => Ok(None),
            Some(value) => {
                let whole = value.as_i64();
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "a cast saturates; the fraction is not looked at"
                )]
                let rounded = value.as_f64().map(|seconds| seconds as i64);
                whole.or(rounded).map(Some).ok_or(TokenError::Malformed)
            }
        }
    }
}
