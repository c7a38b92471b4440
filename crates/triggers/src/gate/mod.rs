//! The pre-token gate: no tokens for a user who needs a step-up, on any path, without one.
//!
//! Cognito mints tokens on paths where *define* is never asked, and calls plain SRP, a typed password and
//! CUSTOM_AUTH by the same source name. So the gate believes only what *verify* wrote to the records, keyed
//! by the user's `sub`.
//!
//! | source | while a step-up is required | when none is |
//! | --- | --- | --- |
//! | `TokenGeneration_Authentication` | passes with a grant: 60 s old at most, used once (again within 10 s) | passes |
//! | `TokenGeneration_RefreshTokens` | passes when *all* live evidence of the app satisfies the policy in force; claims the oldest and weakest | passes |
//! | `TokenGeneration_NewPasswordChallenge` | refused, `first_password_set`: the password is set, a sign-in follows | passes |
//! | `TokenGeneration_HostedAuth` | refused, `source_refused`: hosted pages never ask for a step-up | passes |
//! | `TokenGeneration_AuthenticateDevice` | refused, `source_refused` | passes |
//! | anything else | refused, `source_refused` | refused: a source that does not exist yet is not understood |
//!
//! An exemption stands in for the step-up on the first two sources. A tenant that is suspended, an unknown
//! app client, another pool, and records that cannot be read are refused everywhere.
//!
//! A sign-in without step-up (skip, exemption) leaves evidence of nothing: should the policy then ask for
//! one, that session's refresh must not ride on the step-up of another.

mod claims;
mod refresh;
mod sign_in;

use crate::app::{self, Judged, metadata};
use crate::challenge::Challenge;
use crate::cognito_event::CognitoEvent;
use crate::events::Invocation;
use crate::outcome::{RefusedTokens, SourceError};
use crate::policy_cache::AppPolicy;
use crate::records::Achievement;
use serde_json::Value;
use std::sync::Arc;
use step_up::define::UserDecision;
use step_up::event::EventType;
use step_up::reason::Reason;
use step_up::settings::TenantSettings;

/// Why tokens may be issued, and what they shall say.
pub(crate) enum Pass {
    /// A step-up, now or (on refresh) earlier.
    StepUp {
        /// What it achieved.
        achievement: Box<Achievement>,
        /// Action it was for.
        action: Option<String>,
        /// Hash of the transaction the action was for.
        action_ref: Option<String>,
        /// Round of the journey that was answered; `None` on refresh.
        round: Option<u8>,
    },
    /// The policy asks for none.
    NotRequired,
    /// An exemption stands in for it.
    Exempt(String),
}

/// Which path the tokens are asked for on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Authentication,
    Refresh,
    NewPassword,
    Other,
    Unknown,
}

impl Source {
    fn of(trigger_source: &str) -> Self {
        match trigger_source {
            "TokenGeneration_Authentication" => Self::Authentication,
            "TokenGeneration_RefreshTokens" => Self::Refresh,
            "TokenGeneration_NewPasswordChallenge" => Self::NewPassword,
            "TokenGeneration_HostedAuth" | "TokenGeneration_AuthenticateDevice" => Self::Other,
            _ => Self::Unknown,
        }
    }
}

/// What the gate knows once it may ask the records.
pub(crate) struct Question<'a> {
    pub(crate) function: &'a Challenge,
    pub(crate) invocation: &'a Invocation<'a>,
    pub(crate) settings: &'a TenantSettings,
    pub(crate) item: &'a AppPolicy,
    pub(crate) judged: &'a Judged<'a>,
    pub(crate) user_sub: &'a str,
    /// Journey the client names.
    pub(crate) selector: Option<&'a str>,
    pub(crate) now_ms: i64,
}

impl Question<'_> {
    pub(crate) fn now_s(&self) -> i64 {
        self.now_ms.div_euclid(1_000)
    }

    /// Records that cannot be read open nothing.
    pub(crate) fn unavailable(&self, error: SourceError) -> Reason {
        self.invocation
            .note("the records could not be used", Some(error.code));
        Reason::RecordsUnavailable
    }

    /// The way past without a step-up, where there is one.
    pub(crate) fn without_step_up(&self) -> Option<Pass> {
        match self.judged.decision {
            UserDecision::NotRequired => Some(Pass::NotRequired),
            UserDecision::Exempt => self.judged.exemption.map(|id| Pass::Exempt(id.to_owned())),
            UserDecision::Required { .. } | UserDecision::Unavailable(_) => None,
        }
    }
}

/// Answers a pre-token event, or refuses it.
pub(crate) async fn handle(
    function: &Challenge,
    invocation: &Invocation<'_>,
    event: &CognitoEvent,
    received: Value,
) -> Result<Value, RefusedTokens> {
    match decide(function, invocation, event).await {
        Ok((pass, item)) => {
            report(invocation, &pass);
            Ok(claims::respond(event, received, &pass, &item))
        }
        Err(reason) => {
            invocation.emit(&invocation.event(EventType::RefusedTokens, None, None, Some(reason)));
            Err(RefusedTokens(reason))
        }
    }
}

async fn decide(
    function: &Challenge,
    invocation: &Invocation<'_>,
    event: &CognitoEvent,
) -> Result<(Pass, Arc<AppPolicy>), Reason> {
    let clock = &*function.clock;
    invocation.user(event.user_sub());
    let (tenant, app) = tokio::join!(
        app::tenant(&function.settings, clock, invocation, event),
        app::app(&function.policies, clock, invocation, event),
    );
    let (settings, item) = (tenant?, app?);
    if settings.suspended {
        return Err(Reason::Suspended);
    }
    let source = Source::of(&event.trigger_source);
    let user_sub = event
        .user_sub()
        .filter(|_| source != Source::Unknown)
        .ok_or(Reason::SourceRefused)?;
    let now_ms = clock.now_unix_ms();
    let judged = app::judge(&item, event, None, now_ms.div_euclid(1_000));
    invocation.rule(judged.rule);
    let question = Question {
        function,
        invocation,
        settings: &settings,
        item: &item,
        judged: &judged,
        user_sub,
        selector: event.client_metadata(metadata::JOURNEY),
        now_ms,
    };
    let pass = match source {
        Source::Authentication => sign_in::pass(&question).await?,
        Source::Refresh => refresh::pass(&question).await?,
        Source::NewPassword | Source::Other if judged.decision == UserDecision::NotRequired => {
            sign_in::leave_trace(&question).await?;
            Pass::NotRequired
        }
        Source::NewPassword => return Err(Reason::FirstPasswordSet),
        Source::Other | Source::Unknown => return Err(Reason::SourceRefused),
    };
    Ok((pass, item))
}

fn report(invocation: &Invocation<'_>, pass: &Pass) {
    let mut event = match pass {
        // The journey names the event: both calls for a sign-in's tokens count once. On refresh it cannot,
        // because every refresh is a fact of its own.
        Pass::StepUp {
            achievement,
            round: Some(round),
            ..
        } => invocation.event(EventType::Tokens, Some(&achievement.journey), Some(*round), None),
        _ => invocation.event(EventType::Tokens, None, None, None),
    };
    if let Pass::StepUp {
        achievement, action, ..
    } = pass
    {
        event.journey_id = Some(achievement.journey.clone());
        event.method.clone_from(&achievement.method);
        event.acr.clone_from(&achievement.acr);
        event.amr.clone_from(&achievement.amr);
        event.aal = achievement.aal;
        event.ial = achievement.ial;
        event.action.clone_from(action);
    }
    invocation.emit(&event);
}
