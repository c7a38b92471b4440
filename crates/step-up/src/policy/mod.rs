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
//!
//! A document goes through three gates, each with its own question:
//!
//! 1. [`parse`] — is it of the right *form*? Stops at the first mistake, names its JSON pointer. Older
//!    schema versions are brought to the current one here, so nothing behind this gate knows of them.
//!    [`json_schema`] publishes the same form to other languages.
//! 2. [`validate`] — does it *make sense* for this app and tenant? Reports everything at once.
//! 3. [`evaluate`] — what does it *say* about this user, now? [`explain`] is the same, with the reasons;
//!    [`CompiledPolicy`] is the same, prepared for deciding often, which the triggers run.
//!
//! To add a condition: a variant in [`Condition`], its meaning in `evaluate.rs` and `compiled.rs`, its limits in
//! `validate/conditions.rs`, what it implies in `validate/reach.rs`, its form in
//! `schema/policy.schema.json`; the tests fail until the six agree.

mod compiled;
mod diff;
mod document;
mod evaluate;
mod explain;
mod parse;
mod upgrade;
mod validate;
mod wire;

pub use compiled::CompiledPolicy;
pub use diff::{Change, ChangeKind, diff};
pub use document::{
    AttributeCondition, AttributeTest, Binding, Condition, NotRequired, Outcome, POLICY_SCHEMA_VERSION,
    PolicyDocument, Requirement, Rule, SubjectLink,
};
pub use evaluate::{DEFAULT_RULE, Decision, EMAIL_VERIFIED, Subject, evaluate};
pub use explain::{ConditionTrace, Explanation, Offer, OfferedMethod, RuleTrace, explain};
pub use parse::{MAX_DOCUMENT_BYTES, MAX_NESTING, ParseError, parse, parse_str};
pub use validate::{Finding, Report, ValidationContext, codes, is_action_name, validate};

/// JSON Schema (draft 2020-12) of [`PolicyDocument`] in its current version.
///
/// It says what a schema can say: form, names, ranges. What needs knowledge of the tenant is [`validate`]'s.
pub fn json_schema() -> serde_json::Value {
    // The file is part of the binary and a test parses it; there is nothing a caller could do about it.
    serde_json::from_str(include_str!("../../schema/policy.schema.json")).unwrap_or_default()
}
