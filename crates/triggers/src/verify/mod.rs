//! The function `verify`: is the answer right?
//!
//! AWS's event carries no session here: everything to compare with is in the private parameters that
//! *create* left. The whole of it, cold start included, has 3.5 s, because Cognito waits 5 s and then tries
//! again with an answer that can be used once.
//!
//! | module | holds |
//! | --- | --- |
//! | `round` | claiming a round, storing its outcome, the events |
//! | [`step_up`] | code, id_token, what it proves |
//! | [`subject`] | the tie between BlockID subject and Cognito user |
//! | [`session_proof`] | the first round of an action step-up |
//! | [`access_token`] | the local check of an access token |
//! | [`provider`] | BlockID, as a trait and for real |
//! | [`users`] | the pool's users and keys, as a trait and for real |
//! | `probe` | trying out credentials that wait to be promoted |
//! | `pilot` | telling the control plane what the provider returns for a method |

pub mod access_token;
mod pilot;
mod probe;
pub mod provider;
mod round;
pub mod session_proof;
pub mod step_up;
pub mod subject;
pub mod users;

use crate::app;
use crate::clock::Clock;
use crate::cognito_event::{CognitoEvent, respond};
use crate::events::{Invocation, Reporter, Sink};
use crate::records::Records;
use crate::settings_cache::{CredentialsCache, Secrets, SettingsCache};
use ::step_up::challenge::{CHALLENGE_VERSION, PRIVATE_PARAMETER, PrivateChallenge};
use ::step_up::reason::Reason;
use ::step_up::settings::TenantSettings;
use provider::{KeySets, Provider};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use users::{PoolKeys, Users};

/// `triggerSource` of *verify*.
pub const VERIFY: &str = "VerifyAuthChallengeResponse_Authentication";
/// Time for everything, from the event's arrival, ms.
pub const BUDGET_MS: u64 = 3_500;
/// Part of it kept for storing the outcome, ms.
pub const RESERVE_MS: u64 = 700;

/// Everything outside that the function works with.
pub struct Outside {
    /// Secrets Manager.
    pub secrets: Arc<dyn Secrets>,
    /// The records table.
    pub records: Arc<dyn Records>,
    /// BlockID.
    pub provider: Arc<dyn Provider>,
    /// The pool's users and keys.
    pub users: Arc<dyn Users>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where events go.
    pub sink: Arc<dyn Sink>,
}

/// The function, with what it remembers between invocations.
pub struct Verify {
    settings: SettingsCache,
    credentials: CredentialsCache,
    records: Arc<dyn Records>,
    provider: Arc<dyn Provider>,
    provider_keys: KeySets,
    users: Arc<dyn Users>,
    pool_keys: PoolKeys,
    clock: Arc<dyn Clock>,
    reporter: Reporter,
}

/// How much time an invocation has left.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// When the outcome must be known.
    pub judged_by: Instant,
    /// When it must be stored.
    pub stored_by: Instant,
}

impl Budget {
    /// A budget that begins now.
    pub fn begin() -> Self {
        let now = Instant::now();
        Self {
            judged_by: now + Duration::from_millis(BUDGET_MS - RESERVE_MS),
            stored_by: now + Duration::from_millis(BUDGET_MS),
        }
    }
}

impl Verify {
    /// A cold function of a tenant.
    pub fn new(tenant_id: &str, settings_arn: &str, credentials_arn: &str, outside: Outside) -> Self {
        let secrets = outside.secrets;
        Self {
            settings: SettingsCache::new(
                Arc::clone(&secrets),
                settings_arn.to_owned(),
                tenant_id.to_owned(),
            ),
            credentials: CredentialsCache::new(secrets, credentials_arn.to_owned()),
            records: outside.records,
            provider: outside.provider,
            provider_keys: KeySets::default(),
            users: outside.users,
            pool_keys: PoolKeys::default(),
            clock: Arc::clone(&outside.clock),
            reporter: Reporter::new(outside.sink, outside.clock, tenant_id.to_owned()),
        }
    }

    /// Reads what a cold function needs while Lambda still starts it. What fails here is tried again, and
    /// reported, with the first event.
    pub async fn warm_up(&self) {
        let _ = tokio::join!(self.settings.get(&*self.clock), self.credentials.get());
    }

    /// Answers one event: `answerCorrect`, or the outcome of a probe or a pilot step-up.
    pub async fn handle(&self, request_id: &str, received: Value) -> Value {
        let budget = Budget::begin();
        if let Some(probe) = probe::asked(&received) {
            return self.probe(&probe, budget).await;
        }
        if let Some(pilot) = pilot::asked(&received) {
            return self.pilot(request_id, pilot, budget).await;
        }
        let event = CognitoEvent::read(&received);
        let invocation = self.reporter.invocation(request_id, &event.trigger_source);
        let passed = match self.challenge(&invocation, &event, budget).await {
            Ok((settings, challenge)) => {
                self.round(&invocation, &event, &settings, &challenge, budget)
                    .await
            }
            Err(reason) => {
                round::refused_early(&invocation, reason);
                false
            }
        };
        respond(received, vec![("answerCorrect", json!(passed))])
    }

    /// The settings and the challenge that is answered, if both are ours and belong together.
    async fn challenge(
        &self,
        invocation: &Invocation<'_>,
        event: &CognitoEvent,
        budget: Budget,
    ) -> Result<(Arc<TenantSettings>, PrivateChallenge), Reason> {
        invocation.user(event.user_sub());
        // Both secrets at once: after a cold start this is the first thing that waits.
        let reads = async {
            tokio::join!(
                app::tenant(&self.settings, &*self.clock, invocation, event),
                invocation.hop("credentials", self.credentials.get()),
            )
        };
        let (tenant, _) = tokio::time::timeout_at(budget.judged_by.into(), reads)
            .await
            .map_err(|_| Reason::SettingsUnavailable)?;
        let settings = tenant?;
        if settings.suspended {
            return Err(Reason::Suspended);
        }
        let challenge = read_challenge(event, &settings).ok_or(Reason::MalformedChallenge)?;
        invocation.policy(&challenge.app_id, challenge.policy_version, false);
        invocation.rule(&challenge.rule);
        Ok((settings, challenge))
    }
}

/// The private parameters, if they were made by this version for this user and client.
fn read_challenge(event: &CognitoEvent, settings: &TenantSettings) -> Option<PrivateChallenge> {
    if event.trigger_source != VERIFY {
        return None;
    }
    let text = event
        .request
        .private_challenge_parameters
        .get(PRIVATE_PARAMETER)?;
    let challenge: PrivateChallenge = serde_json::from_str(text).ok()?;
    let ours = challenge.v == CHALLENGE_VERSION
        && challenge.user_sub == app::subject(event, &settings.event_hash_key)
        && challenge.client_id == event.caller_context.client_id
        && !challenge.state.is_empty()
        && !challenge.journey.is_empty();
    ours.then_some(challenge)
}
