//! What a policy says about one user, now. The simulation runs this very code; the triggers run it prepared
//! (`compiled.rs`).

use super::document::{AttributeCondition, AttributeTest, Condition, Outcome, PolicyDocument};
use std::collections::BTreeMap;

/// The name under which the default appears wherever a rule is named.
pub const DEFAULT_RULE: &str = "default";

/// The attribute in which Cognito says whether the e-mail address is verified: `true` or `false`.
pub const EMAIL_VERIFIED: &str = "email_verified";

/// Whom and what a decision is about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// User attributes as Cognito hands them to a trigger.
    pub attributes: &'a BTreeMap<String, String>,
    /// Whether Cognito says that the e-mail address is verified.
    pub email_verified: bool,
    /// `app_…`
    pub app_id: &'a str,
    /// Action the journey is for; `None` for a sign-in.
    pub action: Option<&'a str>,
}

impl<'a> Subject<'a> {
    /// A user as Cognito describes them to a trigger: whether the e-mail address is verified is an attribute too.
    pub fn of_user(
        attributes: &'a BTreeMap<String, String>,
        app_id: &'a str,
        action: Option<&'a str>,
    ) -> Self {
        Self {
            attributes,
            email_verified: attributes
                .get(EMAIL_VERIFIED)
                .is_some_and(|verified| verified == "true"),
            app_id,
            action,
        }
    }
}

/// What holds, and because of which rule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decision<'a> {
    /// Id of the rule; [`DEFAULT_RULE`] for the default.
    pub rule: &'a str,
    /// What it asks for.
    pub outcome: &'a Outcome,
}

/// The first rule whose condition holds decides; the default when none does.
pub fn evaluate<'a>(policy: &'a PolicyDocument, subject: &Subject<'_>) -> Decision<'a> {
    policy
        .rules
        .iter()
        .find(|rule| holds(&rule.when, subject))
        .map_or(
            Decision {
                rule: DEFAULT_RULE,
                outcome: &policy.default,
            },
            |rule| Decision {
                rule: &rule.id,
                outcome: &rule.then,
            },
        )
}

/// Whether a condition holds.
pub(super) fn holds(condition: &Condition, subject: &Subject<'_>) -> bool {
    match condition {
        Condition::All(all) => all.iter().all(|inner| holds(inner, subject)),
        Condition::Any(any) => any.iter().any(|inner| holds(inner, subject)),
        Condition::Not(inner) => !holds(inner, subject),
        Condition::Attribute(attribute) => attribute_holds(attribute, subject.attributes),
        Condition::EmailVerified(wanted) => subject.email_verified == *wanted,
        Condition::App(apps) => apps.iter().any(|app| app == subject.app_id),
        Condition::Action(actions) => subject
            .action
            .is_some_and(|action| actions.iter().any(|listed| listed == action)),
        Condition::ForAction(wanted) => subject.action.is_some() == *wanted,
    }
}

fn attribute_holds(condition: &AttributeCondition, attributes: &BTreeMap<String, String>) -> bool {
    let value = attributes.get(&condition.name).map(String::as_str);
    attribute_passes(&condition.test, value)
}

/// Whether an attribute passes a comparison; `None` when it is missing.
pub(super) fn attribute_passes(test: &AttributeTest, value: Option<&str>) -> bool {
    if let AttributeTest::Exists(wanted) = test {
        return value.is_some() == *wanted;
    }
    value.is_some_and(|value| value_passes(test, value))
}

/// Whether a value that is there passes a comparison.
pub(super) fn value_passes(test: &AttributeTest, value: &str) -> bool {
    match test {
        AttributeTest::Equals(wanted) => value == wanted,
        AttributeTest::In(wanted) => wanted.iter().any(|wanted| wanted == value),
        AttributeTest::Prefix(wanted) => value.starts_with(wanted.as_str()),
        AttributeTest::Exists(wanted) => *wanted,
        AttributeTest::EmailDomain(domains) => domains.iter().any(|domain| is_at(value, domain)),
    }
}

/// Whether an address is at a domain. The last `@` ends the local part: one before it can only be inside quotes
/// (RFC 5321, 4.1.2).
fn is_at(address: &str, domain: &str) -> bool {
    let (address, domain) = (address.as_bytes(), domain.as_bytes());
    let at = address.len().checked_sub(domain.len() + 1);
    at.is_some_and(|at| {
        at > 0
            && address[at] == b'@'
            && address[at + 1..].eq_ignore_ascii_case(domain)
            && !domain.contains(&b'@')
    })
}
