//! The types of the policy document. Their JSON form is in `wire.rs`.

use super::wire::{Object, WireAttribute, WireOutcome, WireRule};
use crate::assurance;
use serde::{Deserialize, Serialize};

/// Version of [`PolicyDocument`] that this crate writes. Older versions stay readable.
pub const POLICY_SCHEMA_VERSION: u32 = 1;

/// A policy: ordered rules and a default.
///
/// Reading one, wherever it is embedded, goes through [`super::parse`]: limits hold and older schema
/// versions are upgraded, so `schema_version` of a value that was read is always the current one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PolicyDocument {
    /// Version of this format: [`POLICY_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Rules, first match wins.
    pub rules: Vec<Rule>,
    /// What holds when no rule matches.
    pub default: Outcome,
}

impl PolicyDocument {
    /// What an app has until somebody writes a policy: everybody steps up, any shipped method counts.
    ///
    /// It is the strictest policy that can be kept before the tenant's method map is learned.
    pub fn initial() -> Self {
        let methods = assurance::shipped_authenticators()
            .map(|method| method.acr.clone())
            .collect();
        Self {
            schema_version: POLICY_SCHEMA_VERSION,
            rules: Vec::new(),
            default: Outcome::Required(Requirement::with_methods(methods)),
        }
    }

    /// The smallest `max_age_min` of any outcome.
    ///
    /// Refresh validity is a setting of the whole app client, so the strictest rule decides it: at 60
    /// or more it is the refresh validity, under 60 the app gets no refresh, `None` leaves the app's own.
    pub fn smallest_max_age_min(&self) -> Option<u32> {
        self.outcomes()
            .filter_map(Outcome::requirement)
            .filter_map(|asked| asked.max_age_min)
            .min()
    }

    /// Every outcome, the default last.
    pub fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        self.rules
            .iter()
            .map(|rule| &rule.then)
            .chain(std::iter::once(&self.default))
    }
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Object<WireRule>")]
pub struct Rule {
    /// Names the rule in events and simulations; unique in the document.
    pub id: String,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it applies.
    pub when: Condition,
    /// What then holds.
    pub then: Outcome,
}

/// A condition on user, app and action: an object with exactly one of these keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Every one holds (an empty list holds).
    All(Vec<Condition>),
    /// At least one holds (an empty list does not).
    Any(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
    /// A user attribute compares.
    Attribute(AttributeCondition),
    /// Whether Cognito says that the e-mail address is verified.
    EmailVerified(bool),
    /// The app is one of these (`app_…`).
    App(Vec<String>),
    /// The journey is for one of these actions; a plain sign-in is none.
    Action(Vec<String>),
    /// Whether the journey is for an action at all; `false` means a plain sign-in.
    ForAction(bool),
}

/// Comparison of one user attribute. A missing attribute compares false with everything but `exists: false`.
///
/// JSON: `{"name": "custom:unit", "equals": "service-desk"}`; the name and exactly one comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Object<WireAttribute>", into = "WireAttribute")]
pub struct AttributeCondition {
    /// Attribute as Cognito names it: `email`, `custom:unit`.
    pub name: String,
    /// The comparison.
    pub test: AttributeTest,
}

/// How an attribute is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeTest {
    /// `equals`: exactly this value.
    Equals(String),
    /// `in`: one of these values.
    In(Vec<String>),
    /// `prefix`: begins with this.
    Prefix(String),
    /// `exists`: is there at all.
    Exists(bool),
    /// `email_domain`: an address at one of these domains (compared without case, exact domain).
    EmailDomain(Vec<String>),
}

/// What a rule asks for.
///
/// JSON: an object whose `step_up` is `required` or `not_required`, with the fields of [`Requirement`]
/// or [`NotRequired`] beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Object<WireOutcome>", into = "WireOutcome")]
pub enum Outcome {
    /// Tokens cost a step-up.
    Required(Requirement),
    /// The password is enough.
    NotRequired(NotRequired),
}

impl Outcome {
    /// What is asked for, when a step-up is.
    pub const fn requirement(&self) -> Option<&Requirement> {
        match self {
            Self::Required(asked) => Some(asked),
            Self::NotRequired(_) => None,
        }
    }
}

/// Why no step-up is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotRequired {
    /// Shown in simulations, events and audits.
    pub reason: String,
}

/// What a step-up must be like. Everything but `methods` may be left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// ACR values offered, in order.
    pub methods: Vec<String>,
    /// Least authenticator assurance level, 1–3.
    pub min_aal: Option<u8>,
    /// Only phishing-resistant methods count. Default `false`.
    pub phishing_resistant: bool,
    /// Least identity assurance level, 1–3.
    pub min_ial: Option<u8>,
    /// Wrong answers after which a session ends, 1–3 (at most 2 for actions). Default 2.
    pub attempts: u8,
    /// How long the challenge stays open, s; can only shorten the app's session validity.
    pub challenge_open_s: Option<u32>,
    /// How old a step-up may be when tokens are refreshed, min; under 60 the app gets no refresh.
    pub max_age_min: Option<u32>,
    /// Whether the id_token must carry the nonce. Default `nonce`.
    pub binding: Binding,
    /// How the BlockID subject is tied to the Cognito user at first sight. Default `username`.
    pub subject_link: SubjectLink,
    /// User attribute that names the user to BlockID; `username`, the default, is Cognito's user name.
    pub subject_attribute: String,
}

impl Requirement {
    /// A requirement that asks for one of `methods` and leaves everything else at its default.
    pub fn with_methods(methods: Vec<String>) -> Self {
        Self {
            methods,
            min_aal: None,
            phishing_resistant: false,
            min_ial: None,
            attempts: 2,
            challenge_open_s: None,
            max_age_min: None,
            binding: Binding::default(),
            subject_link: SubjectLink::default(),
            subject_attribute: "username".to_owned(),
        }
    }
}

/// How the answer is tied to the challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Binding {
    /// `nonce` must come back in the id_token.
    #[default]
    Nonce,
    /// Only `state` is compared: for sites that still use 1Kosmos's own script, which sends no nonce.
    StateOnly,
}

/// How a BlockID subject becomes a Cognito user's at first sight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectLink {
    /// The asserted user name equals the one asked for.
    #[default]
    Username,
    /// The e-mail address is verified on both sides and equal.
    VerifiedEmail,
    /// Only an administrator links.
    LinkedOnly,
}
