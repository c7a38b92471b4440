//! The trials of a row, and what came of them.

use crate::cognito::Step;
use step_up::reason::Reason;

/// A trial of a row: what was tried, and what came of it.
#[derive(Debug, Clone)]
pub struct Trial {
    what: String,
    refused: bool,
    reason: String,
}

/// What came of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// No token came out, and every refusal had an expected reason.
    pub refused: bool,
    /// The reasons; or what went wrong.
    pub reason: String,
    /// A part of the row that does not exist yet.
    pub not_built: Option<&'static str>,
}

/// The trials of a row.
#[derive(Debug, Default)]
pub struct Trials(Vec<Trial>);

impl Trials {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cognito's own answer must be one of these error types, and no token.
    pub fn by_cognito(&mut self, what: &str, step: &Step, expected: &[&str]) {
        let (refused, reason) = match step {
            Step::Tokens(_) => (false, "tokens".to_owned()),
            Step::Challenge(challenge) => (false, format!("challenge {}", challenge.name)),
            Step::Refused(refused) => (expected.contains(&refused.kind.as_str()), refused.kind.clone()),
        };
        self.0.push(Trial {
            what: what.to_owned(),
            refused,
            reason,
        });
    }

    /// No token, and the trigger's reason must be one of these.
    pub fn by_reason(&mut self, what: &str, step: &Step, reason: Option<Reason>, expected: &[Reason]) {
        if matches!(step, Step::Tokens(_)) {
            self.0.push(Trial {
                what: what.to_owned(),
                refused: false,
                reason: "tokens".to_owned(),
            });
        } else {
            self.reason(what, reason, expected);
        }
    }

    /// The trigger's reason must be one of these.
    pub fn reason(&mut self, what: &str, reason: Option<Reason>, expected: &[Reason]) {
        self.0.push(Trial {
            what: what.to_owned(),
            refused: reason.is_some_and(|reason| expected.contains(&reason)),
            reason: reason.map_or("no reason", Reason::code).to_owned(),
        });
    }

    /// What the browser SDK did.
    pub fn by_sdk(&mut self, what: &str, refused: bool, reason: &str) {
        self.0.push(Trial {
            what: what.to_owned(),
            refused,
            reason: reason.to_owned(),
        });
    }

    /// Something that must hold; `reason` names what holds.
    pub fn holds(&mut self, what: &str, holds: bool, reason: &str) {
        let reason = if holds {
            reason.to_owned()
        } else {
            format!("not {reason}")
        };
        self.0.push(Trial {
            what: what.to_owned(),
            refused: holds,
            reason,
        });
    }

    /// The row's outcome.
    pub fn outcome(self) -> Outcome {
        let broken: Vec<String> = self
            .0
            .iter()
            .filter(|trial| !trial.refused)
            .map(|trial| format!("{}: {}", trial.what, trial.reason))
            .collect();
        if self.0.is_empty() {
            return Outcome {
                refused: false,
                reason: "nothing was tried".to_owned(),
                not_built: None,
            };
        }
        if !broken.is_empty() {
            return Outcome {
                refused: false,
                reason: broken.join("; "),
                not_built: None,
            };
        }
        let mut reasons: Vec<String> = self.0.into_iter().map(|trial| trial.reason).collect();
        reasons.sort();
        reasons.dedup();
        Outcome {
            refused: true,
            reason: reasons.join(", "),
            not_built: None,
        }
    }
}

impl Outcome {
    /// The same, with a part that does not exist yet.
    #[must_use]
    pub fn but_not_built(self, part: &'static str) -> Self {
        Self {
            not_built: Some(part),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_trial_that_gets_through_is_enough() {
        let mut trials = Trials::new();
        trials.reason("first", Some(Reason::NoGrant), &[Reason::NoGrant]);
        trials.reason("second", Some(Reason::Internal), &[Reason::NoGrant]);
        let outcome = trials.outcome();
        assert!(!outcome.refused);
        assert_eq!(outcome.reason, "second: internal");
    }

    #[test]
    fn a_row_without_trials_shows_nothing() {
        assert!(!Trials::new().outcome().refused);
    }

    #[test]
    fn reasons_are_told_once() {
        let mut trials = Trials::new();
        trials.reason("a", Some(Reason::NoGrant), &[Reason::NoGrant]);
        trials.reason("b", Some(Reason::NoGrant), &[Reason::NoGrant]);
        trials.holds("c", true, "encoded");
        assert_eq!(trials.outcome().reason, "encoded, no_grant");
    }
}
