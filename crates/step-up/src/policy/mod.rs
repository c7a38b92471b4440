//! The policy document of an app: who must step up, with what, how strongly, how often.
//!
//! Rules are data, not a language: ordered, first match wins, with a required default.
//!
//! ```json
//! {
//!   "schema_version": 1,
//!   "rules": [
//!     { "id": "service-desk",
//!       "when": { "attribute": { "name": "custom:unit", "equals": "service-desk" } },
//!       "then": { "step_up": "required", "methods": ["liveID push"], "min_aal": 2 } }
//!   ],
//!   "default": { "step_up": "required", "methods": ["liveID push", "otp"], "attempts": 2 }
//! }
//! ```

use serde::{Deserialize, Serialize};

/// Version of [`PolicyDocument`] that this crate writes. Older versions stay readable.
pub const POLICY_SCHEMA_VERSION: u32 = 1;

/// A policy: ordered rules and a default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyDocument {
    /// Version of this format.
    pub schema_version: u32,
    /// Rules, first match wins.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// What holds when no rule matches.
    pub default: Outcome,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Names the rule in events and simulations; unique in the document.
    pub id: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it applies.
    pub when: Condition,
    /// What then holds.
    pub then: Outcome,
}

/// A condition on user, app and action.
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
}

/// Comparison of one user attribute. A missing attribute compares false with everything but `exists: false`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttributeCondition {
    /// Attribute as Cognito names it: `email`, `custom:unit`.
    pub name: String,
    /// The comparison.
    #[serde(flatten)]
    pub test: AttributeTest,
}

/// How an attribute is compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttributeTest {
    /// Exactly this value.
    Equals(String),
    /// One of these values.
    In(Vec<String>),
    /// Begins with this.
    Prefix(String),
    /// Is there at all.
    Exists(bool),
    /// An address at one of these domains (compared without case, exact domain).
    EmailDomain(Vec<String>),
}

/// What a rule asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step_up", rename_all = "snake_case")]
pub enum Outcome {
    /// Tokens cost a step-up.
    Required(Requirement),
    /// The password is enough.
    NotRequired(NotRequired),
}

/// Why no step-up is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotRequired {
    /// Shown in simulations, events and audits.
    pub reason: String,
}

/// What a step-up must be like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// ACR values offered, in order.
    pub methods: Vec<String>,
    /// Least authenticator assurance level, 1–3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_aal: Option<u8>,
    /// Only phishing-resistant methods count.
    #[serde(default)]
    pub phishing_resistant: bool,
    /// Least identity assurance level, 1–3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_ial: Option<u8>,
    /// Wrong answers allowed per session, 1–3 (at most 2 for actions).
    #[serde(default = "default_attempts")]
    pub attempts: u8,
    /// How long the challenge stays open, s; can only shorten the app's session validity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge_open_s: Option<u32>,
    /// How old a step-up may be when tokens are refreshed, min; under 60 the app gets no refresh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_min: Option<u32>,
    /// Whether the id_token must carry the nonce.
    #[serde(default)]
    pub binding: Binding,
    /// How the BlockID subject is tied to the Cognito user at first sight.
    #[serde(default)]
    pub subject_link: SubjectLink,
    /// User attribute that names the user to BlockID; `username` is Cognito's user name.
    #[serde(default = "default_subject_attribute")]
    pub subject_attribute: String,
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

const fn default_attempts() -> u8 {
    2
}

fn default_subject_attribute() -> String {
    "username".to_owned()
}
