//! Generated policies and subjects. Values come from small sets, so that rules do meet subjects, and most
//! are sound, so that a document of several rules has a chance to be.

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use std::collections::BTreeMap;
use step_up::policy::{
    AttributeCondition, AttributeTest, Binding, Condition, NotRequired, Outcome, POLICY_SCHEMA_VERSION,
    PolicyDocument, Requirement, Rule, Subject, SubjectLink,
};

const ATTRIBUTES: &[&str] = &["email", "custom:unit", "custom:level", "preferred_username"];
const VALUES: &[&str] = &[
    "",
    "a",
    "ab",
    "service-desk",
    "ann@example.com",
    "bob@EXAMPLE.com",
    "\"x@y\"@example.org",
    "@",
];
const APPS: &[&str] = &["app_1", "app_2", "app_3"];
const ACTIONS: &[&str] = &["pay", "pay:large", "close-account"];
const DOMAINS: &[&str] = &["example.com", "Example.ORG", "example.net"];
pub(crate) const METHODS: &[&str] = &[
    "liveID push",
    "otp sms",
    "otp email",
    "otp",
    "/assurance/ial/2/",
    "fido2",
];

/// A subject that owns its parts.
#[derive(Debug, Clone)]
pub(crate) struct OwnedSubject {
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) email_verified: bool,
    pub(crate) app_id: String,
    pub(crate) action: Option<String>,
}

impl OwnedSubject {
    pub(crate) fn view(&self) -> Subject<'_> {
        Subject {
            attributes: &self.attributes,
            email_verified: self.email_verified,
            app_id: &self.app_id,
            action: self.action.as_deref(),
        }
    }
}

fn one_of(values: &'static [&'static str]) -> impl Strategy<Value = String> + Clone {
    select(values).prop_map(str::to_owned)
}

fn some_of(values: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    prop_oneof![20 => subsequence(values, 1..=values.len()), 1 => Just(Vec::new())]
        .prop_map(|list| list.into_iter().map(str::to_owned).collect())
}

pub(crate) fn subject() -> impl Strategy<Value = OwnedSubject> {
    let attributes = btree_map(one_of(ATTRIBUTES), one_of(VALUES), 0..=4);
    (
        attributes,
        any::<bool>(),
        one_of(APPS),
        option::of(one_of(ACTIONS)),
    )
        .prop_map(|(attributes, email_verified, app_id, action)| OwnedSubject {
            attributes,
            email_verified,
            app_id,
            action,
        })
}

pub(crate) fn condition() -> impl Strategy<Value = Condition> {
    let test = prop_oneof![
        one_of(VALUES).prop_map(AttributeTest::Equals),
        some_of(VALUES).prop_map(AttributeTest::In),
        prop_oneof![10 => select(vec!["a", "ab", "ann@"]), 1 => Just("")]
            .prop_map(|value| AttributeTest::Prefix(value.to_owned())),
        any::<bool>().prop_map(AttributeTest::Exists),
        some_of(DOMAINS).prop_map(AttributeTest::EmailDomain),
    ];
    let leaf = prop_oneof![
        4 => (one_of(ATTRIBUTES), test)
            .prop_map(|(name, test)| Condition::Attribute(AttributeCondition { name, test })),
        1 => any::<bool>().prop_map(Condition::EmailVerified),
        1 => some_of(APPS).prop_map(Condition::App),
        1 => some_of(ACTIONS).prop_map(Condition::Action),
        1 => any::<bool>().prop_map(Condition::ForAction),
    ];
    leaf.prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..=3).prop_map(Condition::All),
            vec(inner.clone(), 0..=3).prop_map(Condition::Any),
            inner.prop_map(|inner| Condition::Not(Box::new(inner))),
        ]
    })
}

fn requirement() -> impl Strategy<Value = Requirement> {
    let level = || option::of(prop_oneof![20 => 1_u8..=3, 1 => 0_u8..=4]);
    let levels = (
        level(),
        any::<bool>(),
        level(),
        prop_oneof![20 => 1_u8..=3, 1 => 0_u8..=4],
    );
    let times = (
        option::of(prop_oneof![20 => 30_u32..=900, 1 => 0_u32..1200]),
        option::of(prop_oneof![20 => select(vec![1, 59, 60, 480]), 1 => select(vec![0, 5_256_001])]),
    );
    let links = (
        select(vec![Binding::Nonce, Binding::StateOnly]),
        select(vec![
            SubjectLink::Username,
            SubjectLink::VerifiedEmail,
            SubjectLink::LinkedOnly,
        ]),
        prop_oneof![20 => select(vec!["username", "email", "custom:blockid"]), 1 => select(vec!["", "no such name"])],
    );
    let methods = prop_oneof![20 => some_of(METHODS), 1 => vec(one_of(METHODS), 0..4)];
    (methods, levels, times, links).prop_map(|(methods, levels, times, links)| Requirement {
        methods,
        min_aal: levels.0,
        phishing_resistant: levels.1,
        min_ial: levels.2,
        attempts: levels.3,
        challenge_open_s: times.0,
        max_age_min: times.1,
        binding: links.0,
        subject_link: links.1,
        subject_attribute: links.2.to_owned(),
    })
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        3 => requirement().prop_map(Outcome::Required),
        1 => prop_oneof![10 => select(vec!["kiosk", "batch user"]), 1 => select(vec!["", " "])]
            .prop_map(|reason| Outcome::NotRequired(NotRequired { reason: reason.to_owned() })),
    ]
}

pub(crate) fn policy() -> impl Strategy<Value = PolicyDocument> {
    let id = prop_oneof![20 => select(vec!["one", "two", "three", "four"]), 1 => select(vec!["", "default", "no id"])];
    let rule = (
        id,
        option::of(select(vec!["", "for people"])),
        condition(),
        outcome(),
    )
        .prop_map(|(id, text, when, then)| Rule {
            id: id.to_owned(),
            description: text.map(str::to_owned),
            when,
            then,
        });
    (vec(rule, 0..5), outcome()).prop_map(|(rules, default)| PolicyDocument {
        schema_version: POLICY_SCHEMA_VERSION,
        rules,
        default,
    })
}
