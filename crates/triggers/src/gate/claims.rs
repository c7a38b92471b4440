//! What tokens say about the step-up.
//!
//! | claim | holds |
//! | --- | --- |
//! | `stepup_acr` | `acr` of the id_token; the method's ACR value where the provider gives none |
//! | `stepup_amr` | `amr` of the id_token, a JSON array as text |
//! | `stepup_at` | when it was verified, seconds since the Unix epoch |
//! | `stepup_policy` | version of the policy that let the tokens pass |
//! | `stepup_action`, `action_ref` | the action and the hash of its transaction, only in an action's own tokens |
//! | `stepup_exempt` | id of the exemption that stood in for the step-up |
//!
//! Values are text in both event versions, because version 1 takes nothing else and an app should not have
//! to tell the two apart. Version 1 reaches ID tokens only.

use super::Pass;
use crate::cognito_event::{self, CognitoEvent};
use serde_json::{Map, Value, json};
use step_up::policy_item::PolicyItem;

/// Writes the claims into the event.
pub(super) fn respond(event: &CognitoEvent, received: Value, pass: &Pass, item: &PolicyItem) -> Value {
    let claims = json!({ "claimsToAddOrOverride": of(pass, item) });
    let details = if is_version_1(event, &received) {
        ("claimsOverrideDetails", claims)
    } else {
        let both = json!({ "idTokenGeneration": claims, "accessTokenGeneration": claims });
        ("claimsAndScopeOverrideDetails", both)
    };
    cognito_event::respond(received, vec![details])
}

/// Version 1 says so, and its empty response has a field that the later versions do not have.
fn is_version_1(event: &CognitoEvent, received: &Value) -> bool {
    let response = received.get("response").and_then(Value::as_object);
    event.version == "1"
        && response.is_none_or(|fields| !fields.contains_key("claimsAndScopeOverrideDetails"))
}

fn of(pass: &Pass, item: &PolicyItem) -> Map<String, Value> {
    let mut claims = Map::new();
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            claims.insert(name.to_owned(), Value::String(value));
        }
    };
    match pass {
        Pass::StepUp {
            achievement,
            action,
            action_ref,
            ..
        } => {
            add(
                "stepup_acr",
                achievement.acr.clone().or_else(|| achievement.method.clone()),
            );
            add("stepup_amr", serde_json::to_string(&achievement.amr).ok());
            add("stepup_at", Some(achievement.at_unix_s.to_string()));
            add("stepup_policy", Some(achievement.policy_version.to_string()));
            add("stepup_action", action.clone());
            add("action_ref", action_ref.clone());
        }
        Pass::NotRequired => add("stepup_policy", Some(item.policy_version.to_string())),
        Pass::Exempt(id) => {
            add("stepup_policy", Some(item.policy_version.to_string()));
            add("stepup_exempt", Some(id.clone()));
        }
    }
    claims
}
