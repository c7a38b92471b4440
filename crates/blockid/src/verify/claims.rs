//! Reading a JWT's header and claims, tolerant in form and strict in meaning.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Longest text taken over from a claim.
const MAX_CLAIM_BYTES: usize = 2048;
/// Most values taken over from `amr`.
const MAX_METHODS: usize = 32;

/// Claims of a verified id_token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claims {
    /// `iss`
    pub iss: String,
    /// `sub`: the BlockID subject, unique within the issuer.
    pub sub: String,
    /// `username`, BlockID's own claim: the user name that was asked for.
    pub username: Option<String>,
    /// `preferred_username`
    pub preferred_username: Option<String>,
    /// `email`
    pub email: Option<String>,
    /// `email_verified`
    pub email_verified: Option<bool>,
    /// `acr`; the first value, should a provider send a list.
    pub acr: Option<String>,
    /// `amr`; one value, should a provider send a text. The proofing level comes here too.
    pub amr: Vec<String>,
    /// `auth_time`, seconds since the Unix epoch.
    pub auth_time: Option<i64>,
    /// `iat`, seconds since the Unix epoch.
    pub iat: i64,
    /// `exp`, seconds since the Unix epoch.
    pub exp: i64,
}

/// A compact JWS, decoded and not verified.
pub(super) struct Token<'a> {
    pub(super) header: Header,
    pub(super) claims: RawClaims,
    /// What is signed: the first two parts with the dot between.
    pub(super) signing_input: &'a str,
    pub(super) signature: Vec<u8>,
}

/// JOSE header, as far as it is looked at.
#[derive(Deserialize)]
pub(super) struct Header {
    pub(super) alg: String,
    pub(super) kid: Option<String>,
    typ: Option<String>,
    cty: Option<Value>,
    crit: Option<Value>,
}

impl Header {
    /// A JWT and nothing else: no nested or encrypted token, no extension that changes the meaning of
    /// the signature (RFC 7515, 4.1.11), no access token (`at+jwt`) or other typed token.
    pub(super) fn is_plain(&self) -> bool {
        let typ = self.typ.as_deref().map(str::to_ascii_lowercase);
        let is_jwt = matches!(typ.as_deref(), None | Some("jwt" | "application/jwt"));
        is_jwt && self.cty.is_none() && self.crit.is_none()
    }
}

/// Claims as they are in the payload. A doubled member is an error (serde refuses it).
#[derive(Deserialize)]
pub(super) struct RawClaims {
    pub(super) iss: String,
    sub: String,
    #[serde(deserialize_with = "one_or_many")]
    pub(super) aud: Vec<String>,
    pub(super) azp: Option<String>,
    #[serde(deserialize_with = "seconds")]
    pub(super) exp: i64,
    #[serde(deserialize_with = "seconds")]
    pub(super) iat: i64,
    #[serde(default, deserialize_with = "optional_seconds")]
    pub(super) auth_time: Option<i64>,
    pub(super) nonce: Option<String>,
    #[serde(default, deserialize_with = "one_or_many")]
    acr: Vec<String>,
    #[serde(default, deserialize_with = "one_or_many")]
    amr: Vec<String>,
    #[serde(default, deserialize_with = "optional_text")]
    username: Option<String>,
    #[serde(default, deserialize_with = "optional_text")]
    preferred_username: Option<String>,
    #[serde(default, deserialize_with = "optional_text")]
    email: Option<String>,
    #[serde(default, deserialize_with = "optional_flag")]
    email_verified: Option<bool>,
}

impl<'a> Token<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        if text.len() > super::MAX_ID_TOKEN_BYTES {
            return None;
        }
        let (signing_input, signature) = text.rsplit_once('.')?;
        let (header, payload) = signing_input.split_once('.')?;
        if payload.contains('.') {
            return None;
        }
        Some(Self {
            header: part(header)?,
            claims: part(payload)?,
            signing_input,
            signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
        })
    }
}

fn part<T: DeserializeOwned>(encoded: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(encoded).ok()?).ok()
}

impl RawClaims {
    /// `None` when a claim is longer than claims are.
    pub(super) fn into_claims(self) -> Option<Claims> {
        let short = |text: &String| text.len() <= MAX_CLAIM_BYTES;
        let texts = [&self.username, &self.preferred_username, &self.email]
            .into_iter()
            .flatten();
        let all_short = texts.chain(&self.acr).chain(&self.amr).all(short);
        // OpenID Connect Core, section 2: `sub` has 255 ASCII characters at most.
        if self.sub.is_empty() || self.sub.len() > 255 || !all_short || self.amr.len() > MAX_METHODS {
            return None;
        }
        Some(Claims {
            iss: self.iss,
            sub: self.sub,
            username: self.username,
            preferred_username: self.preferred_username,
            email: self.email,
            email_verified: self.email_verified,
            acr: self.acr.into_iter().next(),
            amr: self.amr,
            auth_time: self.auth_time,
            iat: self.iat,
            exp: self.exp,
        })
    }
}

/// A text, a list of texts, or null for none.
fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        Many(Vec<String>),
        One(String),
        None,
    }
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::Many(list) => list,
        OneOrMany::One(text) => vec![text],
        OneOrMany::None => Vec::new(),
    })
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    read_seconds(&Value::deserialize(deserializer)?).ok_or_else(|| D::Error::custom("not a time"))
}

/// `auth_time` in a form that is no time counts as a refusal, not as absent: silence is never met.
fn optional_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        value => read_seconds(&value)
            .map(Some)
            .ok_or_else(|| D::Error::custom("not a time")),
    }
}

/// Whole seconds, a fraction cut off, or digits in a text.
fn read_seconds(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            let float = number
                .as_f64()
                .filter(|float| float.is_finite() && float.abs() < 1e15)?;
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the fraction is cut off on purpose; the range was checked"
            )]
            Some(float as i64)
        }),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// Claims of no security weight in an unexpected form are as good as absent.
fn optional_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) if !text.is_empty() => Some(text),
        _ => None,
    })
}

/// `true`, or `"true"` as some providers write it.
fn optional_flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Bool(flag) => Some(flag),
        Value::String(text) => text.parse().ok(),
        _ => None,
    })
}
