//! What conditions mean, and that `explain` tells what `evaluate` does.

use crate::arbitrary::{condition, policy, subject};
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;
use step_up::assurance::catalogue;
use step_up::policy::{
    CompiledPolicy, Condition, Explanation, NotRequired, Outcome, POLICY_SCHEMA_VERSION, PolicyDocument,
    Rule, Subject, evaluate, explain, parse,
};

fn attributes(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn skip() -> Outcome {
    Outcome::NotRequired(NotRequired {
        reason: "test".to_owned(),
    })
}

/// Whether a condition, given as JSON, holds.
fn holds(condition: &serde_json::Value, subject: &Subject<'_>) -> bool {
    let policy = parse(&json!({
        "schema_version": 1,
        "rules": [{ "id": "it", "when": condition, "then": { "step_up": "not_required", "reason": "test" } }],
        "default": { "step_up": "required", "methods": ["otp"] },
    }))
    .expect("the condition has the right form");
    evaluate(&policy, subject).rule == "it"
}

#[test]
fn attributes_compare_as_documented() {
    let attributes = attributes(&[
        ("custom:unit", "service-desk"),
        ("email", "Ann@Example.com"),
        ("custom:odd", "\"a@b\"@example.com"),
        ("custom:none", "@example.com"),
        ("custom:empty", ""),
    ]);
    let subject = Subject {
        attributes: &attributes,
        email_verified: true,
        app_id: "app_1",
        action: None,
    };
    let cases = [
        (json!({ "name": "custom:unit", "equals": "service-desk" }), true),
        (json!({ "name": "custom:unit", "equals": "Service-Desk" }), false),
        (
            json!({ "name": "custom:unit", "in": ["hr", "service-desk"] }),
            true,
        ),
        (json!({ "name": "custom:unit", "in": [] }), false),
        (json!({ "name": "custom:unit", "prefix": "service-" }), true),
        (json!({ "name": "custom:unit", "prefix": "desk" }), false),
        (json!({ "name": "custom:empty", "exists": true }), true),
        (json!({ "name": "custom:gone", "exists": true }), false),
        (json!({ "name": "custom:gone", "exists": false }), true),
        (json!({ "name": "custom:gone", "equals": "" }), false),
        (json!({ "name": "custom:gone", "prefix": "" }), false),
        (json!({ "name": "email", "email_domain": ["example.COM"] }), true),
        (
            json!({ "name": "email", "email_domain": ["ample.com", "com", "mail.example.com"] }),
            false,
        ),
        (
            json!({ "name": "custom:odd", "email_domain": ["example.com"] }),
            true,
        ),
        (
            json!({ "name": "custom:none", "email_domain": ["example.com"] }),
            false,
        ),
        (
            json!({ "name": "custom:unit", "email_domain": ["service-desk"] }),
            false,
        ),
    ];
    for (condition, expected) in cases {
        assert_eq!(
            holds(&json!({ "attribute": condition }), &subject),
            expected,
            "{condition}"
        );
    }
}

#[test]
fn the_rest_compares_as_documented() {
    let none = attributes(&[]);
    let sign_in = Subject {
        attributes: &none,
        email_verified: false,
        app_id: "app_1",
        action: None,
    };
    let paying = Subject {
        action: Some("pay"),
        email_verified: true,
        ..sign_in
    };
    let cases = [
        (json!({ "email_verified": true }), false, true),
        (json!({ "email_verified": false }), true, false),
        (json!({ "app": ["app_2", "app_1"] }), true, true),
        (json!({ "app": ["app_10"] }), false, false),
        (json!({ "action": ["pay"] }), false, true),
        (json!({ "action": ["sell"] }), false, false),
        (json!({ "for_action": true }), false, true),
        (json!({ "for_action": false }), true, false),
        (json!({ "all": [] }), true, true),
        (json!({ "any": [] }), false, false),
        (json!({ "not": { "any": [] } }), true, true),
        (
            json!({ "all": [{ "app": ["app_1"] }, { "for_action": true }] }),
            false,
            true,
        ),
        (
            json!({ "any": [{ "app": ["app_2"] }, { "for_action": false }] }),
            true,
            false,
        ),
    ];
    for (condition, at_sign_in, when_paying) in cases {
        assert_eq!(holds(&condition, &sign_in), at_sign_in, "{condition} at sign-in");
        assert_eq!(holds(&condition, &paying), when_paying, "{condition} when paying");
    }
}

#[test]
fn the_first_match_wins_and_the_default_takes_the_rest() {
    let policy = parse(&json!({
        "schema_version": 1,
        "rules": [
            { "id": "desk", "when": { "attribute": { "name": "custom:unit", "prefix": "desk" } },
              "then": { "step_up": "required", "methods": ["otp"], "attempts": 1 } },
            { "id": "everybody-with-a-unit", "when": { "attribute": { "name": "custom:unit", "exists": true } },
              "then": { "step_up": "not_required", "reason": "test" } },
        ],
        "default": { "step_up": "required", "methods": ["liveID push", "unheard of"], "min_aal": 2 },
    }))
    .expect("well-formed");
    let decided = |pairs: &[(&str, &str)]| -> Explanation {
        let attributes = attributes(pairs);
        let subject = Subject {
            attributes: &attributes,
            email_verified: false,
            app_id: "app_1",
            action: None,
        };
        explain(&policy, &subject, catalogue())
    };

    let desk = decided(&[("custom:unit", "desk-3")]);
    assert_eq!(desk.rule, "desk");
    assert!(desk.rules[0].reached && desk.rules[0].holds);
    assert!(
        !desk.rules[1].reached && desk.rules[1].holds,
        "holds, but is not looked at"
    );
    let offer = desk.offer.expect("a step-up is required");
    assert_eq!(
        (offer.attempts, offer.methods[0].label.as_str()),
        (1, "One-time code of an authenticator app")
    );

    let other = decided(&[("custom:unit", "hr")]);
    assert_eq!(
        (other.rule.as_str(), other.offer.is_none()),
        ("everybody-with-a-unit", true)
    );

    let nobody = decided(&[]);
    assert_eq!(nobody.rule, "default");
    let offer = nobody.offer.expect("a step-up is required");
    assert!(offer.methods[0].can_satisfy && !offer.methods[1].can_satisfy);
}

#[test]
fn a_trace_shows_every_part_and_none_of_the_users_values() {
    let policy = parse(&json!({
        "schema_version": 1,
        "rules": [{ "id": "r", "when": { "any": [
            { "not": { "attribute": { "name": "email", "email_domain": ["example.com"] } } },
            { "attribute": { "name": "custom:unit", "in": ["a", "b"] } } ] },
            "then": { "step_up": "not_required", "reason": "test" } }],
        "default": { "step_up": "required", "methods": ["otp"] },
    }))
    .expect("well-formed");
    let attributes = attributes(&[("email", "canary@example.com"), ("custom:unit", "canary")]);
    let subject = Subject {
        attributes: &attributes,
        email_verified: false,
        app_id: "app_1",
        action: None,
    };
    let explanation = explain(&policy, &subject, catalogue());
    let condition = &explanation.rules[0].condition;
    assert_eq!(condition.parts.len(), 2);
    assert_eq!(condition.parts[0].parts[0].pointer, "/rules/0/when/any/0/not");
    assert_eq!(condition.parts[1].text, "`custom:unit` is one of `a`, `b`");
    let text = serde_json::to_string(&explanation).expect("plain data");
    assert!(!text.contains("canary"), "{text}");
}

proptest! {
    #[test]
    fn explain_and_evaluate_agree(policy in policy(), subject in subject()) {
        let decision = evaluate(&policy, &subject.view());
        let explanation = explain(&policy, &subject.view(), catalogue());
        prop_assert_eq!(&explanation.rule, decision.rule);
        prop_assert_eq!(&explanation.decision, decision.outcome);
        prop_assert_eq!(explanation.offer.is_some(), decision.outcome.requirement().is_some());

        let first = explanation.rules.iter().find(|rule| rule.holds);
        prop_assert_eq!(first.map_or("default", |rule| rule.id.as_str()), decision.rule);
        prop_assert_eq!(
            explanation.rules.iter().filter(|rule| rule.reached).count(),
            explanation.rules.iter().position(|rule| rule.holds).map_or(policy.rules.len(), |at| at + 1)
        );
        for rule in &explanation.rules {
            prop_assert_eq!(rule.holds, rule.condition.holds);
        }
    }

    #[test]
    fn a_trace_is_true_to_its_parts(condition in condition(), subject in subject()) {
        let policy = PolicyDocument {
            schema_version: POLICY_SCHEMA_VERSION,
            rules: vec![Rule { id: "it".to_owned(), description: None, when: condition.clone(), then: skip() }],
            default: skip(),
        };
        let explanation = explain(&policy, &subject.view(), catalogue());
        let parts: Vec<bool> = explanation.rules[0].condition.parts.iter().map(|part| part.holds).collect();
        let holds = explanation.rules[0].holds;
        match condition {
            Condition::All(_) => prop_assert_eq!(holds, parts.iter().all(|part| *part)),
            Condition::Any(_) => prop_assert_eq!(holds, parts.iter().any(|part| *part)),
            Condition::Not(_) => prop_assert_eq!(vec![!holds], parts),
            _ => prop_assert!(parts.is_empty()),
        }
    }

    /// What a trigger reads back from its table decides like what the API was given.
    #[test]
    fn storing_changes_no_decision(policy in policy(), subject in subject()) {
        let text = serde_json::to_string(&policy).expect("plain data");
        let stored: PolicyDocument = serde_json::from_str(&text).expect("what was written can be read");
        prop_assert_eq!(&stored, &policy);
        prop_assert_eq!(evaluate(&stored, &subject.view()), evaluate(&policy, &subject.view()));
    }
}

proptest! {
    #[test]
    fn a_prepared_policy_decides_as_the_policy(policy in policy(), subject in subject()) {
        let compiled = CompiledPolicy::new(&policy);
        prop_assert_eq!(compiled.evaluate(&subject.view()), evaluate(&policy, &subject.view()));
    }
}

#[test]
fn a_prepared_policy_may_name_any_number_of_attributes() {
    let rule = |number: u32| {
        json!({ "id": format!("r{number}"), "when": { "attribute": { "name": format!("custom:a{number}"), "equals": "yes" } },
                "then": { "step_up": "not_required", "reason": "test" } })
    };
    let rules: Vec<_> = (0..40).map(rule).collect();
    let policy = parse(&json!({
        "schema_version": 1, "rules": rules, "default": { "step_up": "required", "methods": ["otp"] },
    }))
    .expect("a sound policy");
    let compiled = CompiledPolicy::new(&policy);
    for number in [0, 15, 16, 17, 39] {
        let attributes = attributes(&[(&format!("custom:a{number}"), "yes")]);
        let subject = Subject::of_user(&attributes, "app_1", None);
        assert_eq!(compiled.evaluate(&subject).rule, format!("r{number}"));
    }
}
