//! Signing people in at a trusted issuer: OpenID Connect, authorization code with PKCE (RFC 7636), as a confidential client.
//!
//! Whoever has begun to sign in is known by what their browser holds and by nothing else ([`LoginAttempt`]): `state`,
//! `nonce` and the PKCE verifier are made from it, so a code is good in the one browser that asked for it, for the one
//! issuer, for [`ATTEMPT_LIFETIME_S`]. Nothing is kept here meanwhile, so nobody can fill anything by beginning.
//! The id_token is checked as every token is ([`super::token`]), but for the client id, the nonce and its age.

use super::{
    Trusted,
    discovery::Metadata,
    issuer::ConsoleClient,
    token::{Jws, TokenError},
};
use crate::{
    domain::{actor::Actor, console_session::BrowserSecret},
    ids::IdSource,
};
use anyhow::Context as _;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use blockid::{ClientCredentials, HttpClient, exchange_code};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::time::{Duration, Instant};
use step_up::settings::ProviderMetadata;
use subtle::ConstantTimeEq;
use tokio::sync::Mutex;
use url::Url;

/// How long signing in may take, from the way there to the way back, s.
pub const ATTEMPT_LIFETIME_S: i64 = 600;
/// How long an issuer may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// After this metadata are read again, s.
const REFRESH_AFTER_S: i64 = 3600;
/// Least time between two readings that failed, s: beginning to sign in is free, so it must not make us call.
const RETRY_AFTER_S: i64 = 5;

/// Why somebody was not signed in. Logged.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// No issuer of this name signs anybody in.
    #[error("no issuer of this name signs anybody in")]
    Unknown,
    /// The issuer cannot be reached, or answers what cannot be used.
    #[error("the issuer cannot be used: {0:#}")]
    Provider(anyhow::Error),
    /// The code, or the id_token it was exchanged for, is not good.
    #[error("the answer of the issuer is refused: {0:#}")]
    Refused(anyhow::Error),
    /// The issuer names no role that is known.
    #[error("the id_token has no role of this issuer")]
    Role,
    /// The partner is not there.
    #[error("the partner of this issuer does not exist")]
    Partner,
}

/// Somebody who has begun to sign in, as their browser holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginAttempt {
    secret: BrowserSecret,
    begun_at_unix_s: i64,
    issuer: String,
    return_to: String,
}

impl LoginAttempt {
    /// Begins, at the issuer of this name; `return_to` is the page that was asked for.
    pub fn begin(ids: &IdSource, issuer: &str, return_to: &str, now: DateTime<Utc>) -> Self {
        Self {
            secret: BrowserSecret::generate(ids),
            begun_at_unix_s: now.timestamp(),
            issuer: issuer.to_owned(),
            return_to: return_to.to_owned(),
        }
    }

    /// What the browser is given to hold.
    pub fn reveal(&self) -> String {
        let return_to = BASE64_URL_SAFE_NO_PAD.encode(&self.return_to);
        let secret = self.secret.reveal();
        format!("{secret}.{}.{}.{return_to}", self.begun_at_unix_s, self.issuer)
    }

    /// Reads what a browser sent; `None` when it does not have the form, or is too old.
    pub fn parse(text: &str, now: DateTime<Utc>) -> Option<Self> {
        let mut parts = text.split('.');
        let attempt = Self {
            secret: BrowserSecret::parse(parts.next()?)?,
            begun_at_unix_s: parts.next()?.parse().ok()?,
            issuer: parts.next()?.to_owned(),
            return_to: String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(parts.next()?).ok()?).ok()?,
        };
        let age_s = now.timestamp().checked_sub(attempt.begun_at_unix_s)?;
        (parts.next().is_none() && (0..ATTEMPT_LIFETIME_S).contains(&age_s)).then_some(attempt)
    }

    /// Name of the issuer.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The page that was asked for.
    pub fn return_to(&self) -> &str {
        &self.return_to
    }

    /// Whether the issuer's answer is to this attempt.
    pub fn accepts_state(&self, given: &str) -> bool {
        self.derived("state").as_bytes().ct_eq(given.as_bytes()).into()
    }

    /// 43 characters for one purpose, bound to everything that the browser holds.
    fn derived(&self, purpose: &str) -> String {
        let purpose = format!(
            "{purpose}\n{}\n{}\n{}",
            self.begun_at_unix_s, self.issuer, self.return_to
        );
        BASE64_URL_SAFE_NO_PAD.encode(self.secret.derive(&purpose))
    }
}

/// The client that we are at an issuer.
#[derive(Debug)]
pub(super) struct LoginClient {
    client_id: String,
    client_secret: SecretString,
    metadata: Mutex<Cached>,
}

#[derive(Debug, Default)]
struct Cached {
    known: Option<(Metadata, i64)>,
    failed_at_s: Option<i64>,
}

impl LoginClient {
    /// Reads the client's secret from its file.
    pub(super) fn read(client: &ConsoleClient) -> anyhow::Result<Self> {
        let file = &client.client_secret_file;
        let secret = std::fs::read_to_string(file)
            .with_context(|| format!("the client secret in {file} cannot be read"))?;
        anyhow::ensure!(!secret.trim().is_empty(), "the client secret in {file} is empty");
        Ok(Self {
            client_id: client.client_id.clone(),
            client_secret: secret.trim().into(),
            metadata: Mutex::default(),
        })
    }

    async fn metadata(&self, http: &HttpClient, issuer: &str, now_s: i64) -> anyhow::Result<Metadata> {
        let mut cached = self.metadata.lock().await;
        if let Some((metadata, read_at_s)) = &cached.known
            && (0..REFRESH_AFTER_S).contains(&(now_s - read_at_s))
        {
            return Ok(metadata.clone());
        }
        let lately = |at_s: i64| (0..RETRY_AFTER_S).contains(&(now_s - at_s));
        anyhow::ensure!(
            !cached.failed_at_s.is_some_and(lately),
            "its metadata could not be read a moment ago"
        );
        match Metadata::read(http, issuer, Instant::now() + TIMEOUT).await {
            Ok(metadata) => {
                cached.known = Some((metadata.clone(), now_s));
                Ok(metadata)
            }
            Err(error) => {
                cached.failed_at_s = Some(now_s);
                Err(error)
            }
        }
    }
}

impl Trusted {
    /// Where to send a browser that begins to sign in.
    pub(super) async fn authorize_url(
        &self,
        attempt: &LoginAttempt,
        redirect_uri: &str,
        now: DateTime<Utc>,
    ) -> Result<String, LoginError> {
        let login = self.login.as_ref().ok_or(LoginError::Unknown)?;
        let metadata = login
            .metadata(&self.http, &self.issuer.issuer, now.timestamp())
            .await
            .map_err(LoginError::Provider)?;
        let url = || {
            let endpoint = metadata.text("authorization_endpoint")?;
            // The browser goes there; the rule about addresses is for our own connections, the one about HTTPS for both.
            let mut url: Url = self.http.check_url(endpoint)?;
            let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(attempt.derived("pkce")));
            url.query_pairs_mut()
                .append_pair("response_type", "code")
                .append_pair("client_id", &login.client_id)
                .append_pair("redirect_uri", redirect_uri)
                .append_pair("scope", &self.issuer.login_scope())
                .append_pair("state", &attempt.derived("state"))
                .append_pair("nonce", &attempt.derived("nonce"))
                .append_pair("code_challenge", &challenge)
                .append_pair("code_challenge_method", "S256");
            anyhow::Ok(url.into())
        };
        url().map_err(LoginError::Provider)
    }

    /// Who came back with `code`.
    pub(super) async fn complete_login(
        &self,
        attempt: &LoginAttempt,
        code: &str,
        redirect_uri: &str,
        now: DateTime<Utc>,
    ) -> Result<Actor, LoginError> {
        let login = self.login.as_ref().ok_or(LoginError::Unknown)?;
        let issuer = &self.issuer.issuer;
        let metadata = login.metadata(&self.http, issuer, now.timestamp()).await;
        let provider = metadata
            .and_then(|metadata| self.provider(&metadata, redirect_uri))
            .map_err(LoginError::Provider)?;
        let credentials = ClientCredentials {
            client_id: login.client_id.clone(),
            client_secret: login.client_secret.clone(),
        };
        let verifier = attempt.derived("pkce");
        let deadline = Instant::now() + TIMEOUT;
        let tokens = exchange_code(
            &self.http,
            &provider,
            &credentials,
            code,
            Some(&verifier),
            deadline,
        )
        .await
        .map_err(|error| match error {
            blockid::ExchangeError::Http(_) => LoginError::Provider(error.into()),
            _ => LoginError::Refused(error.into()),
        })?;
        let checked = async {
            let jws = Jws::parse(tokens.id_token.expose_secret())?;
            let key = self.keys.key(jws.key_id(), now).await?;
            let claims = jws.verified_claims(&key)?;
            let nonce = attempt.derived("nonce");
            claims.check_id_token(issuer, &login.client_id, &nonce, now.timestamp())?;
            self.issuer.actor(&claims)
        };
        checked.await.map_err(|error| match error {
            TokenError::Role => LoginError::Role,
            TokenError::Partner => LoginError::Partner,
            TokenError::KeysUnavailable => LoginError::Provider(error.into()),
            _ => LoginError::Refused(error.into()),
        })
    }

    /// What the exchange of a code needs to know; of the rest nothing is used.
    fn provider(&self, metadata: &Metadata, redirect_uri: &str) -> anyhow::Result<ProviderMetadata> {
        Ok(ProviderMetadata {
            issuer: self.issuer.issuer.clone(),
            authorization_endpoint: metadata.text("authorization_endpoint")?.to_owned(),
            token_endpoint: metadata.text("token_endpoint")?.to_owned(),
            jwks_uri: metadata.text("jwks_uri")?.to_owned(),
            redirect_uri: redirect_uri.to_owned(),
            id_token_signing_algorithms: Vec::new(),
            pkce_s256: true,
            jwks: serde_json::Value::Null,
            fetched_at_unix_s: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn an_attempt_is_of_one_browser_one_issuer_one_page_and_does_not_last() {
        let ids = IdSource::seeded(1);
        let now = DateTime::from_timestamp(1_767_607_200, 0).unwrap();
        let attempt = LoginAttempt::begin(&ids, "staff", "/console/audit?a=b", now);
        let held = attempt.reveal();
        let again = LoginAttempt::parse(&held, now + TimeDelta::seconds(599)).unwrap();
        assert_eq!(again, attempt);
        assert!(again.accepts_state(&attempt.derived("state")));
        assert!(!again.accepts_state(&attempt.derived("nonce")) && !again.accepts_state(""));
        assert_eq!(attempt.derived("pkce").len(), 43);
        for late in [TimeDelta::seconds(600), TimeDelta::seconds(-1)] {
            assert!(LoginAttempt::parse(&held, now + late).is_none());
        }
        // Whatever is changed in what the browser holds, the answer to the other attempt does not fit any more.
        let other_issuer = held.replace("staff", "acme");
        let other_time = held.replace("1767607200", "1767607201");
        for changed in [other_issuer, other_time] {
            let changed = LoginAttempt::parse(&changed, now + TimeDelta::seconds(2)).unwrap();
            assert!(!changed.accepts_state(&attempt.derived("state")));
        }
        let somebody = LoginAttempt::begin(&ids, "staff", "/console/audit?a=b", now);
        assert!(!somebody.accepts_state(&attempt.derived("state")));
        for bad in ["", "a.b.c.d", &format!("{held}.x"), &held[1..]] {
            assert!(LoginAttempt::parse(bad, now).is_none(), "{bad}");
        }
    }
}
