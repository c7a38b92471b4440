//! Every finding is made, where and when it should be; all at once; never a panic.

use crate::arbitrary::policy;
use crate::validate_cases::{documents_and_conditions, learned, outcomes, required, ruled, skip};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use step_up::policy::{PolicyDocument, Report, ValidationContext, codes, parse, validate};

fn report(document: &Value, context: &ValidationContext) -> Report {
    validate(
        &parse(document).unwrap_or_else(|error| panic!("{error}: {document}")),
        context,
    )
}

/// Findings as `(is an error, pointer, code)`.
fn found(report: &Report) -> BTreeSet<(bool, &str, &str)> {
    let errors = report.errors.iter().map(|finding| (true, finding));
    let warnings = report.warnings.iter().map(|finding| (false, finding));
    errors
        .chain(warnings)
        .map(|(error, finding)| (error, finding.pointer.as_str(), finding.code.as_ref()))
        .collect()
}

#[test]
fn every_finding_is_made_at_its_place() {
    let mut seen = BTreeSet::from([codes::SCHEMA_VERSION]); // below: no document that was read has another
    for (document, context, is_error, pointer, code) in
        documents_and_conditions().into_iter().chain(outcomes())
    {
        let report = report(&document, &context);
        assert!(
            found(&report).contains(&(is_error, pointer, code)),
            "{code} at {pointer}: {report:#?}"
        );
        seen.insert(code);
    }
    let all: BTreeSet<&str> = codes::ALL.iter().map(|(code, _)| *code).collect();
    assert_eq!(seen, all, "a code without a case, or a case without a code");
}

#[test]
fn a_document_built_by_hand_has_the_current_version() {
    let policy = PolicyDocument {
        schema_version: 0,
        ..PolicyDocument::initial()
    };
    let report = validate(&policy, &ValidationContext::unlearned());
    assert_eq!(
        found(&report),
        BTreeSet::from([(true, "/schema_version", codes::SCHEMA_VERSION)])
    );
}

#[test]
fn sound_policies_have_no_findings() {
    let unlearned = validate(&PolicyDocument::initial(), &ValidationContext::unlearned());
    assert_eq!(unlearned, Report::default());

    let sound = json!({
        "schema_version": 1,
        "rules": [
            { "id": "desk", "when": { "attribute": { "name": "custom:unit", "equals": "desk" } },
              "then": required(&json!({ "methods": ["fido2"], "min_aal": 3, "phishing_resistant": true })) },
            { "id": "sign-in", "when": { "all": [{ "for_action": false }, { "attribute": { "name": "email", "email_domain": ["example.com"] } }, { "email_verified": true }] },
              "then": required(&json!({ "attempts": 3, "min_aal": 2 })) },
            { "id": "kiosk", "when": { "all": [{ "for_action": false }, { "app": ["app_1"] }] }, "then": skip() },
        ],
        "default": required(&json!({ "min_ial": 2, "methods": ["liveID push", "/assurance/ial/2/"], "challenge_open_s": 600 })),
    });
    let context = ValidationContext {
        action_step_up: true,
        reset_by_mailbox_only: true,
        ..learned()
    };
    assert_eq!(report(&sound, &context), Report::default());
}

#[test]
fn everything_is_reported_at_once_and_names_the_rule() {
    let document = ruled(
        &json!({ "attribute": { "name": "a b", "prefix": "" } }),
        &required(
            &json!({ "methods": ["otp email"], "min_aal": 2, "attempts": 0, "min_ial": 2, "phishing_resistant": true }),
        ),
    );
    let context = ValidationContext {
        reset_by_mailbox_only: true,
        frame_ancestors_limited: false,
        ..learned()
    };
    let report = report(&document, &context);
    let expected = [
        codes::ATTRIBUTE_MALFORMED,
        codes::VALUE_EMPTY,
        codes::AAL_UNREACHABLE,
        codes::FRAME_ANCESTORS_NOT_LIMITED,
        codes::IAL_UNREACHABLE,
        codes::STEP_UP_IS_RESET_CHANNEL,
        codes::ATTEMPTS_OUT_OF_RANGE,
    ];
    let of_rule: Vec<&str> = report
        .errors
        .iter()
        .filter(|f| f.rule.as_deref() == Some("r"))
        .map(|f| f.code.as_ref())
        .collect();
    assert_eq!(of_rule, expected, "{report:#?}");
    assert!(
        report
            .errors
            .iter()
            .all(|finding| finding.message.starts_with("rule `r`: "))
    );
    let aal = report
        .errors
        .iter()
        .find(|finding| finding.code == codes::AAL_UNREACHABLE)
        .unwrap();
    assert!(
        aal.message.contains("asks AAL2") && aal.message.contains("`otp email`"),
        "{}",
        aal.message
    );
}

proptest! {
    #[test]
    fn any_document_has_a_report_and_pointers_lead_somewhere(
        policy in policy(),
        actions: bool,
        know_map: bool,
        writable: bool,
        session_validity_s in prop_oneof![Just(180_u32), Just(900), any::<u32>()],
    ) {
        let mut context = if know_map { learned() } else { ValidationContext::unlearned() };
        context.action_step_up = actions;
        context.session_validity_s = session_validity_s;
        if writable {
            context.user_writable_attributes = ["email".to_owned(), "custom:level".to_owned()].into();
        }
        let report = validate(&policy, &context);
        let document = serde_json::to_value(&policy).unwrap();
        for finding in report.errors.iter().chain(&report.warnings) {
            prop_assert!(codes::ALL.iter().any(|(code, _)| *code == finding.code));
            prop_assert!(document.pointer(&finding.pointer).is_some(), "{:?}", finding);
        }
        // Whatever is stored can be read again.
        if report.is_ok() {
            prop_assert_eq!(parse(&document).unwrap(), policy);
        }
    }
}

#[test]
fn a_hostile_document_is_judged_in_bounded_work() {
    // Long lists that differ in their last value: every comparison of two rules is as dear as can be.
    let rule = |n: usize| {
        let list: Vec<String> = (0..499)
            .map(|v| format!("v{v}"))
            .chain([format!("only in {n}")])
            .collect();
        let part = json!({ "attribute": { "name": "custom:unit", "in": list } });
        let nested = json!({ "any": [{ "all": [part, { "any": [part] }] }, { "not": { "all": [part] } }] });
        json!({ "id": format!("r{n}"), "when": nested, "then": skip() })
    };
    let rules: Vec<Value> = (0..20).map(rule).collect();
    let report = report(
        &json!({ "schema_version": 1, "rules": rules, "default": skip() }),
        &learned(),
    );
    assert_eq!(report.errors, []);
}
