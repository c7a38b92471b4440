//! The local check of an access token that proves a session. Cognito signs with RS256 only.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use openidconnect::JsonWebKey as _;
use openidconnect::core::{CoreJsonWebKey, CoreJwsSigningAlgorithm};
use serde::Deserialize;
use serde_json::Value;

/// Longest token looked at.
const MAX_TOKEN_BYTES: usize = 6 * 1024;
/// How much Cognito's clock may be ahead, s.
const LEEWAY_S: i64 = 60;

/// What the token must say.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// `iss` of the pool.
    pub issuer: &'a str,
    /// App client of the sign-in.
    pub client_id: &'a str,
    /// User of the sign-in.
    pub user_sub: &'a str,
    /// The present.
    pub now_unix_s: i64,
}

/// Why the token does not prove the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is none, or says something else.
    #[error("the access token does not prove this session")]
    Refused,
    /// Its key is not in the set.
    #[error("the access token is signed with a key that is not in the set")]
    UnknownKey,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: String,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    client_id: String,
    token_use: String,
    exp: i64,
    iat: i64,
}

/// Checks signature, issuer, purpose, client, user and time.
pub fn check(token: &str, keys: &Value, expected: &Expected<'_>) -> Result<(), TokenError> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(TokenError::Refused);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Refused)?;
    let (header, payload) = signed.split_once('.').ok_or(TokenError::Refused)?;
    let header: Header = part(header)?;
    if header.alg != "RS256" {
        return Err(TokenError::Refused);
    }
    let key = key(keys, &header.kid)?;
    let signature = URL_SAFE_NO_PAD
        .decode(signature)
        .map_err(|_| TokenError::Refused)?;
    key.verify_signature(
        &CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
        signed.as_bytes(),
        &signature,
    )
    .map_err(|_| TokenError::Refused)?;
    let claims: Claims = part(payload)?;
    let holds = claims.iss == expected.issuer
        && claims.token_use == "access"
        && claims.client_id == expected.client_id
        && claims.sub == expected.user_sub
        && expected.now_unix_s < claims.exp
        && claims.iat <= expected.now_unix_s.saturating_add(LEEWAY_S);
    if holds { Ok(()) } else { Err(TokenError::Refused) }
}

fn part<T: for<'de> Deserialize<'de>>(encoded: &str) -> Result<T, TokenError> {
    let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| TokenError::Refused)?;
    serde_json::from_slice(&bytes).map_err(|_| TokenError::Refused)
}

fn key(keys: &Value, kid: &str) -> Result<CoreJsonWebKey, TokenError> {
    let keys = keys
        .get("keys")
        .and_then(Value::as_array)
        .ok_or(TokenError::UnknownKey)?;
    let named = keys
        .iter()
        .find(|key| key.get("kid").and_then(Value::as_str) == Some(kid));
    let named = named.ok_or(TokenError::UnknownKey)?;
    serde_json::from_value(named.clone()).map_err(|_| TokenError::Refused)
}
