//! Trying policies out: validation, simulation, the schema.

#[path = "../../../crates/step-up/tests/step_up/arbitrary.rs"]
#[expect(
    dead_code,
    reason = "shared with the tests of the decision logic, which use all of it"
)]
mod arbitrary;

use super::policies::policy_path;
use crate::support::{TestApp, examples};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use step_up::define::UserDecision;
use step_up::policy::{Outcome, PolicyDocument};
use step_up::policy_item::PolicyItem;
use triggers::cognito_event::CognitoEvent;

/// Generated policies that API and trigger are compared on, and users for each.
const POLICIES: usize = 60;
const USERS: usize = 5;

#[tokio::test]
async fn validation_tells_errors_and_warnings_and_stores_nothing() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let path = policy_path(&acme).await;
    let check = async |document: &Value| {
        acme.post(&format!("{path}:validate"), json!({ "document": document }))
            .await
            .expect(200)
    };
    let report = check(&examples::policy()).await;
    assert_eq!((&report["valid"], &report["errors"]), (&json!(true), &json!([])));

    let mut wrong = examples::policy();
    wrong["default"]["methods"][1] = json!("carrier pigeon");
    wrong["default"]["attempts"] = json!(9);
    let report = check(&wrong).await;
    assert_eq!(report["valid"], json!(false));
    let pointers: Vec<&str> = report["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    assert!(
        pointers.contains(&"/default/methods/1") && pointers.contains(&"/default/attempts"),
        "{report}"
    );
    // A mistake of form is one finding, with its place.
    let report = check(&json!({"schema_version": 1, "default": {"step_up": "maybe"}})).await;
    assert_eq!(
        (&report["valid"], &report["errors"][0]["code"]),
        (&json!(false), &json!("invalid_form"))
    );

    let open = json!({"schema_version": 1, "default": {"step_up": "not_required", "reason": "pilot"}});
    let report = check(&open).await;
    assert!(
        report["warnings"].to_string().contains("default_not_required"),
        "{report}"
    );
    assert_eq!(acme.get(&path).await.expect(200)["version"], json!(1));
    if report["valid"] == json!(true) {
        let put = acme.put(&path, 1, open).await.expect(202);
        assert_eq!(put["warnings"], report["warnings"]);
    } else {
        acme.put(&path, 1, open).await.problem(422, "validation_failed");
    }
}

#[tokio::test]
async fn the_schema_is_the_one_the_reader_is_tested_against() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let answer = acme.get("/v1/policy-schema").await;
    assert_eq!(answer.header("content-type"), "application/schema+json");
    assert_eq!(answer.expect(200), step_up::policy::json_schema());
}

#[tokio::test]
async fn a_simulation_tells_why_and_what_is_offered() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let path = policy_path(&acme).await;
    let simulate = format!("{path}:simulate");
    let stored = acme.post(&simulate, json!({})).await.expect(200);
    assert_eq!(
        (&stored["version"], &stored["rule"]),
        (&json!(1), &json!("default"))
    );
    // The app's session validity bounds what no rule bounds.
    assert_eq!(stored["offer"]["challenge_open_s"], json!(180));

    let document = json!({
        "schema_version": 1,
        "rules": [{
            "id": "ours",
            "when": {"all": [{"attribute": {"name": "email", "email_domain": ["acme.example"]}}, {"email_verified": true}]},
            "then": {"step_up": "required", "methods": ["otp"], "attempts": 1, "challenge_open_s": 60,
                     "subject_attribute": "custom:blockid"}
        }],
        "default": {"step_up": "not_required", "reason": "guests"}
    });
    let ask = async |verified: bool| {
        let body = json!({"attributes": {"email": "ann@acme.example"}, "email_verified": verified, "document": document});
        acme.post(&simulate, body).await.expect(200)
    };
    let told = ask(true).await;
    assert_eq!((&told["version"], &told["rule"]), (&Value::Null, &json!("ours")));
    assert_eq!(told["offer"]["methods"][0]["acr"], json!("otp"));
    assert_eq!(told["offer"]["challenge_open_s"], json!(60));
    assert_eq!(told["offer"]["can_be_named"], json!(false));
    let told = ask(false).await;
    assert_eq!((&told["rule"], &told["offer"]), (&json!("default"), &Value::Null));
    let parts = &told["rules"][0]["condition"]["parts"];
    assert_eq!(
        (&parts[0]["holds"], &parts[1]["holds"]),
        (&json!(true), &json!(false))
    );

    for (body, pointer, code) in [
        (
            json!({"attributes": {"email_verified": "false"}, "email_verified": true}),
            "/email_verified",
            "contradiction",
        ),
        (json!({"action": "not a name"}), "/action", "invalid"),
        (
            json!({"document": {"schema_version": 1}}),
            "/document",
            "invalid_form",
        ),
        (
            json!({"attributes": {"email": 5}}),
            "/attributes/email",
            "wrong_type",
        ),
    ] {
        acme.post(&simulate, body)
            .await
            .problem(422, "validation_failed")
            .names(pointer, code);
    }
}

#[tokio::test]
async fn a_simulation_decides_as_the_trigger_does() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let path = policy_path(&acme).await;
    let app_id = path.split('/').nth(5).unwrap();
    let mut runner = TestRunner::deterministic();
    let mut step_ups = 0;
    for _ in 0..POLICIES {
        let policy = generated(&arbitrary::policy(), &mut runner);
        for _ in 0..USERS {
            let user = generated(&arbitrary::subject(), &mut runner);
            let body = json!({
                "attributes": user.attributes, "email_verified": user.email_verified, "action": user.action,
                "document": policy,
            });
            let told = acme.post(&format!("{path}:simulate"), body).await.expect(200);
            step_ups += usize::from(compare(&policy, &user, app_id, &told));
        }
    }
    assert!(
        step_ups > 0 && step_ups < POLICIES * USERS,
        "{step_ups} step-ups say little"
    );
}

fn generated<S: Strategy>(strategy: &S, runner: &mut TestRunner) -> S::Value {
    strategy.new_tree(runner).unwrap().current()
}

/// Compares an answer with what the trigger says to the event that Cognito would send. Returns whether a step-up
/// is asked for.
fn compare(policy: &PolicyDocument, user: &arbitrary::OwnedSubject, app_id: &str, told: &Value) -> bool {
    let item = PolicyItem {
        return_url: None,
        generation: 1,
        app_id: app_id.to_owned(),
        client_id: "client".to_owned(),
        policy_version: 1,
        policy: policy.clone(),
        action_step_up: true,
        session_validity_s: 180,
        refresh_validity_s: 3_600,
        exemptions: Vec::new(),
        registration: None,
    };
    let mut attributes = user.attributes.clone();
    attributes.insert("email_verified".to_owned(), user.email_verified.to_string());
    attributes.insert(
        "sub".to_owned(),
        "00000000-0000-0000-0000-000000000001".to_owned(),
    );
    let event = CognitoEvent::read(&json!({ "request": { "userAttributes": attributes } }));
    let judged = triggers::app::judge(&item, &event, user.action.as_deref(), 0);
    let context = || format!("{policy:?} for {user:?}: {told}");
    assert_eq!(told["rule"], judged.rule, "{}", context());
    let decision: Outcome = serde_json::from_value(told["decision"].clone()).unwrap();
    assert_eq!(decision.requirement(), judged.requirement, "{}", context());
    if let UserDecision::Required { attempts } = judged.decision {
        assert_eq!(told["offer"]["attempts"], attempts, "{}", context());
        true
    } else {
        assert!(told["offer"].is_null(), "{}", context());
        false
    }
}
