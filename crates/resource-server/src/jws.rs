//! Compact JWS (RFC 7515) with the one algorithm that Cognito signs with.
//!
//! The algorithm is fixed here and not taken from the token: the header's `alg` is only compared.

use crate::token::TokenError;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::JsonWebKey as _;
use openidconnect::core::{CoreJsonWebKey, CoreJwsSigningAlgorithm};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Longest token that is looked at. Cognito's are 1–4 KiB, more with many groups.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// RFC 7515, section 4.1.11: extensions that must be understood. We understand none.
    crit: Option<serde_json::Value>,
}

/// A token taken apart, nothing of it believed yet.
pub(crate) struct Jws<'t> {
    pub(crate) key_id: String,
    signed: &'t str,
    payload: &'t str,
    signature: Vec<u8>,
}

impl<'t> Jws<'t> {
    pub(crate) fn parse(token: &'t str) -> Result<Self, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        if payload.contains('.') {
            return Err(TokenError::Malformed);
        }
        let header: Header = decode(header)?;
        if header.alg != "RS256" {
            return Err(TokenError::Algorithm);
        }
        if header.crit.is_some() {
            return Err(TokenError::Malformed);
        }
        Ok(Self {
            key_id: header.kid.ok_or(TokenError::Malformed)?,
            signed,
            payload,
            signature: URL_SAFE_NO_PAD
                .decode(signature)
                .map_err(|_| TokenError::Malformed)?,
        })
    }

    /// The payload, once `key` proves that it was signed.
    pub(crate) fn verified_payload<T: DeserializeOwned>(self, key: &CoreJsonWebKey) -> Result<T, TokenError> {
        let algorithm = CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256;
        key.verify_signature(&algorithm, self.signed.as_bytes(), &self.signature)
            .map_err(|_| TokenError::Signature)?;
        decode(self.payload)
    }
}

fn decode<T: DeserializeOwned>(part: &str) -> Result<T, TokenError> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| TokenError::Malformed)
}
