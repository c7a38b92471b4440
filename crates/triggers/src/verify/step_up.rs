//! What a step-up proves: the code is exchanged, the id_token checked, the subject bound, the level compared.

use super::{Budget, Verify, subject};
use crate::cognito_event::CognitoEvent;
use crate::events::Invocation;
use crate::records::LinkWrite;
use blockid::{Claims, ExchangeError, Expectation, VerifyError, verify_id_token};
use secrecy::{ExposeSecret as _, SecretString};
use std::borrow::Cow;
use std::sync::Arc;
use step_up::assurance::{Achieved, catalogue_with, judge};
use step_up::challenge::{Answer, PrivateChallenge};
use step_up::policy::Binding;
use step_up::reason::Reason;
use step_up::settings::{Credentials, ProviderMetadata, TenantSettings};
use subtle::ConstantTimeEq as _;

/// How much the provider's clock may differ, and how much older than the challenge a token may be, s.
const LEEWAY_S: i64 = 60;

/// A step-up that satisfied everything.
#[derive(Debug, Clone)]
pub struct Proved {
    /// What it achieved.
    pub achieved: Achieved,
    /// `iss` of the id_token.
    pub issuer: String,
    /// What to do about the link.
    pub link: LinkWrite,
}

/// An answer that was refused, with what the provider said, when it came that far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub reason: Reason,
    /// `acr` of the id_token.
    pub acr: Option<String>,
    /// `amr` of the id_token.
    pub amr: Vec<String>,
}

impl From<Reason> for Refused {
    fn from(reason: Reason) -> Self {
        Self {
            reason,
            acr: None,
            amr: Vec::new(),
        }
    }
}

impl Proved {
    /// The same step-up, refused after all.
    pub(super) fn refused(&self, reason: Reason) -> Refused {
        Refused {
            reason,
            acr: self.achieved.acr.clone(),
            amr: self.achieved.amr.clone(),
        }
    }
}

/// The provider with the address that the code was issued for (RFC 6749, section 4.1.3).
fn returning<'a>(
    provider: &'a ProviderMetadata,
    challenge: &PrivateChallenge,
    returned: bool,
) -> Result<Cow<'a, ProviderMetadata>, Reason> {
    if !returned {
        return Ok(Cow::Borrowed(provider));
    }
    let redirect_uri = challenge.return_url.clone().ok_or(Reason::MalformedAnswer)?;
    Ok(Cow::Owned(ProviderMetadata {
        redirect_uri,
        ..provider.clone()
    }))
}

impl Verify {
    /// Judges the answer to a step-up. The attempt is counted already.
    pub(super) async fn step_up(
        &self,
        invocation: &Invocation<'_>,
        event: &CognitoEvent,
        settings: &TenantSettings,
        challenge: &PrivateChallenge,
        budget: Budget,
    ) -> Result<Proved, Refused> {
        let answer = Answer::parse(&event.request.challenge_answer)?;
        if !bool::from(answer.state.as_bytes().ct_eq(challenge.state.as_bytes())) {
            return Err(Reason::StateMismatch.into());
        }
        let provider = settings.provider.as_ref().ok_or(Reason::SettingsUnavailable)?;
        let provider = &returning(provider, challenge, answer.returned)?;
        let code = SecretString::from(answer.code);
        let (id_token, credentials) = self
            .exchange(
                invocation,
                (settings, provider),
                (&code, challenge.pkce_verifier.as_deref()),
                budget,
            )
            .await?;
        let expected = Expectation {
            nonce: (challenge.binding == Binding::Nonce).then_some(challenge.nonce.as_str()),
            ..self.expected_since(challenge.issued_at_unix_s)
        };
        let claims = self
            .claims(
                invocation,
                (settings, provider),
                (&credentials, &id_token),
                &expected,
                budget,
            )
            .await?
            .map_err(VerifyError::reason)?;
        let refused = |reason| Refused {
            reason,
            acr: claims.acr.clone(),
            amr: claims.amr.clone(),
        };
        let link = self
            .bind(invocation, event, settings, challenge, &claims)
            .await
            .map_err(refused)?;
        let catalogue = catalogue_with(&settings.extra_methods);
        let achieved = judge(
            challenge,
            claims.acr.as_deref(),
            &claims.amr,
            &catalogue,
            &settings.observed_methods,
        )
        .map_err(refused)?;
        Ok(Proved {
            achieved,
            issuer: claims.iss,
            link,
        })
    }

    /// What an id_token of a challenge made then must satisfy, whatever its nonce.
    pub(super) fn expected_since(&self, issued_at_unix_s: i64) -> Expectation<'static> {
        Expectation {
            nonce: None,
            issued_not_before_unix_s: issued_at_unix_s,
            now_unix_s: self.clock.now_unix_s(),
            leeway_s: LEEWAY_S,
        }
    }

    /// The id_token for the code. Credentials that BlockID refuses are read again, once: they may have
    /// been rotated since this function started.
    pub(super) async fn exchange(
        &self,
        invocation: &Invocation<'_>,
        (settings, provider): (&TenantSettings, &ProviderMetadata),
        (code, pkce_verifier): (&SecretString, Option<&str>),
        budget: Budget,
    ) -> Result<(SecretString, Arc<Credentials>), Reason> {
        let unreadable = |error: crate::outcome::SourceError| {
            invocation.note("the credentials could not be read", Some(error.code));
            Reason::SettingsUnavailable
        };
        let exchange = async |credentials: &Credentials| {
            let call = self.provider.exchange(
                settings,
                provider,
                credentials,
                code,
                pkce_verifier,
                budget.judged_by,
            );
            invocation.hop("token", call).await
        };
        let connection = &settings.connection;
        let held = self.credentials.fitting(connection).await.map_err(unreadable)?;
        match exchange(&held).await {
            Ok(id_token) => Ok((id_token, held)),
            Err(ExchangeError::ClientRejected) => {
                let refetch = invocation
                    .hop("credentials", self.credentials.refetch(&held, connection))
                    .await;
                let Some(changed) = refetch.map_err(unreadable)? else {
                    return Err(Reason::ClientRejected);
                };
                let id_token = exchange(&changed).await.map_err(ExchangeError::reason)?;
                Ok((id_token, changed))
            }
            Err(error) => Err(error.reason()),
        }
    }

    /// The claims of the id_token, verified. An unknown key makes the key set be fetched anew, if that was
    /// not done a moment ago. The outer error is a key set that could not be had.
    pub(super) async fn claims(
        &self,
        invocation: &Invocation<'_>,
        (settings, provider): (&TenantSettings, &ProviderMetadata),
        (credentials, id_token): (&Credentials, &SecretString),
        expected: &Expectation<'_>,
        budget: Budget,
    ) -> Result<Result<Claims, VerifyError>, Reason> {
        let check = |provider: &ProviderMetadata| {
            verify_id_token(
                provider,
                &credentials.client_id,
                id_token.expose_secret(),
                expected,
            )
        };
        let checked = check(&self.provider_keys.over(provider));
        if checked != Err(VerifyError::UnknownKey) {
            return Ok(checked);
        }
        let now_ms = self.clock.now_unix_ms();
        if !self.provider_keys.may_fetch(now_ms) {
            return Ok(checked);
        }
        let fetch = self.provider.keys(settings, provider, budget.judged_by);
        let keys = invocation
            .hop("jwks", fetch)
            .await
            .map_err(blockid::JwksError::reason)?;
        self.provider_keys.store(provider, keys, now_ms);
        Ok(check(&self.provider_keys.over(provider)))
    }

    async fn bind(
        &self,
        invocation: &Invocation<'_>,
        event: &CognitoEvent,
        settings: &TenantSettings,
        challenge: &PrivateChallenge,
        claims: &Claims,
    ) -> Result<LinkWrite, Reason> {
        let read = self.records.links(&challenge.user_sub, &claims.iss, &claims.sub);
        let links = invocation.hop("records", read).await.map_err(|error| {
            invocation.note("the records could not be used", Some(error.code));
            Reason::RecordsUnavailable
        })?;
        let question = subject::Question {
            challenge,
            claims,
            links: &links,
            attributes: &event.request.user_attributes,
            community: &settings.connection.community,
            now_unix_s: self.clock.now_unix_s(),
        };
        // An unknown user came all the way so as to take as long as a known one.
        event.user_sub().ok_or(Reason::SubjectMismatch)?;
        match subject::bind(&question, None) {
            Err(subject::Unbound::AccountAgeNeeded) => {
                let read = self.users.made_at_unix_s(&event.user_pool_id, &event.user_name);
                let made_at = invocation.hop("account", read).await.map_err(|error| {
                    invocation.note("the age of an account could not be read", Some(error.code));
                    Reason::LinkRefused
                })?;
                subject::bind(&question, Some(made_at)).map_err(subject::Unbound::reason)
            }
            bound => bound.map_err(subject::Unbound::reason),
        }
    }
}
