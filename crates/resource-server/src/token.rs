//! Claims of a Cognito access token, and what makes them believable.
//!
//! Source: "Understanding the access token" in the Amazon Cognito Developer Guide. The `stepup_*`
//! claims and `action_ref` are added by Stepgate's gate; in access tokens they exist only where the
//! pool is on the Essentials plan or above (the app's `integration` answer says so).

use serde::{Deserialize, Deserializer};

/// How far in the future `iat` and `stepup_at` may be, because clocks differ, s.
const CLOCK_SKEW_S: i64 = 60;

/// The pool whose tokens are accepted, and for which app clients.
#[derive(Debug, Clone)]
pub struct UserPool {
    /// `iss` of its tokens.
    pub issuer: String,
    /// App clients whose tokens are accepted. Cognito's access tokens have no `aud`; this stands in for it.
    pub client_ids: Vec<String>,
}

impl UserPool {
    /// The pool `user_pool_id` (`eu-central-1_AbCdEfGhI`), whose name begins with its region.
    pub fn new(user_pool_id: &str, client_ids: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let region = user_pool_id
            .split_once('_')
            .map_or(user_pool_id, |(region, _)| region);
        Self::with_issuer(
            format!("https://cognito-idp.{region}.amazonaws.com/{user_pool_id}"),
            client_ids,
        )
    }

    /// A pool with another issuer: another AWS partition, or an emulator.
    pub fn with_issuer(
        issuer: impl Into<String>,
        client_ids: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        Self {
            issuer: issuer.into(),
            client_ids: client_ids.into_iter().map(Into::into).collect(),
        }
    }

    /// Where its keys are.
    pub fn jwks_url(&self) -> String {
        format!("{}/.well-known/jwks.json", self.issuer)
    }
}

/// Why a token is not believed. Logged; a client only learns `invalid_token`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a JWS in compact form, too long, or claims of the wrong type.
    #[error("malformed")]
    Malformed,
    /// Signed otherwise than with RS256.
    #[error("algorithm is not RS256")]
    Algorithm,
    /// The pool has no such key.
    #[error("key is not one of the pool's")]
    UnknownKey,
    /// The signature does not fit.
    #[error("signature does not fit")]
    Signature,
    /// `iss` is another pool.
    #[error("issuer is another")]
    Issuer,
    /// `client_id` is not one of the accepted app clients.
    #[error("client is not accepted here")]
    Client,
    /// `token_use` is not `access`.
    #[error("not an access token")]
    TokenUse,
    /// `exp` has come.
    #[error("expired")]
    Expired,
    /// `iat` or `stepup_at` is in the future.
    #[error("issued in the future")]
    Future,
}

/// A believed access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessToken {
    /// `iss`
    pub issuer: String,
    /// `sub`: the Cognito user.
    pub user_sub: String,
    /// `client_id`: the app client that the token was issued to.
    pub client_id: String,
    /// `scope`, split.
    pub scopes: Vec<String>,
    /// `jti`: names this token.
    pub jti: String,
    /// `exp`
    pub expires_at_unix_s: i64,
    /// `stepup_acr`: the method of the step-up.
    pub step_up_acr: Option<String>,
    /// `stepup_at`: when the user stepped up.
    pub step_up_at_unix_s: Option<i64>,
    /// `stepup_action`: the one action that the token is for.
    pub action: Option<String>,
    /// `action_ref`: hash of the one transaction that the token is for.
    pub action_ref: Option<String>,
    /// Whether an exemption stood in for the step-up (`stepup_exempt`).
    pub exempt: bool,
}

#[derive(Deserialize)]
pub(crate) struct Claims {
    iss: String,
    sub: String,
    client_id: String,
    token_use: String,
    jti: String,
    exp: i64,
    iat: i64,
    scope: Option<String>,
    stepup_acr: Option<String>,
    #[serde(default, deserialize_with = "number_or_text")]
    stepup_at: Option<i64>,
    stepup_action: Option<String>,
    action_ref: Option<String>,
    stepup_exempt: Option<serde_json::Value>,
}

/// Claims of a V1 trigger event are always text, those of V2 may be numbers.
fn number_or_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(i64),
        Text(String),
    }
    match Option::<Either>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Either::Number(number)) => Ok(Some(number)),
        Some(Either::Text(text)) => text.parse().map(Some).map_err(serde::de::Error::custom),
    }
}

impl Claims {
    /// The token, if it is this pool's, for one of its accepted clients, an access token, and alive.
    pub(crate) fn check(self, pool: &UserPool, now_unix_s: i64) -> Result<AccessToken, TokenError> {
        if self.iss != pool.issuer {
            return Err(TokenError::Issuer);
        }
        if self.token_use != "access" {
            return Err(TokenError::TokenUse);
        }
        if !pool.client_ids.contains(&self.client_id) {
            return Err(TokenError::Client);
        }
        if self.jti.is_empty() || self.sub.is_empty() {
            return Err(TokenError::Malformed);
        }
        // No leeway here: a used token is remembered until exactly this moment.
        if self.exp <= now_unix_s {
            return Err(TokenError::Expired);
        }
        let latest_unix_s = now_unix_s.saturating_add(CLOCK_SKEW_S);
        if self.iat > latest_unix_s || self.stepup_at.is_some_and(|at| at > latest_unix_s) {
            return Err(TokenError::Future);
        }
        Ok(AccessToken {
            issuer: self.iss,
            user_sub: self.sub,
            client_id: self.client_id,
            scopes: self
                .scope
                .unwrap_or_default()
                .split_whitespace()
                .map(str::to_owned)
                .collect(),
            jti: self.jti,
            expires_at_unix_s: self.exp,
            step_up_acr: self.stepup_acr,
            step_up_at_unix_s: self.stepup_at,
            action: self.stepup_action,
            action_ref: self.action_ref,
            // Whatever its form: a token that says anything of an exemption is one.
            exempt: self
                .stepup_exempt
                .is_some_and(|value| !value.is_null() && value != false),
        })
    }
}
