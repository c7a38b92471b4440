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

pub mod issuer;
pub mod keys;
pub mod token;

use crate::domain::actor::Actor;
use blockid::{EgressPolicy, HttpClient};
use chrono::{DateTime, Utc};
use issuer::TrustedIssuer;
use keys::KeyCache;
use token::{Jws, TokenError};

/// The issuers that are trusted, with their keys.
#[derive(Debug, Default)]
pub struct Trust(Vec<Trusted>);

#[derive(Debug)]
struct Trusted {
    issuer: TrustedIssuer,
    keys: KeyCache,
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
            let keys = KeyCache::new(client, issuer.issuer.clone(), issuer.jwks_url.clone());
            Ok(Trusted { issuer, keys })
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
}
