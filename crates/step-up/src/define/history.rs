//! From a session's history to where it stands: a fold, one round at a time.
//!
//! The fold keeps nothing but [`Progress`], and a round that does not fit ends it for good. That is what
//! makes the exhaustive check of all histories possible: two histories with the same progress are the same.

use crate::challenge::{ChallengeMetadata, RoundKind};
use crate::reason::Reason;

/// Wrong answers after which an action's session ends, whatever was recorded.
pub const MAX_ACTION_ATTEMPTS: u8 = 2;

/// One round of the session as Cognito gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Round<'a> {
    /// `challengeName`
    pub challenge_name: &'a str,
    /// `challengeResult`
    pub challenge_result: bool,
    /// `challengeMetadata`: what *create* set for custom rounds.
    pub metadata: Option<&'a str>,
}

/// How the session began, as far as it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Beginning {
    /// No round yet.
    Nothing,
    /// SRP was begun.
    Srp,
    /// The password passed.
    Password,
    /// The proof of a signed-in session passed.
    SessionProof,
}

/// Where a session stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Progress {
    /// How it began.
    pub beginning: Beginning,
    /// Journey of its custom rounds.
    pub journey: Option<String>,
    /// Action its step-up rounds are bound to; evaluate the policy with it.
    pub action: Option<String>,
    /// Custom rounds so far.
    pub custom_rounds: u8,
    /// Wrong step-up answers so far.
    pub wrong: u8,
    /// Smallest attempt limit recorded by a step-up round.
    pub attempts: Option<u8>,
    /// Whether a step-up passed.
    pub step_up_passed: bool,
}

impl Progress {
    /// A session without rounds.
    pub const START: Self = Self {
        beginning: Beginning::Nothing,
        journey: None,
        action: None,
        custom_rounds: 0,
        wrong: 0,
        attempts: None,
        step_up_passed: false,
    };

    /// Where the session stands after one more round, or why it is over.
    pub fn step(self, round: &Round<'_>) -> Result<Self, Reason> {
        if self.step_up_passed {
            return Err(Reason::UnknownHistory);
        }
        // Metadata of Cognito's own rounds is not ours and says nothing; their names are Cognito's word.
        match (self.beginning, round.challenge_name, round.challenge_result) {
            (Beginning::Nothing, "SRP_A", true) => Ok(Self {
                beginning: Beginning::Srp,
                ..self
            }),
            (Beginning::Srp, "PASSWORD_VERIFIER", true) => Ok(Self {
                beginning: Beginning::Password,
                ..self
            }),
            (Beginning::Nothing, "SRP_A", false) | (Beginning::Srp, "PASSWORD_VERIFIER", false) => {
                Err(Reason::PasswordFailed)
            }
            (_, "CUSTOM_CHALLENGE", passed) => {
                let metadata = round
                    .metadata
                    .and_then(ChallengeMetadata::parse)
                    .ok_or(Reason::UnknownHistory)?;
                self.custom(metadata, passed)
            }
            _ => Err(Reason::UnknownHistory),
        }
    }

    fn custom(self, metadata: ChallengeMetadata, passed: bool) -> Result<Self, Reason> {
        match (self.beginning, metadata.kind) {
            (Beginning::Nothing, RoundKind::SessionProof) => {
                if metadata.action.is_some() {
                    return Err(Reason::UnknownHistory);
                }
                if !passed {
                    return Err(Reason::SessionProofInvalid);
                }
                Ok(Self {
                    beginning: Beginning::SessionProof,
                    journey: Some(metadata.journey),
                    custom_rounds: 1,
                    ..self
                })
            }
            (Beginning::Nothing | Beginning::Srp, RoundKind::StepUp) => Err(Reason::PasswordRequired),
            (Beginning::Password | Beginning::SessionProof, RoundKind::StepUp) => {
                self.step_up(metadata, passed)
            }
            _ => Err(Reason::UnknownHistory),
        }
    }

    fn step_up(self, metadata: ChallengeMetadata, passed: bool) -> Result<Self, Reason> {
        let for_action = self.beginning == Beginning::SessionProof;
        let other_journey = self
            .journey
            .as_ref()
            .is_some_and(|journey| *journey != metadata.journey);
        let other_action = self.action.is_some() && self.action != metadata.action;
        if other_journey || other_action || for_action != metadata.action.is_some() {
            return Err(Reason::UnknownHistory);
        }
        let recorded = if for_action {
            metadata.attempts.min(MAX_ACTION_ATTEMPTS)
        } else {
            metadata.attempts
        };
        let attempts = self.attempts.map_or(recorded, |earlier| earlier.min(recorded));
        let wrong = self.wrong.saturating_add(u8::from(!passed));
        // Also for a right answer: a limit lowered in the middle may have been reached before it.
        if wrong >= attempts {
            return Err(Reason::AttemptsExhausted);
        }
        Ok(Self {
            beginning: self.beginning,
            journey: Some(metadata.journey),
            action: metadata.action,
            custom_rounds: self.custom_rounds.saturating_add(1),
            wrong,
            attempts: Some(attempts),
            step_up_passed: passed,
        })
    }
}

/// Where a session stands after all its rounds, or why it is over.
pub fn read(history: &[Round<'_>]) -> Result<Progress, Reason> {
    history.iter().try_fold(Progress::START, Progress::step)
}

/// Journey named by the last round that *create* wrote, also in a session that is over. For events only: a
/// decision takes its journey from [`read`].
pub fn last_journey(history: &[Round<'_>]) -> Option<String> {
    history
        .iter()
        .rev()
        .find_map(|round| round.metadata.and_then(ChallengeMetadata::parse))
        .map(|metadata| metadata.journey)
}
