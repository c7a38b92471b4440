//! The JSON form of the parts that serde's derives cannot express.
//!
//! `flatten` and internally tagged enums buffer their input: `deny_unknown_fields` stops working beside
//! the first, and the second loses the position of a mistake. So both forms are plain structs of optional
//! fields here, and one conversion checks which may stand together.

use super::document::{
    AttributeCondition, AttributeTest, Binding, Condition, NotRequired, Outcome, Requirement, Rule,
    SubjectLink,
};
use serde::de::{MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::marker::PhantomData;

/// A `T` that is written as an object. serde's structs can also be read from an array of their fields in
/// order, which nobody means and the published schema does not know.
pub(super) struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OnlyMap<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for OnlyMap<T> {
            type Value = T;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_map(OnlyMap(PhantomData)).map(Self)
    }
}

/// [`Rule`] on the wire.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WireRule {
    id: String,
    #[serde(default, deserialize_with = "present")]
    description: Option<String>,
    when: Condition,
    then: Outcome,
}

impl From<Object<WireRule>> for Rule {
    fn from(Object(wire): Object<WireRule>) -> Self {
        Self {
            id: wire.id,
            description: wire.description,
            when: wire.when,
            then: wire.then,
        }
    }
}

/// Reads an optional field that may be left out but not be `null`: a `null` is more often a client's
/// mistake than a wish, and the published schema has no nulls.
pub(super) fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// [`AttributeCondition`] on the wire: a name and exactly one comparison.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WireAttribute {
    name: String,
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    equals: Option<String>,
    #[serde(
        rename = "in",
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    one_of: Option<Vec<String>>,
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    prefix: Option<String>,
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    exists: Option<bool>,
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    email_domain: Option<Vec<String>>,
}

impl TryFrom<Object<WireAttribute>> for AttributeCondition {
    type Error = String;

    fn try_from(Object(wire): Object<WireAttribute>) -> Result<Self, String> {
        let tests = [
            wire.equals.map(AttributeTest::Equals),
            wire.one_of.map(AttributeTest::In),
            wire.prefix.map(AttributeTest::Prefix),
            wire.exists.map(AttributeTest::Exists),
            wire.email_domain.map(AttributeTest::EmailDomain),
        ];
        let mut tests = tests.into_iter().flatten();
        match (tests.next(), tests.next()) {
            (Some(test), None) => Ok(Self {
                name: wire.name,
                test,
            }),
            (None, _) => Err(format!(
                "the condition on attribute `{}` has no comparison: give one of `equals`, `in`, `prefix`, `exists`, `email_domain`",
                wire.name
            )),
            (Some(_), Some(_)) => Err(format!(
                "the condition on attribute `{}` has more than one comparison: combine conditions with `all` or `any`",
                wire.name
            )),
        }
    }
}

impl From<AttributeCondition> for WireAttribute {
    fn from(condition: AttributeCondition) -> Self {
        let mut wire = Self {
            name: condition.name,
            equals: None,
            one_of: None,
            prefix: None,
            exists: None,
            email_domain: None,
        };
        match condition.test {
            AttributeTest::Equals(value) => wire.equals = Some(value),
            AttributeTest::In(values) => wire.one_of = Some(values),
            AttributeTest::Prefix(value) => wire.prefix = Some(value),
            AttributeTest::Exists(wanted) => wire.exists = Some(wanted),
            AttributeTest::EmailDomain(domains) => wire.email_domain = Some(domains),
        }
        wire
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StepUp {
    Required,
    NotRequired,
}

/// [`Outcome`] on the wire: the fields of both variants; the conversion refuses those of the other.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WireOutcome {
    step_up: StepUp,
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    reason: Option<String>,
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    methods: Option<Vec<String>>,
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    min_aal: Option<u8>,
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    phishing_resistant: Option<bool>,
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    min_ial: Option<u8>,
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    attempts: Option<u8>,
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    challenge_open_s: Option<u32>,
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    max_age_min: Option<u32>,
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    binding: Option<Binding>,
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    subject_link: Option<SubjectLink>,
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    subject_attribute: Option<String>,
}

impl WireOutcome {
    const fn empty(step_up: StepUp) -> Self {
        Self {
            step_up,
            reason: None,
            methods: None,
            min_aal: None,
            phishing_resistant: None,
            min_ial: None,
            attempts: None,
            challenge_open_s: None,
            max_age_min: None,
            binding: None,
            subject_link: None,
            subject_attribute: None,
        }
    }

    /// Name of the first field that only a required step-up has.
    const fn requirement_field(&self) -> Option<&'static str> {
        match self {
            Self { methods: Some(_), .. } => Some("methods"),
            Self { min_aal: Some(_), .. } => Some("min_aal"),
            Self {
                phishing_resistant: Some(_),
                ..
            } => Some("phishing_resistant"),
            Self { min_ial: Some(_), .. } => Some("min_ial"),
            Self {
                attempts: Some(_), ..
            } => Some("attempts"),
            Self {
                challenge_open_s: Some(_),
                ..
            } => Some("challenge_open_s"),
            Self {
                max_age_min: Some(_), ..
            } => Some("max_age_min"),
            Self { binding: Some(_), .. } => Some("binding"),
            Self {
                subject_link: Some(_),
                ..
            } => Some("subject_link"),
            Self {
                subject_attribute: Some(_),
                ..
            } => Some("subject_attribute"),
            _ => None,
        }
    }
}

impl TryFrom<Object<WireOutcome>> for Outcome {
    type Error = String;

    fn try_from(Object(wire): Object<WireOutcome>) -> Result<Self, String> {
        match wire.step_up {
            StepUp::NotRequired => {
                if let Some(field) = wire.requirement_field() {
                    return Err(format!(
                        "field `{field}` has no place where `step_up` is `not_required`; only `reason` has"
                    ));
                }
                let reason = wire
                    .reason
                    .ok_or("missing field `reason`: say why the password alone is enough")?;
                Ok(Self::NotRequired(NotRequired { reason }))
            }
            StepUp::Required => {
                if wire.reason.is_some() {
                    return Err("field `reason` has no place where `step_up` is `required`".to_owned());
                }
                let methods = wire.methods.ok_or("missing field `methods`")?;
                let defaults = Requirement::with_methods(methods);
                Ok(Self::Required(Requirement {
                    min_aal: wire.min_aal,
                    phishing_resistant: wire.phishing_resistant.unwrap_or(defaults.phishing_resistant),
                    min_ial: wire.min_ial,
                    attempts: wire.attempts.unwrap_or(defaults.attempts),
                    challenge_open_s: wire.challenge_open_s,
                    max_age_min: wire.max_age_min,
                    binding: wire.binding.unwrap_or(defaults.binding),
                    subject_link: wire.subject_link.unwrap_or(defaults.subject_link),
                    subject_attribute: wire.subject_attribute.unwrap_or(defaults.subject_attribute),
                    methods: defaults.methods,
                }))
            }
        }
    }
}

impl From<Outcome> for WireOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::NotRequired(NotRequired { reason }) => Self {
                reason: Some(reason),
                ..Self::empty(StepUp::NotRequired)
            },
            Outcome::Required(asked) => Self {
                methods: Some(asked.methods),
                min_aal: asked.min_aal,
                phishing_resistant: Some(asked.phishing_resistant),
                min_ial: asked.min_ial,
                attempts: Some(asked.attempts),
                challenge_open_s: asked.challenge_open_s,
                max_age_min: asked.max_age_min,
                binding: Some(asked.binding),
                subject_link: Some(asked.subject_link),
                subject_attribute: Some(asked.subject_attribute),
                ..Self::empty(StepUp::Required)
            },
        }
    }
}
