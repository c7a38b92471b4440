//! *define*: what comes next in a sign-in. The rules are `step_up::define`; here are the event and the policy.

use crate::app;
use crate::app::metadata;
use crate::challenge::Challenge;
use crate::cognito_event::{CognitoEvent, respond};
use crate::events::Invocation;
use crate::policy_cache::AppPolicy;
use serde_json::{Value, json};
use std::sync::Arc;
use step_up::define::{
    Beginning, DefineDecision, DefineInput, Progress, Round, UserDecision, Why, decide, last_journey, read,
};
use step_up::event::EventType;
use step_up::reason::Reason;
use step_up::settings::TenantSettings;

/// What *define* and *create* both know about a session.
pub(crate) struct Session {
    pub(crate) settings: Option<Arc<TenantSettings>>,
    pub(crate) item: Option<Arc<AppPolicy>>,
    pub(crate) decision: DefineDecision,
    /// For events, also of a session that is over; a challenge takes its journey from the decision.
    pub(crate) journey: Option<String>,
    pub(crate) action: Option<String>,
}

/// Answers a *define* event.
pub(crate) async fn handle(
    function: &Challenge,
    invocation: &Invocation<'_>,
    event: &CognitoEvent,
    received: Value,
) -> Value {
    let session = session(function, invocation, event).await;
    let journey = session.journey.as_deref();
    let (challenge, tokens, fail) = match &session.decision {
        DefineDecision::AskPasswordVerifier => (Some("PASSWORD_VERIFIER"), false, false),
        DefineDecision::AskCustom(_) => (Some("CUSTOM_CHALLENGE"), false, false),
        DefineDecision::IssueTokens { why } => {
            let skipped = match why {
                Why::StepUp { .. } => None,
                Why::PolicySkip => Some(EventType::Skipped),
                Why::Exempt => Some(EventType::Exempted),
            };
            if let Some(event_type) = skipped {
                invocation.emit(&invocation.event(event_type, journey, None, None));
            }
            (None, true, false)
        }
        DefineDecision::Fail(reason) => {
            let mut failed = invocation.event(EventType::Failed, journey, None, Some(*reason));
            failed.action.clone_from(&session.action);
            invocation.emit(&failed);
            (None, false, true)
        }
    };
    respond(
        received,
        vec![
            ("challengeName", json!(challenge)),
            ("issueTokens", json!(tokens)),
            ("failAuthentication", json!(fail)),
        ],
    )
}

/// Reads settings, policy and history, and decides.
pub(crate) async fn session(
    function: &Challenge,
    invocation: &Invocation<'_>,
    event: &CognitoEvent,
) -> Session {
    let clock = &*function.clock;
    invocation.user(event.user_sub());
    let (tenant, app) = tokio::join!(
        app::tenant(&function.settings, clock, invocation, event),
        app::app(&function.policies, clock, invocation, event),
    );
    let history: Vec<Round<'_>> = event
        .request
        .session
        .iter()
        .map(|round| Round {
            challenge_name: &round.challenge_name,
            challenge_result: round.challenge_result,
            metadata: round.challenge_metadata.as_deref(),
        })
        .collect();
    let progress = read(&history).ok();
    let action = action(progress.as_ref(), event);
    let policy = match (&tenant, &app) {
        (Err(reason), _) | (_, Err(reason)) => UserDecision::Unavailable(*reason),
        (Ok(_), Ok(item)) => user_decision(
            invocation,
            item,
            event,
            progress.as_ref(),
            action,
            clock.now_unix_s(),
        ),
    };
    let decision = decide(&DefineInput {
        history: &history,
        user_not_found: event.request.user_not_found,
        action_step_up: app.as_ref().is_ok_and(|item| item.action_step_up),
        suspended: tenant.as_ref().is_ok_and(|settings| settings.suspended),
        policy,
        action: event.client_metadata(metadata::ACTION),
    });
    Session {
        settings: tenant.ok(),
        item: app.ok(),
        decision,
        action: action.map(str::to_owned),
        journey: last_journey(&history),
    }
}

/// The action the policy is asked about: the one bound into the session, before that the one the client
/// names after its session proof. A sign-in has none, whatever the client says.
fn action<'a>(progress: Option<&'a Progress>, event: &'a CognitoEvent) -> Option<&'a str> {
    let progress = progress.filter(|progress| progress.beginning == Beginning::SessionProof)?;
    progress
        .action
        .as_deref()
        .or_else(|| event.client_metadata(metadata::ACTION))
}

fn user_decision(
    invocation: &Invocation<'_>,
    item: &AppPolicy,
    event: &CognitoEvent,
    progress: Option<&Progress>,
    action: Option<&str>,
    now_unix_s: i64,
) -> UserDecision {
    let proved = progress
        .is_some_and(|progress| matches!(progress.beginning, Beginning::Password | Beginning::SessionProof));
    if !proved {
        // Nobody learns anything about a user from what an unproved session is told.
        return UserDecision::Required { attempts: 1 };
    }
    let judged = app::judge(item, event, action, now_unix_s);
    invocation.rule(judged.rule);
    match (judged.decision, judged.requirement) {
        // BlockID could not be asked for this user: the attribute that names them there is missing.
        (UserDecision::Required { .. }, Some(asked))
            if event.user_sub().is_some()
                && app::asserted_username(event, &asked.subject_attribute).is_none() =>
        {
            UserDecision::Unavailable(Reason::LinkRefused)
        }
        (decision, _) => decision,
    }
}
