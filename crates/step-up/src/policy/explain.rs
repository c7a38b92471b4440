//! The decision with its reasons, for the portal's simulation and for support.

use super::document::{AttributeTest, Condition, Outcome, PolicyDocument, Requirement};
use super::evaluate::{Subject, evaluate, holds};
use crate::assurance::Method;
use serde::{Deserialize, Serialize};

/// Why a policy decides as it does for one subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// Id of the rule that decided; `default` for the default.
    pub rule: String,
    /// What it asks for.
    pub decision: Outcome,
    /// Every rule in order, those after the first match too.
    pub rules: Vec<RuleTrace>,
    /// What the user would be offered; absent when no step-up is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<Offer>,
}

/// How one rule fared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleTrace {
    /// Id of the rule.
    pub id: String,
    /// Whether the rule was looked at: no rule before it had matched.
    pub reached: bool,
    /// Whether its condition holds.
    pub holds: bool,
    /// Its condition, part by part.
    pub condition: ConditionTrace,
}

/// How one condition fared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConditionTrace {
    /// JSON pointer of the condition in the document.
    pub pointer: String,
    /// What it says, for people. Holds what the policy compares with, never the user's own values.
    pub text: String,
    /// Whether it holds.
    pub holds: bool,
    /// Parts of `all`, `any` and `not`. Every part is shown, also where the first already decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<ConditionTrace>,
}

/// What the browser would be given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    /// Methods in the order offered.
    pub methods: Vec<OfferedMethod>,
    /// Wrong answers after which the session ends.
    pub attempts: u8,
    /// How long the challenge stays open, s; absent when the app's session validity decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge_open_s: Option<u32>,
}

/// One method of an offer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OfferedMethod {
    /// ACR value.
    pub acr: String,
    /// Name for people; the ACR value itself when the catalogue does not know the method.
    pub label: String,
    /// Whether a step-up with it can satisfy the rule, by the catalogue's labels.
    pub can_satisfy: bool,
}

/// Decides like [`evaluate`] and tells why. `catalogue` gives methods their names.
pub fn explain(policy: &PolicyDocument, subject: &Subject<'_>, catalogue: &[Method]) -> Explanation {
    let decision = evaluate(policy, subject);
    let mut reached = true;
    let mut rules = Vec::with_capacity(policy.rules.len());
    for (index, rule) in policy.rules.iter().enumerate() {
        let condition = trace(&rule.when, subject, format!("/rules/{index}/when"));
        let holds = condition.holds;
        rules.push(RuleTrace {
            id: rule.id.clone(),
            reached,
            holds,
            condition,
        });
        reached &= !holds;
    }
    Explanation {
        rule: decision.rule.to_owned(),
        decision: decision.outcome.clone(),
        rules,
        offer: decision
            .outcome
            .requirement()
            .map(|asked| offer(asked, catalogue)),
    }
}

fn offer(asked: &Requirement, catalogue: &[Method]) -> Offer {
    let methods = asked.methods.iter().map(|acr| {
        let known = catalogue.iter().find(|method| method.acr == *acr);
        OfferedMethod {
            acr: acr.clone(),
            label: known.map_or_else(|| acr.clone(), |method| method.label.clone()),
            can_satisfy: known.is_some_and(|method| method.reaches(asked.min_aal, asked.phishing_resistant)),
        }
    });
    Offer {
        methods: methods.collect(),
        attempts: asked.attempts,
        challenge_open_s: asked.challenge_open_s,
    }
}

fn trace(condition: &Condition, subject: &Subject<'_>, pointer: String) -> ConditionTrace {
    let list = |name: &str, conditions: &[Condition]| -> Vec<ConditionTrace> {
        conditions
            .iter()
            .enumerate()
            .map(|(index, inner)| trace(inner, subject, format!("{pointer}/{name}/{index}")))
            .collect()
    };
    let (text, parts) = match condition {
        Condition::All(all) => ("all of these hold".to_owned(), list("all", all)),
        Condition::Any(any) => ("at least one of these holds".to_owned(), list("any", any)),
        Condition::Not(inner) => (
            "this does not hold".to_owned(),
            vec![trace(inner, subject, format!("{pointer}/not"))],
        ),
        Condition::Attribute(attribute) => (attribute_text(&attribute.name, &attribute.test), Vec::new()),
        Condition::EmailVerified(true) => ("the e-mail address is verified".to_owned(), Vec::new()),
        Condition::EmailVerified(false) => ("the e-mail address is not verified".to_owned(), Vec::new()),
        Condition::App(apps) => (format!("the app is one of {}", quoted(apps)), Vec::new()),
        Condition::Action(actions) => (format!("the action is one of {}", quoted(actions)), Vec::new()),
        Condition::ForAction(true) => ("the journey is for an action".to_owned(), Vec::new()),
        Condition::ForAction(false) => ("the journey is a sign-in".to_owned(), Vec::new()),
    };
    ConditionTrace {
        holds: holds(condition, subject),
        pointer,
        text,
        parts,
    }
}

fn attribute_text(name: &str, test: &AttributeTest) -> String {
    match test {
        AttributeTest::Equals(value) => format!("`{name}` equals `{value}`"),
        AttributeTest::In(values) => format!("`{name}` is one of {}", quoted(values)),
        AttributeTest::Prefix(value) => format!("`{name}` begins with `{value}`"),
        AttributeTest::Exists(true) => format!("`{name}` is set"),
        AttributeTest::Exists(false) => format!("`{name}` is not set"),
        AttributeTest::EmailDomain(domains) => format!("`{name}` is an address at {}", quoted(domains)),
    }
}

/// At most ten values: a trace is read by people.
fn quoted(values: &[String]) -> String {
    const SHOWN: usize = 10;
    let mut shown: Vec<String> = values
        .iter()
        .take(SHOWN)
        .map(|value| format!("`{value}`"))
        .collect();
    if values.len() > SHOWN {
        shown.push(format!("and {} more", values.len() - SHOWN));
    }
    shown.join(", ")
}
