//! What all triggers ask first: whose event is this, and what does the app's policy say about the user?

use crate::cache::Served;
use crate::clock::Clock;
use crate::cognito_event::CognitoEvent;
use crate::events::Invocation;
use crate::policy_cache::{AppPolicy, PolicyCache};
use crate::settings_cache::SettingsCache;
use std::sync::Arc;
use step_up::define::UserDecision;
use step_up::event::user_hash;
use step_up::policy::{Outcome, Requirement, Subject};
use step_up::policy_item::PolicyItem;
use step_up::reason::Reason;
use step_up::settings::{EventHashKey, TenantSettings};

/// Attribute name that stands for Cognito's own user name.
pub const USERNAME: &str = "username";

/// Names in `ClientMetadata` that the triggers read.
pub mod metadata {
    /// Journey whose grant the client wants to use; the grant is the authority.
    pub const JOURNEY: &str = "journey_id";
    /// Action the user wants to step up for.
    pub const ACTION: &str = "action";
    /// Hash of the transaction the action is for.
    pub const ACTION_REF: &str = "action_ref";
}

/// The settings, if the event comes from this tenant's pool.
pub async fn tenant(
    settings: &SettingsCache,
    clock: &dyn Clock,
    invocation: &Invocation<'_>,
    event: &CognitoEvent,
) -> Result<Arc<TenantSettings>, Reason> {
    let served = invocation
        .hop("settings", settings.get(clock))
        .await
        .map_err(|error| {
            invocation.note("the settings could not be read", Some(error.code));
            Reason::SettingsUnavailable
        })?;
    invocation.settings(&served.value);
    invocation.stale(served.stale);
    match &served.value.user_pool_id {
        None => Err(Reason::SettingsUnavailable),
        Some(pool) if *pool != event.user_pool_id => Err(Reason::ForeignPool),
        Some(_) => Ok(served.value),
    }
}

/// The policy of the app client that asks.
pub async fn app(
    policies: &PolicyCache,
    clock: &dyn Clock,
    invocation: &Invocation<'_>,
    event: &CognitoEvent,
) -> Result<Arc<AppPolicy>, Reason> {
    let read = invocation
        .hop("policy", policies.get(&event.caller_context.client_id, clock))
        .await;
    match read {
        Ok(Some(Served { value, stale })) => {
            invocation.policy(&value.app_id, value.policy_version, stale);
            Ok(value)
        }
        Ok(None) => Err(Reason::UnknownClient),
        Err(error) => {
            invocation.note("the policy could not be read", Some(error.code));
            Err(Reason::PolicyStale)
        }
    }
}

/// What the policy says about a user.
pub struct Judged<'a> {
    /// For the *define* machine.
    pub decision: UserDecision,
    /// What is asked for, when a step-up is.
    pub requirement: Option<&'a Requirement>,
    /// Rule that decided.
    pub rule: &'a str,
    /// Exemption that stands in for the step-up.
    pub exemption: Option<&'a str>,
}

/// Evaluates the app's policy for the event's user.
pub fn judge<'a>(
    item: &'a AppPolicy,
    event: &CognitoEvent,
    action: Option<&str>,
    now_unix_s: i64,
) -> Judged<'a> {
    let attributes = &event.request.user_attributes;
    let decided = item
        .compiled
        .evaluate(&Subject::of_user(attributes, &item.app_id, action));
    let exemption = exemption(item, event.user_sub(), now_unix_s);
    let decision = match decided.outcome {
        Outcome::NotRequired(_) => UserDecision::NotRequired,
        // An exemption replaces the step-up of a sign-in; an action is stepped up for or not done.
        Outcome::Required(_) if exemption.is_some() && action.is_none() => UserDecision::Exempt,
        Outcome::Required(asked) => UserDecision::Required {
            attempts: asked.attempts,
        },
    };
    Judged {
        decision,
        requirement: decided.outcome.requirement(),
        rule: decided.rule,
        exemption: exemption.filter(|_| decision == UserDecision::Exempt),
    }
}

fn exemption<'a>(item: &'a PolicyItem, user_sub: Option<&str>, now_unix_s: i64) -> Option<&'a str> {
    let user_sub = user_sub?;
    item.exemptions
        .iter()
        .filter(|exemption| now_unix_s < exemption.expires_at_unix_s)
        .find(|exemption| {
            exemption
                .user_sub
                .as_deref()
                .is_none_or(|exempt| exempt == user_sub)
        })
        .map(|exemption| exemption.id.as_str())
}

/// Name under which BlockID is asked for the user; `None` when the user lacks the attribute.
pub fn asserted_username<'a>(event: &'a CognitoEvent, attribute: &str) -> Option<&'a str> {
    let name = if attribute == USERNAME {
        &event.user_name
    } else {
        event.request.user_attributes.get(attribute)?
    };
    Some(name.as_str()).filter(|name| !name.is_empty())
}

/// The user's `sub`; for an unknown user a made-up one, so that every step has something to work with and
/// nothing is skipped. It cannot be a real one: those are UUIDs.
pub fn subject(event: &CognitoEvent, key: &EventHashKey) -> String {
    event.user_sub().map_or_else(
        || format!("unknown-{}", user_hash(key, &event.user_name).unwrap_or_default()),
        str::to_owned,
    )
}
