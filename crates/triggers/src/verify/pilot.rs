//! Pilot step-ups: what does the provider return for a method?
//!
//! The control plane may not read the client secret. It invokes this function directly with
//! `{"stepgate_pilot": {"code", "nonce", "pkce_verifier", "issued_at_unix_s"}}` and learns what the id_token says
//! about the method ([`ToldMethod`]), or a reason. The token, its subject and whatever names a person stay here, and
//! no grant, evidence, link or event is written: a pilot signs nobody in. The nonce is the one thing a pilot is
//! lenient about, because whether the provider returns it is among what is to be learned.

use super::{Budget, Verify};
use crate::events::Invocation;
use blockid::{Claims, Expectation, VerifyError};
use secrecy::SecretString;
use serde_json::Value;
use step_up::pilot::{PILOT_EVENT, PilotOutcome, PilotRequest, ToldMethod};
use step_up::reason::Reason;

/// What was asked: readable, or not.
pub(super) type Asked = Result<PilotRequest, Reason>;

/// Whether an event is a pilot. Cognito's events always name a trigger source and never carry the field.
pub(super) fn asked(event: &Value) -> Option<Asked> {
    let pilot = event
        .get(PILOT_EVENT)
        .filter(|_| event.get("triggerSource").is_none())?;
    Some(serde_json::from_value(pilot.clone()).map_err(|_| Reason::MalformedAnswer))
}

impl Verify {
    /// Makes the pilot step-up and tells its outcome, nothing else.
    pub(super) async fn pilot(&self, request_id: &str, asked: Asked, budget: Budget) -> Value {
        let invocation = self.reporter.invocation(request_id, "pilot");
        let told = async { self.told(&invocation, asked?, budget).await };
        let outcome = match tokio::time::timeout_at(budget.stored_by.into(), told).await {
            Ok(Ok(told)) => PilotOutcome::Told(told),
            Ok(Err(reason)) => PilotOutcome::Refused { reason },
            Err(_) => PilotOutcome::Refused {
                reason: Reason::ProviderUnavailable,
            },
        };
        serde_json::to_value(outcome).unwrap_or_default()
    }

    async fn told(
        &self,
        invocation: &Invocation<'_>,
        asked: PilotRequest,
        budget: Budget,
    ) -> Result<ToldMethod, Reason> {
        let (settings, _) = tokio::join!(self.settings.get(&*self.clock), self.credentials.get());
        let settings = settings.map_err(|_| Reason::SettingsUnavailable)?.value;
        let provider = settings.provider.as_ref().ok_or(Reason::SettingsUnavailable)?;
        let code = SecretString::from(asked.code);
        let pkce_verifier = asked.pkce_verifier.as_deref();
        let about = (&*settings, provider);
        let (id_token, credentials) = self
            .exchange(invocation, about, (&code, pkce_verifier), budget)
            .await?;
        let verified = async |nonce: Option<&str>| {
            let expected = Expectation {
                nonce,
                ..self.expected_since(asked.issued_at_unix_s)
            };
            self.claims(invocation, about, (&credentials, &id_token), &expected, budget)
                .await
        };
        let (claims, nonce): (Claims, bool) = match verified(Some(&asked.nonce)).await? {
            Ok(claims) => (claims, true),
            // Silence is an answer here; another nonce is not.
            Err(VerifyError::NonceMissing) => (verified(None).await?.map_err(VerifyError::reason)?, false),
            Err(error) => return Err(error.reason()),
        };
        Ok(ToldMethod {
            acr: claims.acr,
            amr: claims.amr,
            auth_time: claims.auth_time.is_some(),
            nonce,
            pkce: pkce_verifier.is_some(),
        })
    }
}
