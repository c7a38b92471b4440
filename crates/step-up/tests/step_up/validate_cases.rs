//! One case for each finding, and the tenant they are made for.

use crate::arbitrary::METHODS;
use serde_json::{Value, json};
use step_up::assurance::{Method, catalogue_with};
use step_up::policy::{ValidationContext, codes};
use step_up::settings::ObservedMethod;

/// A tenant that has learned its map and has a FIDO2 value.
pub(crate) fn learned() -> ValidationContext {
    let fido2 = Method {
        acr: "fido2".to_owned(),
        label: "Security key".to_owned(),
        max_aal: 3,
        phishing_resistant: true,
        restricted: false,
        not_out_of_band: false,
        proves_ial: None,
    };
    let observed = METHODS.iter().map(|acr| {
        let recorded = ObservedMethod {
            acr: Some((*acr).to_owned()),
            amr: Vec::new(),
            auth_time: true,
            recorded_at_unix_s: 1,
            ..ObservedMethod::default()
        };
        ((*acr).to_owned(), recorded)
    });
    ValidationContext {
        catalogue: catalogue_with(&[fido2]),
        observed: observed.collect(),
        frame_ancestors_limited: true,
        ..ValidationContext::unlearned()
    }
}

pub(crate) fn required(extra: &Value) -> Value {
    let mut outcome = json!({ "step_up": "required", "methods": ["liveID push"] });
    outcome
        .as_object_mut()
        .unwrap()
        .extend(extra.as_object().unwrap().clone());
    outcome
}

pub(crate) fn skip() -> Value {
    json!({ "step_up": "not_required", "reason": "kiosk" })
}

/// A document with one rule, `r`.
pub(crate) fn ruled(when: &Value, then: &Value) -> Value {
    json!({ "schema_version": 1, "rules": [{ "id": "r", "when": when, "then": then }], "default": required(&json!({})) })
}

pub(crate) fn defaulted(default: &Value) -> Value {
    json!({ "schema_version": 1, "default": default })
}

/// Document, context, whether the finding is an error, its pointer, its code.
pub(crate) type Case = (Value, ValidationContext, bool, &'static str, &'static str);

/// The document as a whole, rules and their conditions.
#[rustfmt::skip]
pub(crate) fn documents_and_conditions() -> Vec<Case> {
    let base = learned;
    let many: Vec<Value> = (0..101)
        .map(|n| json!({ "id": format!("r{n}"), "when": { "app": [format!("app_{n}")] }, "then": skip() }))
        .collect();
    let mut deep = json!({ "email_verified": true });
    for _ in 0..8 {
        deep = json!({ "not": deep });
    }
    let wide = json!({ "any": vec![json!({ "email_verified": true }); 200] });
    let rules = |ids: [&str; 2]| {
        let rule = |id, app| json!({ "id": id, "when": { "app": [app] }, "then": skip() });
        json!({ "schema_version": 1, "rules": [rule(ids[0], "app_1"), rule(ids[1], "app_2")], "default": skip() })
    };
    let attribute =
        |name: &str, test: &str, value: Value| json!({ "attribute": { "name": name, test: value } });
    let unit = |test, value| ruled(&attribute("custom:unit", test, value), &skip());
    let writable = ValidationContext {
        user_writable_attributes: ["custom:unit".to_owned(), "email".to_owned()].into(),
        ..base()
    };
    // Fits as sent and not as stored, where every rule's defaults are written out.
    let heavy: Vec<Value> = (0..99)
        .map(|n| json!({ "id": format!("r{n}"), "when": attribute("custom:unit", "in", json!([format!("{n}-{}", "x".repeat(1230)), format!("{n}+{}", "x".repeat(1200))])), "then": required(&json!({})) }))
        .collect();
    let mut described = ruled(&json!({ "app": ["app_1"] }), &skip());
    described["rules"][0]["description"] = json!("x".repeat(501));
    vec![
        (json!({ "schema_version": 1, "rules": many, "default": skip() }),
         base(), true, "/rules", codes::TOO_MANY_RULES),
        (json!({ "schema_version": 1, "rules": heavy, "default": skip() }),
         base(), true, "", codes::DOCUMENT_TOO_LARGE),
        (rules(["", "b"]), base(), true, "/rules/0/id", codes::RULE_ID_EMPTY),
        (rules(["a", "a"]), base(), true, "/rules/1/id", codes::RULE_ID_DUPLICATE),
        (rules(["a", "default"]), base(), true, "/rules/1/id", codes::RULE_ID_RESERVED),
        (rules(["a b", "b"]), base(), true, "/rules/0/id", codes::RULE_ID_MALFORMED),
        (described, base(), true, "/rules/0/description", codes::TEXT_TOO_LONG),
        (ruled(&deep, &skip()), base(), true, "/rules/0/when", codes::CONDITION_TOO_DEEP),
        (ruled(&wide, &skip()), base(), true, "/rules/0/when", codes::CONDITION_TOO_LARGE),
        (unit("in", json!([])), base(), true, "/rules/0/when/attribute/in", codes::LIST_EMPTY),
        (unit("in", json!(vec!["a"; 501])), base(), true, "/rules/0/when/attribute/in", codes::LIST_TOO_LONG),
        (unit("prefix", json!("")), base(), true, "/rules/0/when/attribute/prefix", codes::VALUE_EMPTY),
        (unit("equals", json!("x".repeat(2049))),
         base(), true, "/rules/0/when/attribute/equals", codes::TEXT_TOO_LONG),
        (ruled(&attribute("a b", "exists", json!(true)), &skip()),
         base(), true, "/rules/0/when/attribute/name", codes::ATTRIBUTE_MALFORMED),
        (ruled(&attribute("unit", "exists", json!(true)), &skip()),
         base(), false, "/rules/0/when/attribute/name", codes::ATTRIBUTE_UNKNOWN),
        (ruled(&json!({ "not": attribute("custom:unit", "exists", json!(true)) }), &skip()),
         writable, true, "/rules/0/when/not/attribute/name", codes::ATTRIBUTE_USER_WRITABLE),
        (ruled(&attribute("email", "email_domain", json!(["@a.com"])), &skip()),
         base(), true, "/rules/0/when/attribute/email_domain/0", codes::EMAIL_DOMAIN_MALFORMED),
        (ruled(&attribute("email", "email_domain", json!(["a.com"])), &skip()),
         base(), false, "/rules/0/when", codes::EMAIL_NOT_VERIFIED),
        (ruled(&json!({ "app": ["shop"] }), &skip()), base(), true, "/rules/0/when/app/0", codes::APP_ID_MALFORMED),
        (ruled(&json!({ "action": ["pay me"] }), &skip()),
         base(), true, "/rules/0/when/action/0", codes::ACTION_MALFORMED),
        (ruled(&json!({ "action": ["pay"] }), &required(&json!({}))),
         base(), false, "/rules/0/when/action", codes::ACTION_STEP_UP_OFF),
        (ruled(&json!({ "any": [] }), &skip()), base(), true, "/rules/0/when", codes::RULE_NEVER_MATCHES),
        (json!({ "schema_version": 1, "rules": [{ "id": "a", "when": { "all": [] }, "then": skip() }, { "id": "b", "when": { "app": ["app_1"] }, "then": skip() }], "default": skip() }),
         base(), true, "/rules/1/when", codes::RULE_UNREACHABLE),
        (ruled(&json!({ "all": [] }), &skip()), base(), false, "/default", codes::DEFAULT_UNREACHABLE),
        (defaulted(&skip()), base(), false, "/default", codes::DEFAULT_NOT_REQUIRED),
        (defaulted(&json!({ "step_up": "not_required", "reason": " " })),
         base(), true, "/default/reason", codes::REASON_EMPTY),
    ]
}

/// What rules ask for.
#[rustfmt::skip]
pub(crate) fn outcomes() -> Vec<Case> {
    let base = learned;
    let actions = || ValidationContext {
        action_step_up: true,
        ..learned()
    };
    let with = |extra: Value| defaulted(&required(&extra));
    let mut twins = learned();
    for acr in ["otp", "otp sms"] {
        twins.observed.get_mut(acr).unwrap().acr = Some("otp".to_owned());
    }
    let mut silent = learned();
    silent.observed.get_mut("otp").unwrap().nonce = Some(false);
    let only_push = || {
        let mut context = learned();
        context.observed.retain(|acr, _| acr == "liveID push");
        context
    };
    let writable = ValidationContext {
        user_writable_attributes: ["email".to_owned()].into(),
        ..base()
    };
    let many: Vec<String> = (0..17).map(|n| format!("method {n}")).collect();
    vec![
        (ruled(&json!({ "action": ["pay"] }), &skip()),
         actions(), true, "/rules/0/then/step_up", codes::ACTION_WITHOUT_STEP_UP),
        (ruled(&json!({ "email_verified": true }), &skip()),
         actions(), false, "/rules/0/then/step_up", codes::ACTION_REFUSED_HERE),
        (with(json!({ "methods": [] })), base(), true, "/default/methods", codes::METHODS_EMPTY),
        (with(json!({ "methods": many })), base(), true, "/default/methods", codes::METHODS_TOO_MANY),
        (with(json!({ "methods": ["otp", "otp"] })), base(), true, "/default/methods/1", codes::METHOD_DUPLICATE),
        (with(json!({ "methods": ["otp", "sms"] })), base(), true, "/default/methods/1", codes::METHOD_UNKNOWN),
        (with(json!({})), ValidationContext::unlearned(), true, "/default/methods", codes::METHODS_NOT_LEARNED),
        (with(json!({ "methods": ["otp"] })), only_push(), true, "/default/methods", codes::METHODS_NOT_OBSERVED),
        (with(json!({ "methods": ["liveID push", "otp"] })),
         only_push(), false, "/default/methods/1", codes::METHOD_NOT_OBSERVED),
        (with(json!({ "methods": ["otp"] })), twins, true, "/default/methods/0", codes::METHOD_AMBIGUOUS),
        (with(json!({ "methods": ["otp", "otp email"], "min_aal": 2 })),
         base(), false, "/default/methods/1", codes::METHOD_TOO_WEAK),
        (with(json!({ "methods": ["otp", "otp sms"], "min_aal": 2 })),
         base(), false, "/default/methods/1", codes::METHOD_RESTRICTED),
        (with(json!({ "min_aal": 4 })), base(), true, "/default/min_aal", codes::AAL_OUT_OF_RANGE),
        (with(json!({ "min_aal": 2, "methods": ["otp email"] })),
         base(), true, "/default/min_aal", codes::AAL_UNREACHABLE),
        (with(json!({ "phishing_resistant": true, "methods": ["otp"] })),
         base(), true, "/default/phishing_resistant", codes::PHISHING_RESISTANCE_UNREACHABLE),
        (with(json!({ "phishing_resistant": true, "methods": ["fido2"] })),
         ValidationContext { frame_ancestors_limited: false, ..base() }, true, "/default/phishing_resistant", codes::FRAME_ANCESTORS_NOT_LIMITED),
        (with(json!({ "min_ial": 0 })), base(), true, "/default/min_ial", codes::IAL_OUT_OF_RANGE),
        (with(json!({ "min_ial": 2 })), base(), true, "/default/min_ial", codes::IAL_UNREACHABLE),
        (with(json!({ "min_ial": 2, "methods": ["liveID push", "/assurance/ial/2/"] })),
         ValidationContext { session_validity_s: 599, ..base() }, false, "/default/methods", codes::PROOFING_TIME_SHORT),
        (with(json!({ "methods": ["otp email"] })),
         ValidationContext { reset_by_mailbox_only: true, ..base() }, true, "/default/methods", codes::STEP_UP_IS_RESET_CHANNEL),
        (with(json!({ "attempts": 4 })), base(), true, "/default/attempts", codes::ATTEMPTS_OUT_OF_RANGE),
        (with(json!({ "attempts": 3 })), actions(), true, "/default/attempts", codes::ATTEMPTS_TOO_MANY_FOR_ACTION),
        (with(json!({ "challenge_open_s": 29 })),
         base(), true, "/default/challenge_open_s", codes::CHALLENGE_OPEN_TOO_SHORT),
        (with(json!({ "challenge_open_s": 181 })),
         ValidationContext { session_validity_s: 180, ..base() }, true, "/default/challenge_open_s", codes::CHALLENGE_OPEN_TOO_LONG),
        (with(json!({ "max_age_min": 0 })), base(), true, "/default/max_age_min", codes::MAX_AGE_OUT_OF_RANGE),
        (with(json!({ "max_age_min": 59 })), base(), false, "/default/max_age_min", codes::MAX_AGE_NO_REFRESH),
        (ruled(&json!({ "app": ["app_1"] }), &required(&json!({ "max_age_min": 60 }))),
         base(), false, "", codes::MAX_AGE_DIFFERS),
        (with(json!({ "methods": ["otp"] })), silent, false, "/default/methods/0", codes::NONCE_NOT_RETURNED),
        (with(json!({ "binding": "state_only" })), base(), false, "/default/binding", codes::BINDING_STATE_ONLY),
        (with(json!({ "subject_attribute": "" })),
         base(), true, "/default/subject_attribute", codes::ATTRIBUTE_MALFORMED),
        (with(json!({ "subject_attribute": "email" })),
         writable.clone(), true, "/default/subject_attribute", codes::LINK_USER_WRITABLE),
        (with(json!({ "subject_link": "verified_email" })),
         writable, true, "/default/subject_link", codes::LINK_USER_WRITABLE),
    ]
}
