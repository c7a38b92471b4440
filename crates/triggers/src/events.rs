//! What leaves the sign-in path: one JSON line per fact, on standard output.
//!
//! Two kinds of lines exist, both of fixed fields: [`StepUpEvent`]s, and notes for the operator when
//! something outside refused to work. Nothing else may be printed: no answer, code, token, secret, state,
//! user name or message of a foreign library ever reaches a line.

use crate::clock::Clock;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use step_up::event::{EVENT_SCHEMA_VERSION, EventType, StepUpEvent, user_hash};
use step_up::reason::Reason;
use step_up::settings::{EventHashKey, TenantSettings};

/// Version of this binary, named in every event.
pub const TRIGGER_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Where lines go.
pub trait Sink: Send + Sync {
    /// Hands over one fact.
    fn event(&self, event: &StepUpEvent);
    /// Hands over one note.
    fn note(&self, note: &Note);
}

/// A note for the operator. Its fields are all it can hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// Format version, 1.
    pub stepgate_note: u8,
    /// What happened, a text of this program.
    pub message: &'static str,
    /// Error code of the service that refused, for example `AccessDeniedException`.
    pub code: Option<String>,
    /// Tenant as the function knows it.
    pub tenant_id: String,
}

/// Standard output, which Lambda sends to the function's log group.
#[derive(Debug, Clone, Copy)]
pub struct Stdout;

impl Stdout {
    /// Prints one value as a line.
    pub(crate) fn line(line: &impl Serialize) {
        if let Ok(mut text) = serde_json::to_vec(line) {
            text.push(b'\n');
            // Nobody could be told that the log is closed; the sign-in goes on.
            let _ = std::io::stdout().lock().write_all(&text);
        }
    }
}

impl Sink for Stdout {
    fn event(&self, event: &StepUpEvent) {
        Self::line(event);
    }

    fn note(&self, note: &Note) {
        Self::line(note);
    }
}

/// Makes the events of one process.
pub struct Reporter {
    sink: Arc<dyn Sink>,
    clock: Arc<dyn Clock>,
    tenant_id: String,
    cold: AtomicBool,
}

impl Reporter {
    /// A reporter whose first invocation counts as a cold start.
    pub fn new(sink: Arc<dyn Sink>, clock: Arc<dyn Clock>, tenant_id: String) -> Self {
        Self {
            sink,
            clock,
            tenant_id,
            cold: AtomicBool::new(true),
        }
    }

    /// Begins the account of one invocation.
    pub fn invocation(&self, request_id: &str, source: &str) -> Invocation<'_> {
        Invocation {
            reporter: self,
            request_id: request_id.to_owned(),
            source: source.chars().take(64).collect(),
            cold_start: self.cold.swap(false, Ordering::Relaxed),
            started_ms: self.clock.now_unix_ms(),
            facts: Mutex::new(Facts::default()),
        }
    }
}

/// The account of one invocation: what every event of it has in common.
pub struct Invocation<'a> {
    reporter: &'a Reporter,
    request_id: String,
    source: String,
    cold_start: bool,
    started_ms: i64,
    facts: Mutex<Facts>,
}

#[derive(Default)]
struct Facts {
    hops_ms: BTreeMap<String, u32>,
    hash_key: Option<EventHashKey>,
    user: Option<String>,
    app_id: Option<String>,
    policy_version: Option<i64>,
    rule: Option<String>,
    policy_stale: bool,
}

impl Invocation<'_> {
    /// When the invocation began, ms since the Unix epoch.
    pub fn started_ms(&self) -> i64 {
        self.started_ms
    }

    /// Runs one hop and notes how long it took.
    pub async fn hop<T>(&self, name: &str, work: impl Future<Output = T>) -> T {
        let begin = self.reporter.clock.now_unix_ms();
        let result = work.await;
        let took = millis(self.reporter.clock.now_unix_ms() - begin);
        let mut facts = self.facts();
        let hop = facts.hops_ms.entry(name.to_owned()).or_default();
        *hop = hop.saturating_add(took);
        drop(facts);
        result
    }

    /// Notes the tenant's settings: they hold the key that hides users.
    pub fn settings(&self, settings: &TenantSettings) {
        self.facts().hash_key = Some(settings.event_hash_key.clone());
    }

    /// Notes whom the invocation is about: the Cognito `sub`, hidden by an HMAC in events.
    pub fn user(&self, sub: Option<&str>) {
        self.facts().user = sub.map(str::to_owned);
    }

    /// Notes the app and the version of its policy.
    pub fn policy(&self, app_id: &str, policy_version: i64, stale: bool) {
        let mut facts = self.facts();
        facts.app_id = Some(app_id.to_owned());
        facts.policy_version = Some(policy_version);
        facts.policy_stale |= stale;
    }

    /// Notes that a settings document had to serve beyond its time.
    pub fn stale(&self, stale: bool) {
        self.facts().policy_stale |= stale;
    }

    /// Notes the rule that decided.
    pub fn rule(&self, rule: &str) {
        self.facts().rule = Some(rule.to_owned());
    }

    /// An event of this invocation. `journey` is `None` where the sign-in has none: then the id rests on the
    /// invocation, and a repetition by Cognito is another event.
    pub fn event(
        &self,
        event_type: EventType,
        journey: Option<&str>,
        round: Option<u8>,
        reason: Option<Reason>,
    ) -> StepUpEvent {
        let now_ms = self.reporter.clock.now_unix_ms();
        let facts = self.facts();
        StepUpEvent {
            stepgate_event: EVENT_SCHEMA_VERSION,
            event_id: event_id(journey.unwrap_or(&self.request_id), event_type, round, reason),
            at_unix_ms: now_ms,
            event_type,
            tenant_id: self.reporter.tenant_id.clone(),
            app_id: facts.app_id.clone(),
            journey_id: journey.map(str::to_owned),
            round,
            user_hash: facts
                .hash_key
                .as_ref()
                .zip(facts.user.as_deref())
                .and_then(|(key, sub)| user_hash(key, sub)),
            reason,
            method: None,
            fallback: None,
            acr: None,
            amr: Vec::new(),
            aal: None,
            ial: None,
            policy_version: facts.policy_version,
            rule: facts.rule.clone(),
            policy_stale: facts.policy_stale,
            action: None,
            source: Some(self.source.clone()),
            cold_start: self.cold_start,
            duration_ms: millis(now_ms - self.started_ms),
            hops_ms: facts.hops_ms.clone(),
            trigger_version: TRIGGER_VERSION.to_owned(),
        }
    }

    /// Prints an event.
    pub fn emit(&self, event: &StepUpEvent) {
        self.reporter.sink.event(event);
    }

    /// Prints a note for the operator.
    pub fn note(&self, message: &'static str, code: Option<String>) {
        let code = code.map(|code| code.chars().filter(char::is_ascii_graphic).take(64).collect());
        self.reporter.sink.note(&Note {
            stepgate_note: 1,
            message,
            code,
            tenant_id: self.reporter.tenant_id.clone(),
        });
    }

    fn facts(&self) -> std::sync::MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Same journey, type, round and reason: same id. Cognito's retries and the emulator's second call of a
/// pre-token trigger thus count once.
pub fn event_id(seed: &str, event_type: EventType, round: Option<u8>, reason: Option<Reason>) -> String {
    let mut hash = Sha256::new();
    hash.update(seed.as_bytes());
    hash.update([0, u8::from(round.is_some()), round.unwrap_or(0)]);
    hash.update(serde_json::to_vec(&event_type).unwrap_or_default());
    hash.update(reason.map_or("", Reason::code).as_bytes());
    format!("evt_{}", &hex::encode(hash.finalize())[..32])
}

fn millis(ms: i64) -> u32 {
    u32::try_from(ms.max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_id_rests_on_journey_type_round_and_reason() {
        let id = event_id("jrn_1", EventType::Failed, Some(1), Some(Reason::StateMismatch));
        assert_eq!(
            id,
            event_id("jrn_1", EventType::Failed, Some(1), Some(Reason::StateMismatch))
        );
        assert_ne!(
            id,
            event_id("jrn_1", EventType::Failed, Some(2), Some(Reason::StateMismatch))
        );
        assert_ne!(
            id,
            event_id("jrn_1", EventType::Failed, Some(1), Some(Reason::AnswerReplayed))
        );
        assert_ne!(
            id,
            event_id(
                "jrn_1",
                EventType::Succeeded,
                Some(1),
                Some(Reason::StateMismatch)
            )
        );
        assert_ne!(
            id,
            event_id("jrn_2", EventType::Failed, Some(1), Some(Reason::StateMismatch))
        );
    }
}
