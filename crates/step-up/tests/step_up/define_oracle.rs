//! The alphabet of the exhaustive check, and a second statement of what may yield tokens.

use step_up::challenge::RoundKind;
use step_up::define::{DefineInput, Round, UserDecision, Why};
use step_up::reason::Reason;

/// Names that Cognito writes into a history, and the empty one.
pub(crate) const NAMES: [&str; 8] = [
    "SRP_A",
    "PASSWORD_VERIFIER",
    "CUSTOM_CHALLENGE",
    "NEW_PASSWORD_REQUIRED",
    "SMS_MFA",
    "DEVICE_SRP_AUTH",
    "ADMIN_NO_SRP_AUTH",
    "",
];

/// Metadata as *create* writes it, and as nobody does.
const STEP_UP: &str = r#"{"v":1,"kind":"step_up","journey":"jrn_1","policy_version":1,"attempts":2}"#;
const STEP_UP_3: &str = r#"{"v":1,"kind":"step_up","journey":"jrn_1","policy_version":2,"attempts":3}"#;
const STEP_UP_OTHER: &str = r#"{"v":1,"kind":"step_up","journey":"jrn_2","policy_version":1,"attempts":2}"#;
const STEP_UP_PAY: &str =
    r#"{"v":1,"kind":"step_up","journey":"jrn_1","policy_version":1,"attempts":2,"action":"pay"}"#;
const STEP_UP_SELL: &str =
    r#"{"v":1,"kind":"step_up","journey":"jrn_1","policy_version":1,"attempts":3,"action":"sell"}"#;
const PROOF: &str = r#"{"v":1,"kind":"session_proof","journey":"jrn_1","policy_version":1,"attempts":1}"#;
const PROOF_PAY: &str =
    r#"{"v":1,"kind":"session_proof","journey":"jrn_1","policy_version":1,"attempts":1,"action":"pay"}"#;
const NEWER: &str = r#"{"v":2,"kind":"step_up","journey":"jrn_1","policy_version":1,"attempts":2}"#;
const GARBAGE: &str = "PASSWORD_VERIFIER";

/// What the oracle knows of a metadata text, kept apart from the code that parses it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    pub(crate) text: Option<&'static str>,
    /// Kind, journey, attempts, action; `None` for what is not create's.
    pub(crate) says: Option<(RoundKind, u8, u8, Option<&'static str>)>,
}

pub(crate) const METADATA: [Known; 10] = [
    Known {
        text: None,
        says: None,
    },
    Known {
        text: Some(STEP_UP),
        says: Some((RoundKind::StepUp, 1, 2, None)),
    },
    Known {
        text: Some(STEP_UP_3),
        says: Some((RoundKind::StepUp, 1, 3, None)),
    },
    Known {
        text: Some(STEP_UP_OTHER),
        says: Some((RoundKind::StepUp, 2, 2, None)),
    },
    Known {
        text: Some(STEP_UP_PAY),
        says: Some((RoundKind::StepUp, 1, 2, Some("pay"))),
    },
    Known {
        text: Some(STEP_UP_SELL),
        says: Some((RoundKind::StepUp, 1, 3, Some("sell"))),
    },
    Known {
        text: Some(PROOF),
        says: Some((RoundKind::SessionProof, 1, 1, None)),
    },
    Known {
        text: Some(PROOF_PAY),
        says: Some((RoundKind::SessionProof, 1, 1, Some("pay"))),
    },
    Known {
        text: Some(NEWER),
        says: None,
    },
    Known {
        text: Some(GARBAGE),
        says: None,
    },
];

#[derive(Debug, Clone, Copy)]
pub(crate) struct Symbol {
    pub(crate) name: &'static str,
    pub(crate) passed: bool,
    pub(crate) metadata: Known,
}

impl Symbol {
    pub(crate) const fn round(self) -> Round<'static> {
        Round {
            challenge_name: self.name,
            challenge_result: self.passed,
            metadata: self.metadata.text,
        }
    }
}

pub(crate) fn contexts() -> Vec<DefineInput<'static>> {
    let policies = [
        UserDecision::Required { attempts: 3 },
        UserDecision::Required { attempts: 1 },
        UserDecision::NotRequired,
        UserDecision::Exempt,
        UserDecision::Unavailable(Reason::PolicyStale),
    ];
    let mut contexts = Vec::new();
    for policy in policies {
        for action in [None, Some("pay"), Some("no such name!")] {
            for bits in 0..8_u8 {
                contexts.push(DefineInput {
                    history: &[],
                    user_not_found: bits & 1 != 0,
                    action_step_up: bits & 2 != 0,
                    suspended: bits & 4 != 0,
                    policy,
                    action,
                });
            }
        }
    }
    contexts
}

/// The second statement: on what ground, if any, this history yields tokens. Written from the design, in
/// terms of the whole history, without a state machine.
pub(crate) fn oracle(history: &[Symbol], input: &DefineInput<'_>) -> Option<Why> {
    if input.suspended || input.user_not_found || matches!(input.policy, UserDecision::Unavailable(_)) {
        return None;
    }
    let is_custom = |symbol: &Symbol| symbol.name == "CUSTOM_CHALLENGE";
    let (journey, steps) = match history {
        [srp, password, steps @ ..]
            if srp.name == "SRP_A"
                && srp.passed
                && password.name == "PASSWORD_VERIFIER"
                && password.passed =>
        {
            if input.action.is_some() {
                return None;
            }
            (None, steps)
        }
        [proof, steps @ ..] if is_custom(proof) && proof.passed && input.action_step_up => {
            match proof.metadata.says? {
                (RoundKind::SessionProof, journey, _, None) => (Some(journey), steps),
                _ => return None,
            }
        }
        _ => return None,
    };
    if steps.is_empty() {
        return match input.policy {
            UserDecision::NotRequired if journey.is_none() => Some(Why::PolicySkip),
            UserDecision::Exempt if journey.is_none() => Some(Why::Exempt),
            _ => None,
        };
    }
    let said: Vec<_> = steps
        .iter()
        .filter(|step| is_custom(step))
        .filter_map(|step| step.metadata.says)
        .collect();
    let first = *said.first()?;
    let one_story = said.len() == steps.len()
        && said.iter().all(|said| {
            said.0 == RoundKind::StepUp && said.1 == journey.unwrap_or(first.1) && said.3 == first.3
        });
    let action_fits = if journey.is_some() {
        first.3.is_some() && (input.action.is_none() || input.action == first.3)
    } else {
        first.3.is_none()
    };
    let cap = if journey.is_some() { 2 } else { 3 };
    let limit = usize::from(said.iter().map(|said| said.2).min()?.min(cap));
    let (last, before) = steps.split_last()?;
    let last_alone_passed = last.passed && before.iter().all(|step| !step.passed);
    (one_story && action_fits && last_alone_passed && before.len() < limit).then(|| Why::StepUp {
        journey: format!("jrn_{}", first.1),
        action: first.3.map(str::to_owned),
    })
}

/// The property in its plain words, looser than the oracle and independent of it too.
pub(crate) fn plainly_allowed(history: &[Symbol], input: &DefineInput<'_>) -> bool {
    let password = history
        .iter()
        .any(|symbol| symbol.name == "PASSWORD_VERIFIER" && symbol.passed);
    let passed = |kind| {
        history.iter().any(|symbol| {
            symbol.name == "CUSTOM_CHALLENGE"
                && symbol.passed
                && symbol.metadata.says.is_some_and(|said| said.0 == kind)
        })
    };
    let skip = matches!(input.policy, UserDecision::NotRequired | UserDecision::Exempt);
    (password || passed(RoundKind::SessionProof)) && (passed(RoundKind::StepUp) || (skip && password))
}
