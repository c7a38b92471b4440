//! Tokens of other OpenID Connect issuers that the operator trusts: a portal with client credentials, operators with their
//! own sign-in.
//!
//! Which issuers, for what audience and with which rights is said in a file that only the operator writes
//! ([`issuer`]); nothing about it comes from a token. An issuer that was bound to partners can hand out partner roles of
//! those partners and nothing else, whatever its tokens claim.
//!
//! | module | holds |
//! | --- | --- |
//! | [`issuer`] | the file, and what an issuer's claims become |
//! | [`keys`] | key sets: fetched, cached, fetched again at a limited rate |
//! | [`token`] | the token: form, algorithm, signature, claims |
//! | [`login`] | signing people in to the console at an issuer |

mod discovery;
pub mod issuer;
pub mod keys;
pub mod login;
pub mod token;

use crate::domain::actor::Actor;
use blockid::{EgressPolicy, HttpClient};
use chrono::{DateTime, Utc};
use issuer::TrustedIssuer;
use keys::KeyCache;
use login::{LoginAttempt, LoginClient, LoginError};
use token::{Jws, TokenError};

/// The issuers that are trusted, with their keys.
#[derive(Debug, Default)]
pub struct Trust(Vec<Trusted>);

#[derive(Debug)]
struct Trusted {
    issuer: TrustedIssuer,
    keys: KeyCache,
    http: HttpClient,
    login: Option<LoginClient>,
}

impl Trust {
    /// Trusts these issuers. Nothing is fetched before the first token.
    pub fn new(issuers: Vec<TrustedIssuer>, insecure_loopback: bool) -> anyhow::Result<Self> {
        let trusted = issuers.into_iter().map(|issuer| {
            let client = HttpClient::new(EgressPolicy {
                allowed_networks: issuer.allowed_networks.clone(),
                insecure_loopback,
                extra_ca_pem: None,
            })?;
            let keys = KeyCache::new(client.clone(), issuer.issuer.clone(), issuer.jwks_url.clone());
            let login = issuer.login.as_ref().map(LoginClient::read).transpose()?;
            Ok(Trusted {
                issuer,
                keys,
                http: client,
                login,
            })
        });
        Ok(Self(trusted.collect::<anyhow::Result<_>>()?))
    }

    /// Whose token this is.
    pub async fn recognise(&self, token: &str, now: DateTime<Utc>) -> Result<Actor, TokenError> {
        let jws = Jws::parse(token)?;
        let claimed = jws.claimed_issuer()?;
        let trusted = self
            .0
            .iter()
            .find(|trusted| trusted.issuer.issuer == claimed)
            .ok_or(TokenError::Issuer)?;
        let key = trusted.keys.key(jws.key_id(), now).await?;
        let claims = jws.verified_claims(&key)?;
        claims.check(&trusted.issuer, now.timestamp())?;
        trusted.issuer.actor(&claims)
    }

    /// Names of the issuers at which people sign in to the console, in the order of the file.
    pub fn logins(&self) -> impl Iterator<Item = &str> {
        let signs_in = self.0.iter().filter(|trusted| trusted.login.is_some());
        signs_in.map(|trusted| trusted.issuer.name.as_str())
    }

    /// Whether people sign in to the console at the issuer of this name.
    pub fn has_login(&self, name: &str) -> bool {
        self.logins().any(|known| known == name)
    }

    /// Where to send a browser that begins to sign in.
    pub async fn authorize_url(
        &self,
        attempt: &LoginAttempt,
        redirect_uri: &str,
        now: DateTime<Utc>,
    ) -> Result<String, LoginError> {
        let trusted = self.named(attempt.issuer())?;
        trusted.authorize_url(attempt, redirect_uri, now).await
    }

    /// Who came back from the issuer with `code`.
    pub async fn complete_login(
        &self,
        attempt: &LoginAttempt,
        code: &str,
        redirect_uri: &str,
        now: DateTime<Utc>,
    ) -> Result<Actor, LoginError> {
        let trusted = self.named(attempt.issuer())?;
        trusted.complete_login(attempt, code, redirect_uri, now).await
    }

    fn named(&self, name: &str) -> Result<&Trusted, LoginError> {
        let found = self.0.iter().find(|trusted| trusted.issuer.name == name);
        found.ok_or(LoginError::Unknown)
    }
}
