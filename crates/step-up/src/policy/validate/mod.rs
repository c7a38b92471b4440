//! Whether a policy makes sense for this app and tenant. Everything wrong is reported at once.
//!
//! An *error* is a contradiction, a hole, or a promise that cannot be kept: the policy is refused. A
//! *warning* is something its author should know. [`codes`] lists both.

pub mod codes;
mod conditions;
mod outcomes;
mod reach;

pub use conditions::is_action_name;

use super::document::{Outcome, POLICY_SCHEMA_VERSION, PolicyDocument};
use super::evaluate::DEFAULT_RULE;
use super::parse::MAX_DOCUMENT_BYTES;
use crate::assurance::{self, Method};
use crate::settings::ObservedMethod;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Most rules of one document.
const MAX_RULES: usize = 100;

const MAX_RULE_ID_BYTES: usize = 64;
const MAX_DESCRIPTION_BYTES: usize = 500;

/// What must be known about app and tenant to judge a policy.
#[derive(Debug, Clone)]
pub struct ValidationContext {
    /// The shipped methods and the tenant's own: [`assurance::catalogue_with`].
    pub catalogue: Vec<Method>,
    /// What the provider returned per method (by ACR value). Empty: the map is not learned yet.
    pub observed: BTreeMap<String, ObservedMethod>,
    /// Attributes that the app client lets a user write, at sign-up or later.
    pub user_writable_attributes: BTreeSet<String>,
    /// The app's session validity, s: how long Cognito keeps a challenge open at most.
    pub session_validity_s: u32,
    /// Whether the app lets signed-in users step up for an action.
    pub action_step_up: bool,
    /// Whether a forgotten password is reset by a code to the mailbox and by nothing else.
    pub reset_by_mailbox_only: bool,
    /// Whether the preflight saw the provider's page limit `frame-ancestors` to the app's origins.
    pub frame_ancestors_limited: bool,
}

impl ValidationContext {
    /// A tenant of which nothing has been learned, with an app of default settings.
    pub fn unlearned() -> Self {
        Self {
            catalogue: assurance::catalogue().to_vec(),
            observed: BTreeMap::new(),
            user_writable_attributes: BTreeSet::new(),
            session_validity_s: 900,
            action_step_up: false,
            reset_by_mailbox_only: false,
            frame_ancestors_limited: false,
        }
    }

    fn method(&self, acr: &str) -> Option<&Method> {
        self.catalogue.iter().find(|method| method.acr == acr)
    }
}

/// One thing that is wrong, or worth knowing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// JSON pointer (RFC 6901) into the document of the current schema version.
    pub pointer: String,
    /// Id of the rule; `default` for the default; absent when it concerns the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Stable code, one of [`codes`].
    pub code: Cow<'static, str>,
    /// For people, naming the rule.
    pub message: String,
}

/// All findings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Why the policy is refused; empty when it is not.
    pub errors: Vec<Finding>,
    /// What its author should know.
    pub warnings: Vec<Finding>,
}

impl Report {
    /// Whether the policy may be stored.
    pub fn is_ok(&self) -> bool {
        self.errors.is_empty()
    }
}

/// Judges a policy for an app. Total: any document has a report.
pub fn validate(policy: &PolicyDocument, context: &ValidationContext) -> Report {
    let mut report = Report::default();
    check_document(policy, &mut report);

    let mut seen = BTreeSet::new();
    for (index, rule) in policy.rules.iter().enumerate() {
        let mut place = Place {
            report: &mut report,
            rule: &rule.id,
            pointer: format!("/rules/{index}"),
        };
        check_rule_id(&rule.id, !seen.insert(rule.id.as_str()), &mut place);
        if rule
            .description
            .as_ref()
            .is_some_and(|text| text.len() > MAX_DESCRIPTION_BYTES)
        {
            place.error(
                "/description",
                codes::TEXT_TOO_LONG,
                &format!("a description has at most {MAX_DESCRIPTION_BYTES} bytes"),
            );
        }
        let bounded = conditions::check(&rule.when, context, &mut place);
        let facts = outcomes::Facts {
            // A condition beyond the limits is refused anyway and not looked into any further.
            may_match_action: !bounded || reach::may_match(&rule.when, true),
            names_action: bounded && !reach::may_match(&rule.when, false),
        };
        place.pointer.push_str("/then");
        outcomes::check(&rule.then, facts, context, &mut place);
    }

    let mut place = Place {
        report: &mut report,
        rule: DEFAULT_RULE,
        pointer: "/default".to_owned(),
    };
    let facts = outcomes::Facts {
        may_match_action: true,
        names_action: false,
    };
    outcomes::check(&policy.default, facts, context, &mut place);
    if let Outcome::NotRequired(_) = policy.default {
        place.warning(
            "",
            codes::DEFAULT_NOT_REQUIRED,
            "whoever no rule names signs in with the password alone",
        );
    }

    reach::check(policy, &mut report);
    outcomes::check_max_ages(policy, &mut report);
    report
}

fn check_document(policy: &PolicyDocument, report: &mut Report) {
    let mut error = |pointer: &str, code: &'static str, message: String| {
        report.errors.push(Finding {
            pointer: pointer.to_owned(),
            rule: None,
            code: code.into(),
            message,
        });
    };
    if policy.schema_version != POLICY_SCHEMA_VERSION {
        let message = format!("a policy is stored in schema version {POLICY_SCHEMA_VERSION}");
        error("/schema_version", codes::SCHEMA_VERSION, message);
    }
    if policy.rules.len() > MAX_RULES {
        let message = format!("{} rules; at most {MAX_RULES} are allowed", policy.rules.len());
        error("/rules", codes::TOO_MANY_RULES, message);
    }
    // Stored with every default written out, a document is larger than it was sent.
    let stored_bytes = serde_json::to_string(policy).map_or(usize::MAX, |text| text.len());
    if stored_bytes > MAX_DOCUMENT_BYTES {
        let message = format!("{stored_bytes} bytes as stored; at most {MAX_DOCUMENT_BYTES} are allowed");
        error("", codes::DOCUMENT_TOO_LARGE, message);
    }
}

fn check_rule_id(id: &str, repeated: bool, place: &mut Place<'_>) {
    if id.is_empty() {
        place.error("/id", codes::RULE_ID_EMPTY, "a rule needs an id: events name it");
    } else if id == DEFAULT_RULE {
        let message = format!("the id `{DEFAULT_RULE}` is what events call the default");
        place.error("/id", codes::RULE_ID_RESERVED, &message);
    } else if id.len() > MAX_RULE_ID_BYTES || !id.bytes().all(is_name_byte) {
        let message =
            format!("an id has at most {MAX_RULE_ID_BYTES} letters (a–z), digits, `.`, `_`, `-` and `:`");
        place.error("/id", codes::RULE_ID_MALFORMED, &message);
    } else if repeated {
        place.error(
            "/id",
            codes::RULE_ID_DUPLICATE,
            &format!("another rule has the id `{id}`"),
        );
    }
}

const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b':')
}

/// Where findings of one rule go.
struct Place<'a> {
    report: &'a mut Report,
    rule: &'a str,
    /// Pointer of what is being looked at; findings add the rest.
    pointer: String,
}

impl Place<'_> {
    fn error(&mut self, below: &str, code: &'static str, message: &str) {
        let finding = self.finding(below, code, message);
        self.report.errors.push(finding);
    }

    fn warning(&mut self, below: &str, code: &'static str, message: &str) {
        let finding = self.finding(below, code, message);
        self.report.warnings.push(finding);
    }

    fn finding(&self, below: &str, code: &'static str, message: &str) -> Finding {
        // An id may be anything at this point; a message quotes the beginning of it.
        let shown: String = self
            .rule
            .chars()
            .filter(|c| !c.is_control())
            .take(MAX_RULE_ID_BYTES)
            .collect();
        Finding {
            pointer: format!("{}{below}", self.pointer),
            rule: Some(self.rule.to_owned()),
            code: code.into(),
            message: format!("rule `{shown}`: {message}"),
        }
    }
}
