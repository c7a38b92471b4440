//! What `diff` says of two policies.

use crate::arbitrary::policy;
use proptest::prelude::*;
use serde_json::{Value, json};
use step_up::policy::{Change, ChangeKind, PolicyDocument, diff};

fn document(rules: &[(&str, u8)], attempts: u8) -> PolicyDocument {
    let asked = |attempts: u8| json!({"step_up": "required", "methods": ["otp"], "attempts": attempts});
    let rules: Vec<Value> = rules
        .iter()
        .map(|(id, attempts)| json!({"id": id, "when": {"for_action": false}, "then": asked(*attempts)}))
        .collect();
    step_up::policy::parse(&json!({"schema_version": 1, "rules": rules, "default": asked(attempts)})).unwrap()
}

fn told(changes: &[Change]) -> Vec<String> {
    changes
        .iter()
        .map(|change| format!("{} {:?} {}", change.rule, change.kind, change.field))
        .collect()
}

#[test]
fn rules_are_matched_by_id_and_fields_are_named() {
    let before = document(&[("a", 1), ("b", 1), ("c", 1)], 2);
    let after = document(&[("new", 1), ("b", 1), ("c", 3)], 1);
    assert_eq!(
        told(&diff(&before, &after)),
        [
            "a Removed ",
            "new Added ",
            "c Changed /then/attempts",
            "default Changed /attempts"
        ]
    );
    let changes = diff(&before, &after);
    assert_eq!(
        (&changes[2].before, &changes[2].after),
        (&Some(json!(1)), &Some(json!(3)))
    );
}

#[test]
fn a_moved_rule_is_one_change() {
    let before = document(&[("a", 1), ("b", 1), ("c", 1), ("d", 1)], 2);
    let after = document(&[("d", 1), ("a", 1), ("b", 1), ("c", 1)], 2);
    let changes = diff(&before, &after);
    assert_eq!(told(&changes), ["d Moved "]);
    assert_eq!(
        (&changes[0].before, &changes[0].after),
        (&Some(json!(3)), &Some(json!(0)))
    );
}

#[test]
fn another_kind_of_condition_is_told_as_one_gone_and_one_come() {
    let before = document(&[("a", 1)], 2);
    let mut after = before.clone();
    after.rules[0].when = step_up::policy::Condition::EmailVerified(true);
    assert_eq!(
        told(&diff(&before, &after)),
        ["a Removed /when/for_action", "a Added /when/email_verified"]
    );
    assert_eq!(diff(&before, &after)[0].kind, ChangeKind::Removed);
}

proptest! {
    #[test]
    fn nothing_differs_exactly_when_the_documents_are_equal(one in policy(), other in policy()) {
        prop_assert!(diff(&one, &one).is_empty());
        prop_assert_eq!(diff(&one, &other).is_empty(), one == other);
        prop_assert_eq!(diff(&other, &one).is_empty(), one == other);
    }

    #[test]
    fn a_rule_taken_out_is_the_only_change(one in policy(), index in any::<prop::sample::Index>()) {
        prop_assume!(!one.rules.is_empty());
        let mut ids: Vec<&str> = one.rules.iter().map(|rule| rule.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        prop_assume!(ids.len() == one.rules.len());
        let mut shorter = one.clone();
        let gone = shorter.rules.remove(index.index(one.rules.len()));
        let expected = vec![format!("{} Removed ", gone.id)];
        prop_assert_eq!(told(&diff(&one, &shorter)), expected);
    }
}
