//! What is called unreachable is never reached; what is called impossible never holds.

use crate::arbitrary::{policy, subject};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use step_up::policy::{ValidationContext, codes, evaluate, parse, validate};

fn codes_of(conditions: &[Value]) -> Vec<(String, String)> {
    let rules: Vec<Value> = conditions
        .iter()
        .enumerate()
        .map(|(index, when)| {
            json!({ "id": format!("r{index}"), "when": when, "then": { "step_up": "not_required", "reason": "test" } })
        })
        .collect();
    let policy = parse(&json!({
        "schema_version": 1, "rules": rules, "default": { "step_up": "not_required", "reason": "test" },
    }))
    .expect("well-formed");
    let report = validate(&policy, &ValidationContext::unlearned());
    report
        .errors
        .into_iter()
        .map(|finding| (finding.rule.unwrap_or_default(), finding.code.into_owned()))
        .filter(|(_, code)| code == codes::RULE_UNREACHABLE || code == codes::RULE_NEVER_MATCHES)
        .collect()
}

fn unit(test: &str, value: impl serde::Serialize) -> Value {
    json!({ "attribute": { "name": "custom:unit", test: value } })
}

#[test]
fn a_rule_behind_a_wider_one_is_unreachable() {
    let wider_then_narrower = [
        (json!({ "all": [] }), unit("equals", "a")),
        (unit("prefix", "a"), unit("equals", "ab")),
        (unit("prefix", "a"), unit("in", ["ab", "ac"])),
        (unit("in", ["a", "b"]), unit("equals", "a")),
        (unit("exists", true), unit("prefix", "a")),
        (unit("prefix", "a"), unit("prefix", "ab")),
        (
            unit("email_domain", ["a.com", "b.com"]),
            unit("email_domain", ["B.com"]),
        ),
        (unit("email_domain", ["a.com"]), unit("equals", "x@a.com")),
        (json!({ "app": ["app_1", "app_2"] }), json!({ "app": ["app_2"] })),
        (json!({ "for_action": true }), json!({ "action": ["pay"] })),
        (json!({ "not": unit("equals", "a") }), unit("equals", "b")),
        (
            json!({ "any": [{ "email_verified": true }, { "app": ["app_1"] }] }),
            json!({ "app": ["app_1"] }),
        ),
        (
            json!({ "app": ["app_1"] }),
            json!({ "all": [{ "email_verified": true }, { "app": ["app_1"] }] }),
        ),
        (
            json!({ "all": [{ "email_verified": true }, { "app": ["app_1"] }] }),
            json!({ "all": [{ "app": ["app_1"] }, unit("equals", "a"), { "email_verified": true }] }),
        ),
    ];
    for (wider, narrower) in wider_then_narrower {
        let found = codes_of(&[wider.clone(), narrower.clone()]);
        assert_eq!(
            found,
            [("r1".to_owned(), codes::RULE_UNREACHABLE.to_owned())],
            "{wider} before {narrower}"
        );
        assert_eq!(
            codes_of(&[narrower.clone(), wider.clone()]),
            [],
            "{narrower} before {wider}"
        );
    }
    let same = [
        json!({ "email_verified": true }),
        json!({ "not": { "email_verified": false } }),
    ];
    assert_eq!(
        codes_of(&same),
        [("r1".to_owned(), codes::RULE_UNREACHABLE.to_owned())]
    );
}

#[test]
fn a_contradiction_never_matches() {
    let never = [
        json!({ "any": [] }),
        json!({ "not": { "all": [] } }),
        json!({ "all": [unit("equals", "a"), unit("equals", "b")] }),
        json!({ "all": [unit("exists", false), unit("prefix", "b")] }),
        json!({ "all": [{ "all": [{ "email_verified": true }] }, { "email_verified": false }] }),
        json!({ "all": [{ "action": ["pay"] }, { "for_action": false }] }),
        json!({ "all": [{ "app": ["app_1"] }, { "app": ["app_2"] }] }),
        json!({ "all": [unit("equals", "a"), { "not": unit("in", ["a", "b"]) }] }),
        json!({ "any": [{ "any": [] }, { "all": [{ "for_action": true }, { "for_action": false }] }] }),
    ];
    for condition in never {
        let found = codes_of(std::slice::from_ref(&condition));
        assert_eq!(
            found,
            [("r0".to_owned(), codes::RULE_NEVER_MATCHES.to_owned())],
            "{condition}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn nobody_reaches_what_is_called_unreachable(policy in policy(), subjects in vec(subject(), 30)) {
        let report = validate(&policy, &ValidationContext::unlearned());
        for finding in &report.errors {
            if finding.code != codes::RULE_UNREACHABLE && finding.code != codes::RULE_NEVER_MATCHES {
                continue;
            }
            let index: usize = finding.pointer.split('/').nth(2).unwrap().parse().unwrap();
            let mut alone = policy.clone();
            for (at, rule) in alone.rules.iter_mut().enumerate() {
                rule.id = if at == index { "this".to_owned() } else { format!("r{at}") };
            }
            for subject in &subjects {
                prop_assert_ne!(evaluate(&alone, &subject.view()).rule, "this", "{:?}", finding);
            }
        }
    }
}
