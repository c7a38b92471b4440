//! The first round of an action step-up: the user proves to be signed in, with an access token.
//!
//! The token is checked here (signature, purpose, pool, client, user, expiry), and then shown to Cognito:
//! only `GetUser` knows of revocation and of disabled users. The action is named in the answer and, for
//! *define* and *create* of the same call, in the client's metadata; the two must agree.

use super::access_token::{Expected, TokenError, check};
use super::{Budget, Verify, users};
use crate::app::metadata;
use crate::cognito_event::CognitoEvent;
use crate::events::Invocation;
use crate::outcome::SourceError;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use step_up::challenge::{PrivateChallenge, ProofAnswer};
use step_up::reason::Reason;
use step_up::settings::TenantSettings;

impl Verify {
    /// Judges the answer to a session proof.
    pub(super) async fn session_proof(
        &self,
        invocation: &Invocation<'_>,
        event: &CognitoEvent,
        settings: &TenantSettings,
        challenge: &PrivateChallenge,
        budget: Budget,
    ) -> Result<(), Reason> {
        let answer = ProofAnswer::parse(&event.request.challenge_answer)?;
        if event.client_metadata(metadata::ACTION) != Some(answer.action.as_str()) {
            return Err(Reason::ActionRefused);
        }
        let pool = settings
            .user_pool_id
            .as_deref()
            .ok_or(Reason::SettingsUnavailable)?;
        let token = SecretString::from(answer.access_token);
        let expected = Expected {
            issuer: &users::issuer(pool),
            client_id: &challenge.client_id,
            user_sub: &challenge.user_sub,
            now_unix_s: self.clock.now_unix_s(),
        };
        let keys = self.keys_for(invocation, pool, &token, &expected, budget).await?;
        check(token.expose_secret(), &keys, &expected).map_err(|_| Reason::SessionProofInvalid)?;
        let asked = invocation.hop("get_user", self.users.sub_of(&token)).await;
        let sub = asked.map_err(|error| unavailable(invocation, error))?;
        if sub.as_deref() == Some(challenge.user_sub.as_str()) {
            Ok(())
        } else {
            Err(Reason::SessionProofInvalid)
        }
    }

    /// The pool's keys; fetched anew when they are old or do not have the token's.
    async fn keys_for(
        &self,
        invocation: &Invocation<'_>,
        pool: &str,
        token: &SecretString,
        expected: &Expected<'_>,
        budget: Budget,
    ) -> Result<Value, Reason> {
        let now_ms = self.clock.now_unix_ms();
        if let Some(held) = self.pool_keys.held(pool, now_ms) {
            let known = check(token.expose_secret(), &held, expected) != Err(TokenError::UnknownKey);
            if known || !self.pool_keys.may_fetch(now_ms) {
                return Ok(held);
            }
        }
        let fetch = self.users.pool_keys(pool, budget.judged_by);
        let keys = invocation
            .hop("pool_jwks", fetch)
            .await
            .map_err(|error| unavailable(invocation, error))?;
        self.pool_keys.store(pool, keys.clone(), now_ms);
        Ok(keys)
    }
}

fn unavailable(invocation: &Invocation<'_>, error: SourceError) -> Reason {
    invocation.note("the user pool could not be asked", Some(error.code));
    Reason::Internal
}
