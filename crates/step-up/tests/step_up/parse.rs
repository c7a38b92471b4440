//! Form, positions of mistakes, older schema versions.

use serde_json::{Value, json};
use step_up::policy::{
    MAX_DOCUMENT_BYTES, MAX_NESTING, Outcome, ParseError, PolicyDocument, ValidationContext, parse,
    parse_str, validate,
};

fn error(document: &Value) -> ParseError {
    parse(document).expect_err("must be refused")
}

fn with_default(default: &Value) -> Value {
    json!({ "schema_version": 1, "default": default })
}

fn with_condition(when: &Value) -> Value {
    json!({
        "schema_version": 1,
        "rules": [{ "id": "r", "when": when, "then": { "step_up": "required", "methods": ["otp"] } }],
        "default": { "step_up": "required", "methods": ["otp"] },
    })
}

#[test]
fn the_example_of_the_documentation_is_one() {
    let policy = parse_str(include_str!("../../corpus/policy/ok-documentation.json")).expect("well-formed");
    assert_eq!(policy.rules[0].id, "service-desk");
    let Outcome::Required(default) = &policy.default else {
        panic!("a step-up is required")
    };
    assert_eq!(
        (default.attempts, default.subject_attribute.as_str()),
        (2, "username")
    );
}

#[test]
#[rustfmt::skip]
fn mistakes_are_named_with_their_place() {
    let required = |extra: Value| {
        let mut outcome = json!({ "step_up": "required", "methods": ["otp"] });
        outcome
            .as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        with_default(&outcome)
    };
    let cases = [
        (json!([]), "", "JSON object"),
        (json!({ "schema_version": 1 }), "", "missing field `default`"),
        (json!({ "schema_version": 1, "default": { "step_up": "required", "methods": ["otp"] }, "extra": 1 }),
         "/extra", "unknown field `extra`"),
        (json!({ "schema_version": "1", "default": {} }), "/schema_version", "whole number"),
        (json!({ "schema_version": -1, "default": {} }), "/schema_version", "whole number"),
        (json!({ "schema_version": 2, "default": {} }), "/schema_version", "newer than 1"),
        (with_default(&json!({ "methods": ["otp"] })), "/default", "missing field `step_up`"),
        (with_default(&json!({ "step_up": "maybe" })), "/default/step_up", "unknown variant `maybe`"),
        (with_default(&json!({ "step_up": "required" })), "/default", "missing field `methods`"),
        (with_default(&json!({ "step_up": "not_required" })), "/default", "missing field `reason`"),
        (with_default(&json!({ "step_up": "not_required", "reason": "r", "methods": ["otp"] })),
         "/default", "field `methods`"),
        (with_default(&json!(["required", "r"])), "/default", "expected an object"),
        (required(json!({ "reason": "r" })), "/default", "field `reason`"),
        (required(json!({ "min_all": 2 })), "/default/min_all", "unknown field `min_all`"),
        (required(json!({ "min_aal": 300 })), "/default/min_aal", "300"),
        (required(json!({ "min_aal": null })), "/default/min_aal", "null"),
        (required(json!({ "attempts": 1.5 })), "/default/attempts", "1.5"),
        (required(json!({ "methods": ["otp", 1] })), "/default/methods/1", "string"),
        (required(json!({ "binding": "none" })), "/default/binding", "unknown variant `none`"),
        (with_condition(&json!({ "none": [] })), "/rules/0/when", "unknown variant `none`"),
        (with_condition(&json!({})), "/rules/0/when", ""),
        (with_condition(&json!({ "all": [], "any": [] })), "/rules/0/when", ""),
        (with_condition(&json!({ "all": [{ "email_verified": true }, { "email_verified": "yes" }] })),
         "/rules/0/when/all/1/email_verified", "boolean"),
        (with_condition(&json!({ "attribute": { "name": "a", "equals": "b", "regex": "c" } })),
         "/rules/0/when/attribute/regex", "unknown field `regex`"),
        (with_condition(&json!({ "attribute": { "name": "a" } })), "/rules/0/when/attribute", "no comparison"),
        (with_condition(&json!({ "attribute": { "name": "a", "equals": "b", "prefix": "c" } })),
         "/rules/0/when/attribute", "more than one comparison"),
        (with_condition(&json!({ "attribute": { "equals": "b" } })),
         "/rules/0/when/attribute", "missing field `name`"),
        (with_condition(&json!({ "attribute": ["a", "b"] })), "/rules/0/when/attribute", "expected an object"),
        (json!({ "schema_version": 1, "rules": [["r"]], "default": { "step_up": "not_required", "reason": "r" } }),
         "/rules/0", "expected an object"),
        (json!({ "schema_version": 1, "rules": null, "default": { "step_up": "not_required", "reason": "r" } }),
         "/rules", "null"),
    ];
    for (document, pointer, part) in cases {
        let error = error(&document);
        assert_eq!(error.pointer, pointer, "{document}: {error}");
        assert!(error.message.contains(part), "{document}: {error}");
    }
}

#[test]
fn a_field_given_twice_is_seen_in_text() {
    let text =
        r#"{"schema_version":1,"default":{"step_up":"required","methods":["otp"],"min_aal":2,"min_aal":1}}"#;
    let error = parse_str(text).expect_err("ambiguous");
    assert!(error.message.contains("duplicate field `min_aal`"), "{error}");
    assert_eq!(parse_str("{").expect_err("not JSON").code, "malformed_json");
}

#[test]
fn depth_and_size_cannot_hurt() {
    let nested = |levels: usize| {
        let mut condition = json!({ "email_verified": true });
        for _ in 0..levels {
            condition = json!({ "not": condition });
        }
        with_condition(&condition)
    };
    // Three levels lead to the condition and one is its innermost object.
    parse(&nested(MAX_NESTING - 4)).expect("as deep as allowed");
    assert_eq!(error(&nested(MAX_NESTING - 3)).code, "document_too_deep");
    // Deep enough to end a thread's stack, if anything looked at it recursively.
    let mut abyss = Value::Null;
    for _ in 0..200_000 {
        abyss = Value::Array(vec![abyss]);
    }
    assert_eq!(error(&abyss).code, "document_too_deep");
    while let Value::Array(mut inner) = abyss {
        abyss = inner.pop().unwrap_or_default();
    }

    let large = with_default(&json!({ "step_up": "not_required", "reason": "x".repeat(MAX_DOCUMENT_BYTES) }));
    assert_eq!(error(&large).code, "document_too_large");
    assert_eq!(
        parse_str(&large.to_string()).expect_err("too large").code,
        "document_too_large"
    );
}

#[test]
fn documents_of_version_0_keep_their_meaning() {
    let old = include_str!("../fixtures/policy-version-0.json");
    let today: Value = serde_json::from_str(include_str!("../fixtures/policy-version-0-as-1.json")).unwrap();
    let upgraded = parse_str(old).expect("older versions keep working");
    assert_eq!(serde_json::to_value(&upgraded).unwrap(), today);
    assert_eq!(parse(&today).expect("the upgraded form is today's"), upgraded);
    assert!(
        validate(&upgraded, &ValidationContext::unlearned())
            .errors
            .iter()
            .all(|finding| finding.code == "methods_not_learned")
    );

    // The explicit 0 is the same version, also where a document is embedded in another.
    let mut explicit: Value = serde_json::from_str(old).unwrap();
    explicit["schema_version"] = json!(0);
    let embedded: Vec<PolicyDocument> = serde_json::from_value(json!([explicit])).expect("embedded");
    assert_eq!(embedded[0], upgraded);
}

#[test]
fn a_forgotten_schema_version_is_explained() {
    let error = error(&json!({ "default": { "step_up": "required", "methods": ["otp"] } }));
    assert_eq!(error.pointer, "/default/step_up");
    assert!(error.message.contains("\"schema_version\": 1"), "{error}");
}

#[test]
fn what_is_left_out_is_written_out() {
    let stored = serde_json::to_value(PolicyDocument::initial()).unwrap();
    assert_eq!(
        stored,
        json!({
            "schema_version": 1,
            "rules": [],
            "default": {
                "step_up": "required",
                "methods": ["liveID push", "otp sms", "otp email", "otp"],
                "phishing_resistant": false,
                "attempts": 2,
                "binding": "nonce",
                "subject_link": "username",
                "subject_attribute": "username",
            },
        })
    );
}
