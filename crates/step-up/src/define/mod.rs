//! The state machine behind Cognito's *define auth challenge* trigger.
//!
//! Cognito calls *define* before every challenge and after every answer, with the history of the session.
//! [`decide`] is a total function of that history and of what the policy says about the user:
//!
//! ```text
//!  []                                    ──▶ session proof   (only with action step-up, for anybody)
//!  [SRP_A]                               ──▶ password proof
//!  [SRP_A, PASSWORD_VERIFIER ✓]          ──▶ step-up, or tokens where the policy skips
//!  [SRP_A, PASSWORD_VERIFIER ✓, (✗)*, ✓] ──▶ tokens
//!  [proof ✓]                             ──▶ step-up for the action
//!  [proof ✓, (✗)*, ✓]                    ──▶ tokens of the action
//!  everything else                       ──▶ fail, with a reason
//! ```
//!
//! The property it is checked for over all histories up to six rounds: **no tokens without (password
//! passed or session proof passed) and (step-up passed, or a policy skip after a passed password)**.
//!
//! *create* calls [`decide`] too, with the same history, and builds what [`DefineDecision::AskCustom`]
//! says: so the two triggers cannot disagree about what is asked.

mod history;

pub use history::{Beginning, MAX_ACTION_ATTEMPTS, Progress, Round, last_journey, read};

use crate::challenge::RoundKind;
use crate::policy::is_action_name;
use crate::reason::Reason;

/// What *define* decides on.
#[derive(Debug, Clone, Copy)]
pub struct DefineInput<'a> {
    /// The rounds so far, oldest first.
    pub history: &'a [Round<'a>],
    /// Cognito's `userNotFound`.
    pub user_not_found: bool,
    /// Whether the app lets signed-in users step up for an action.
    pub action_step_up: bool,
    /// Whether the tenant is suspended.
    pub suspended: bool,
    /// What the policy says about this user and the action of this journey (see [`Progress::action`]):
    /// a sign-in's decision must be made with no action.
    pub policy: UserDecision,
    /// Action named by the client's metadata in this call; not to be believed for a sign-in.
    pub action: Option<&'a str>,
}

/// What the policy says about the user, without the details that only *create* needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserDecision {
    /// A step-up is required.
    Required {
        /// Wrong answers after which the session ends.
        attempts: u8,
    },
    /// The policy asks for none.
    NotRequired,
    /// An exemption stands in for it.
    Exempt,
    /// There is no decision, and why (settings unreadable, policy stale, unknown client).
    Unavailable(Reason),
}

/// What Cognito is to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DefineDecision {
    /// Check the password (`PASSWORD_VERIFIER`).
    AskPasswordVerifier,
    /// Open a custom challenge.
    AskCustom(AskCustom),
    /// Issue tokens.
    IssueTokens {
        /// On what ground.
        why: Why,
    },
    /// Fail the authentication.
    Fail(Reason),
}

/// The custom challenge to open; what *create* needs to know from the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskCustom {
    /// What it asks for.
    pub kind: RoundKind,
    /// Number of the round among the session's custom rounds, from 1.
    pub round: u8,
    /// Journey of the earlier rounds; `None` for the first round, which names one.
    pub journey: Option<String>,
    /// Action to be bound into the challenge; always `None` for a session proof and for a sign-in.
    pub action: Option<String>,
    /// Wrong answers after which the session ends, to be recorded in the round's metadata.
    pub attempts: u8,
}

/// On what ground tokens are issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// A step-up passed.
    StepUp {
        /// Journey of the step-up.
        journey: String,
        /// Action it was for.
        action: Option<String>,
    },
    /// The password passed and the policy asks for no step-up.
    PolicySkip,
    /// The password passed and an exemption stands in for the step-up.
    Exempt,
}

/// Decides what happens next. Total: any input has an answer, and what is not known fails.
pub fn decide(input: &DefineInput<'_>) -> DefineDecision {
    match read(input.history) {
        Ok(progress) => conclude(progress, input),
        // A suspended or unreadable tenant says so before it says anything about the session.
        Err(reason) => DefineDecision::Fail(outage(input).unwrap_or(reason)),
    }
}

/// The second half of [`decide`]: from where the session stands to what comes next.
pub fn conclude(progress: Progress, input: &DefineInput<'_>) -> DefineDecision {
    if let Some(reason) = outage(input) {
        return DefineDecision::Fail(reason);
    }
    match progress.beginning {
        Beginning::Nothing if input.action_step_up => DefineDecision::AskCustom(AskCustom {
            kind: RoundKind::SessionProof,
            round: 1,
            journey: None,
            action: None,
            attempts: 1,
        }),
        Beginning::Nothing => DefineDecision::Fail(Reason::PasswordRequired),
        // An action's rule may be weaker than the sign-in's: a sign-in never takes an action.
        Beginning::Srp | Beginning::Password if input.action.is_some() => {
            DefineDecision::Fail(Reason::ActionRefused)
        }
        Beginning::Srp => DefineDecision::AskPasswordVerifier,
        Beginning::Password => after_password(progress, input),
        Beginning::SessionProof => after_session_proof(progress, input),
    }
}

fn outage(input: &DefineInput<'_>) -> Option<Reason> {
    match input.policy {
        _ if input.suspended => Some(Reason::Suspended),
        UserDecision::Unavailable(reason) => Some(reason),
        _ => None,
    }
}

fn after_password(progress: Progress, input: &DefineInput<'_>) -> DefineDecision {
    if input.user_not_found {
        return DefineDecision::Fail(Reason::PasswordFailed);
    }
    if progress.step_up_passed {
        return step_up_tokens(progress);
    }
    match input.policy {
        UserDecision::Required { attempts } => ask_step_up(progress, attempts, None),
        // A skip in the middle would make wrong answers worth trying: the user begins again.
        UserDecision::NotRequired | UserDecision::Exempt if progress.custom_rounds > 0 => {
            DefineDecision::Fail(Reason::PolicyChanged)
        }
        UserDecision::NotRequired => DefineDecision::IssueTokens { why: Why::PolicySkip },
        UserDecision::Exempt => DefineDecision::IssueTokens { why: Why::Exempt },
        UserDecision::Unavailable(reason) => DefineDecision::Fail(reason),
    }
}

fn after_session_proof(progress: Progress, input: &DefineInput<'_>) -> DefineDecision {
    if input.user_not_found {
        return DefineDecision::Fail(Reason::SessionProofInvalid);
    }
    let action = match (progress.action.as_deref(), input.action) {
        (Some(bound), Some(named)) if bound != named => None,
        (Some(bound), _) => Some(bound),
        (None, named) => named,
    };
    let Some(action) = action.filter(|action| input.action_step_up && is_action_name(action)) else {
        return DefineDecision::Fail(Reason::ActionRefused);
    };
    if progress.step_up_passed {
        return step_up_tokens(progress);
    }
    match input.policy {
        UserDecision::Required { attempts } => {
            let action = Some(action.to_owned());
            ask_step_up(progress, attempts.min(MAX_ACTION_ATTEMPTS), action)
        }
        // An action is stepped up for or not done: neither skip nor exemption stands in.
        UserDecision::NotRequired | UserDecision::Exempt => DefineDecision::Fail(Reason::ActionRefused),
        UserDecision::Unavailable(reason) => DefineDecision::Fail(reason),
    }
}

fn ask_step_up(progress: Progress, attempts: u8, action: Option<String>) -> DefineDecision {
    // The strictest limit of the session holds: a policy that changes in the middle gives nobody more.
    let attempts = progress
        .attempts
        .map_or(attempts, |recorded| recorded.min(attempts))
        .clamp(1, 3);
    if progress.wrong >= attempts {
        return DefineDecision::Fail(Reason::AttemptsExhausted);
    }
    DefineDecision::AskCustom(AskCustom {
        kind: RoundKind::StepUp,
        round: progress.custom_rounds.saturating_add(1),
        journey: progress.journey,
        action,
        attempts,
    })
}

fn step_up_tokens(progress: Progress) -> DefineDecision {
    match progress.journey {
        Some(journey) => DefineDecision::IssueTokens {
            why: Why::StepUp {
                journey,
                action: progress.action,
            },
        },
        None => DefineDecision::Fail(Reason::UnknownHistory),
    }
}
