//! The one-line JSON event a trigger prints: the only thing that leaves the sign-in path.
//!
//! A line is a step-up event when it is a JSON object whose `stepgate_event` is a known version. It
//! holds no personal data in clear: the user is an HMAC under the tenant's key.

use crate::{reason::Reason, settings::EventHashKey};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// Version of [`StepUpEvent`] that this crate writes.
pub const EVENT_SCHEMA_VERSION: u32 = 1;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventType {
    /// The password passed and a step-up is required.
    Started,
    /// A challenge was handed to the browser.
    Offered,
    /// A step-up satisfied the policy.
    Succeeded,
    /// An answer was refused.
    Failed,
    /// The policy required no step-up.
    Skipped,
    /// An exemption stood in for the step-up.
    Exempted,
    /// The gate refused tokens.
    RefusedTokens,
    /// The gate let tokens pass.
    Tokens,
    /// A BlockID subject was linked to a user.
    Linked,
    /// The password was reset: what earlier step-ups left behind is gone.
    PasswordReset,
}

/// One fact about one journey.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepUpEvent {
    /// [`EVENT_SCHEMA_VERSION`] of the writer.
    pub stepgate_event: u32,
    /// Derived from journey, type and round, so that Cognito's retries give the same id.
    pub event_id: String,
    /// When, seconds since the Unix epoch with milliseconds.
    pub at_unix_ms: i64,
    /// What.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// Tenant as the function knows it; readers take the tenant from the log stream instead.
    pub tenant_id: String,
    /// App, when known.
    pub app_id: Option<String>,
    /// Journey, when known.
    pub journey_id: Option<String>,
    /// Round within the session, from 1.
    pub round: Option<u8>,
    /// [`user_hash`] of the user.
    pub user_hash: Option<String>,
    /// Why, for refusals.
    pub reason: Option<Reason>,
    /// Method asked for or used (ACR value).
    pub method: Option<String>,
    /// Whether a success came by another method than the one that the policy names first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<bool>,
    /// `acr` of the id_token.
    pub acr: Option<String>,
    /// `amr` of the id_token.
    #[serde(default)]
    pub amr: Vec<String>,
    /// Achieved authenticator assurance level.
    pub aal: Option<u8>,
    /// Achieved identity assurance level.
    pub ial: Option<u8>,
    /// Policy version that decided.
    pub policy_version: Option<i64>,
    /// Rule that decided.
    pub rule: Option<String>,
    /// Whether a stale policy had to be used.
    #[serde(default)]
    pub policy_stale: bool,
    /// Action, when it is not a sign-in.
    pub action: Option<String>,
    /// Trigger source of the Cognito event (for example `TokenGeneration_RefreshTokens`).
    pub source: Option<String>,
    /// Whether this was the first invocation of the process.
    pub cold_start: bool,
    /// Time spent in the function, ms.
    pub duration_ms: u32,
    /// Time spent per hop (`settings`, `policy`, `token`, `records`, …), ms.
    #[serde(default)]
    pub hops_ms: std::collections::BTreeMap<String, u32>,
    /// Version of the trigger binary.
    pub trigger_version: String,
}

/// Version of [`EventBatch`] that this crate writes.
pub const BATCH_SCHEMA_VERSION: u32 = 1;

/// Lines of one function on their way from its log to the control plane: the body of a queue message, made by the
/// forwarder.
///
/// The tenant is the one whose function wrote the lines, read from the name of the log stream, which only that
/// function may write to. What a line itself says of its tenant is compared with it and believed in no case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventBatch {
    /// [`BATCH_SCHEMA_VERSION`] of the writer.
    pub stepgate_batch: u32,
    /// Tenant whose function wrote the lines.
    pub tenant_id: String,
    /// The events as they were printed; those of a newer [`StepUpEvent`] than the forwarder knows pass unchanged.
    pub events: Vec<serde_json::Value>,
}

/// The user as events name it: HMAC-SHA256 of the `sub` under the tenant's key, hex, first 32 characters. `None` when the
/// key is broken: then there is no name at all.
pub fn user_hash(key: &EventHashKey, sub: &str) -> Option<String> {
    let key = STANDARD.decode(&key.0).ok()?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(sub.as_bytes());
    Some(hex::encode(mac.finalize().into_bytes())[..32].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_user_is_hidden_and_a_broken_key_hides_altogether() {
        let key = |byte: u8| EventHashKey(STANDARD.encode([byte; 32]));
        let hash = user_hash(&key(7), "f3b5a1").expect("hash");
        assert_eq!(hash.len(), 32);
        assert!(!hash.contains("f3b5a1"));
        assert_ne!(user_hash(&key(8), "f3b5a1"), Some(hash.clone()));
        assert_ne!(user_hash(&key(7), "f3b5a2"), Some(hash));
        assert_eq!(user_hash(&EventHashKey("not base64!".to_owned()), "f3b5a1"), None);
    }

    /// Names in the first column of the tables of a page, each in backquotes.
    fn first_columns(page: &str) -> BTreeSet<&str> {
        let cells = page.lines().filter_map(|line| line.strip_prefix("| `"));
        let cells = cells.filter_map(|rest| rest.split(" |").next());
        cells
            .flat_map(|cell| cell.split(", `").map(|name| name.trim_end_matches('`')))
            .collect()
    }

    #[test]
    fn every_type_and_field_is_in_the_page() {
        let page = include_str!("../../../docs/events.md");
        let page = page.split("## The way").next().expect("a part");
        let named = first_columns(page);
        let event = StepUpEvent {
            stepgate_event: EVENT_SCHEMA_VERSION,
            event_id: String::new(),
            at_unix_ms: 0,
            event_type: EventType::Started,
            tenant_id: String::new(),
            app_id: None,
            journey_id: None,
            round: None,
            user_hash: None,
            reason: None,
            method: None,
            fallback: Some(false),
            acr: None,
            amr: Vec::new(),
            aal: None,
            ial: None,
            policy_version: None,
            rule: None,
            policy_stale: false,
            action: None,
            source: None,
            cold_start: false,
            duration_ms: 0,
            hops_ms: std::collections::BTreeMap::new(),
            trigger_version: String::new(),
        };
        let event = serde_json::to_value(&event).expect("JSON");
        let fields = event.as_object().expect("an object").keys();
        // Serde tells all variants when it finds none of them.
        let refused = serde_json::from_str::<EventType>("\"\"").expect_err("no type");
        let refused = refused.to_string();
        let types: Vec<_> = refused.split('`').skip(3).step_by(2).collect();
        assert!(
            types.len() >= 10 && types.contains(&"password_reset"),
            "{types:?}"
        );
        let known: BTreeSet<_> = fields.map(String::as_str).chain(types).collect();
        assert_eq!(named, known);
    }
}
