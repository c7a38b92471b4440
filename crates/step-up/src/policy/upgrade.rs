//! Older schema versions of the policy document, each with its way to the current one.
//!
//! A version is never edited once published. A new version adds a function here that turns the previous
//! one into it, a fixture under `tests/fixtures/` that shows what the old one meant, and nothing elsewhere.
//!
//! **Version 0** had no `schema_version` (or 0): a default, and exceptions by one attribute each.
//!
//! ```json
//! {
//!   "default": { "methods": ["liveID push", "otp"], "attempts": 2 },
//!   "exceptions": [
//!     { "id": "service-desk", "attribute": "custom:unit", "equals": "service-desk",
//!       "methods": ["liveID push"], "attempts": 1 }
//!   ]
//! }
//! ```
//!
//! It could not skip a step-up and knew no levels; both stay so when it is read today.

use super::document::{
    AttributeCondition, AttributeTest, Condition, Outcome, POLICY_SCHEMA_VERSION, PolicyDocument,
    Requirement, Rule,
};
use super::parse::{ParseError, read};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Version0 {
    #[serde(default, rename = "schema_version")]
    _schema_version: u32,
    default: Version0Methods,
    #[serde(default)]
    exceptions: Vec<Version0Exception>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Version0Methods {
    methods: Vec<String>,
    #[serde(default = "version_0_attempts")]
    attempts: u8,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Version0Exception {
    id: String,
    attribute: String,
    equals: String,
    methods: Vec<String>,
    #[serde(default = "version_0_attempts")]
    attempts: u8,
}

/// Version 0's default, kept apart from today's so that a change of today's does not reach back.
const fn version_0_attempts() -> u8 {
    2
}

/// Reads a document of version 0 as one of the current version.
pub(super) fn from_version_0(value: &Value) -> Result<PolicyDocument, ParseError> {
    let old: Version0 = read(value).map_err(|mut error| {
        if value.get("schema_version").is_none() {
            error.message.push_str(
                " (without `schema_version` a document is read as version 0; today's documents say `\"schema_version\": 1`)",
            );
        }
        error
    })?;
    let rules = old.exceptions.into_iter().map(|exception| Rule {
        id: exception.id,
        description: None,
        when: Condition::Attribute(AttributeCondition {
            name: exception.attribute,
            test: AttributeTest::Equals(exception.equals),
        }),
        then: required(exception.methods, exception.attempts),
    });
    Ok(PolicyDocument {
        schema_version: POLICY_SCHEMA_VERSION,
        rules: rules.collect(),
        default: required(old.default.methods, old.default.attempts),
    })
}

fn required(methods: Vec<String>, attempts: u8) -> Outcome {
    Outcome::Required(Requirement {
        attempts,
        ..Requirement::with_methods(methods)
    })
}
