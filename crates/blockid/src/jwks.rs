//! Key sets: fetched, cleaned of what cannot verify an id_token, and kept small.
//!
//! The set travels in the settings secret (64 KiB at most) and is believed for as long as it is cached, so
//! it is reduced to public members of usable keys: no certificates, no symmetric or private keys, no RSA
//! key under 2048 bits, none marked for encryption.

use crate::http::{HttpClient, HttpError, METADATA_BODY_LIMIT_BYTES};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use std::time::Instant;
use step_up::reason::Reason;

/// Signature algorithms an id_token may have: asymmetric, and verified by `openidconnect`. An answer of a
/// provider is intersected with this list, so `none` and `HS*` can never be in force.
pub const SUPPORTED_ALGORITHMS: [&str; 9] = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
];

/// Most keys that are kept of a set.
const MAX_KEYS: usize = 32;
/// Members of a JWK that are kept.
const PUBLIC_MEMBERS: [&str; 9] = ["kty", "use", "alg", "kid", "n", "e", "crv", "x", "y"];

/// Why there is no key set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwksError {
    /// It could not be fetched.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// It has no `keys` list.
    #[error("the answer is not a JSON Web Key Set")]
    NotAKeySet,
    /// No key in it can verify an id_token.
    #[error("the key set holds no usable signature key (RSA of 2048 bits or more, P-256, P-384, Ed25519)")]
    NoUsableKey,
}

impl JwksError {
    /// The reason code of a step-up that failed by this.
    pub const fn reason(self) -> Reason {
        match self {
            Self::Http(error) => error.reason(),
            Self::NotAKeySet | Self::NoUsableKey => Reason::ProviderMalformed,
        }
    }
}

/// Fetches and cleans the key set at `jwks_uri`.
///
/// After [`crate::VerifyError::UnknownKey`] the caller fetches once more; how often is the caller's to limit.
pub async fn fetch_jwks(client: &HttpClient, jwks_uri: &str, deadline: Instant) -> Result<Value, JwksError> {
    let answer = client.get(jwks_uri, METADATA_BODY_LIMIT_BYTES, deadline).await?;
    if answer.status != 200 {
        return Err(HttpError::Status(answer.status).into());
    }
    clean(&Value::Object(answer.json()?))
}

/// Reduces a key set to public members of usable keys.
pub fn clean(jwks: &Value) -> Result<Value, JwksError> {
    let keys = jwks
        .get("keys")
        .and_then(Value::as_array)
        .ok_or(JwksError::NotAKeySet)?;
    let usable: Vec<Value> = keys
        .iter()
        .filter_map(Value::as_object)
        .filter(|key| is_usable(key))
        .take(MAX_KEYS)
        .map(strip)
        .collect();
    if usable.is_empty() {
        Err(JwksError::NoUsableKey)
    } else {
        Ok(json!({ "keys": usable }))
    }
}

fn strip(key: &Map<String, Value>) -> Value {
    key.iter()
        .filter(|(name, _)| PUBLIC_MEMBERS.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect::<Map<_, _>>()
        .into()
}

fn is_usable(key: &Map<String, Value>) -> bool {
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    if text("use").is_some_and(|usage| usage != "sig") || key.contains_key("d") {
        return false;
    }
    if text("alg").is_some_and(|alg| !SUPPORTED_ALGORITHMS.contains(&alg)) {
        return false;
    }
    match text("kty") {
        Some("RSA") => text("e").is_some() && text("n").is_some_and(|n| modulus_bits(n) >= 2048),
        Some("EC") => {
            matches!(text("crv"), Some("P-256" | "P-384")) && text("x").is_some() && text("y").is_some()
        }
        Some("OKP") => text("crv") == Some("Ed25519") && text("x").is_some(),
        _ => false,
    }
}

fn modulus_bits(n: &str) -> usize {
    let Ok(bytes) = URL_SAFE_NO_PAD.decode(n) else {
        return 0;
    };
    let significant: &[u8] = &bytes[bytes.iter().take_while(|&&byte| byte == 0).count()..];
    significant
        .first()
        .map_or(0, |first| significant.len() * 8 - first.leading_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_members_of_usable_keys_stay() {
        let good_n = URL_SAFE_NO_PAD.encode([0xffu8; 256]);
        let weak_n = URL_SAFE_NO_PAD.encode([0xffu8; 128]);
        let padded_weak_n = URL_SAFE_NO_PAD.encode([vec![0u8; 200], vec![0xffu8; 128]].concat());
        let set = json!({"keys": [
            {"kty": "RSA", "kid": "good", "use": "sig", "alg": "RS256", "n": good_n, "e": "AQAB", "x5c": ["big"], "x5t": "t"},
            {"kty": "RSA", "kid": "weak", "n": weak_n, "e": "AQAB"},
            {"kty": "RSA", "kid": "padded", "n": padded_weak_n, "e": "AQAB"},
            {"kty": "RSA", "kid": "encryption", "use": "enc", "n": good_n, "e": "AQAB"},
            {"kty": "RSA", "kid": "private", "n": good_n, "e": "AQAB", "d": "AQAB"},
            {"kty": "RSA", "kid": "alg", "alg": "RSA-OAEP", "n": good_n, "e": "AQAB"},
            {"kty": "oct", "kid": "symmetric", "k": "c2VjcmV0"},
            {"kty": "EC", "kid": "curve", "crv": "P-256", "x": "AA", "y": "AA"},
            {"kty": "EC", "kid": "other", "crv": "secp256k1", "x": "AA", "y": "AA"},
            "not an object",
        ]});
        let cleaned = clean(&set).unwrap();
        let ids: Vec<_> = cleaned["keys"]
            .as_array()
            .unwrap()
            .iter()
            .map(|key| key["kid"].clone())
            .collect();
        assert_eq!(ids, ["good", "curve"]);
        assert!(cleaned["keys"][0].get("x5c").is_none());
        assert!(cleaned["keys"][1].get("y").is_some());
    }

    #[test]
    fn sets_without_usable_keys_are_refused() {
        assert_eq!(clean(&json!({"keys": []})), Err(JwksError::NoUsableKey));
        assert_eq!(
            clean(&json!({"keys": [{"kty": "oct", "k": "AA"}]})),
            Err(JwksError::NoUsableKey)
        );
        assert_eq!(clean(&json!({"keys": "none"})), Err(JwksError::NotAKeySet));
        assert_eq!(clean(&json!([])), Err(JwksError::NotAKeySet));
    }
}
