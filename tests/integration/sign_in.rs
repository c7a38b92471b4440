//! The main job, end to end: onboarded through the API, provisioned by the worker, signed in by a client.

use crate::installation;
use attacks::bench::now_ms;
use attacks::functions::Trigger;
use attacks::provider::Posted;
use attacks::stepgate::any_method_policy;
use serde_json::{Value, json};
use std::time::Duration;
use step_up::event::EventType;
use step_up::reason::Reason;

/// Looks at a policy change before giving up: warm functions keep a policy for 30 s.
const POLICY_LOOKS: u32 = 60;

#[test]
fn a_tenant_is_onboarded_step_by_step() {
    installation::run(|installation| async move {
        let tenant = installation.tenant().await;
        let operation = tenant.made["operation"]["id"].as_str().expect("an id");
        let operation = installation
            .partner
            .get(&format!("/v1/operations/{operation}"))
            .await
            .expect("it");
        assert_eq!(operation["state"], "succeeded");
        let steps = operation["steps"].as_array().expect("steps");
        assert!(!steps.is_empty());
        for step in steps {
            assert!(
                matches!(step["state"].as_str(), Some("succeeded" | "skipped")),
                "{step}"
            );
        }
    });
}

#[test]
fn password_and_step_up_give_tokens_that_say_so() {
    installation::run(|installation| async move {
        let tenant = installation.tenant().await;
        let (bench, app) = (&tenant.bench, tenant.app());
        let user = bench.user().await.expect("a user");
        let since = now_ms();
        let challenge = bench.challenge(&app, &user).await.expect("a step-up");
        for name in [
            "tenant",
            "community",
            "kosmos_clientId",
            "acr",
            "state",
            "authorize_url",
            "journey_id",
        ] {
            assert!(challenge.parameters.contains_key(name), "no {name}");
        }
        assert_eq!(challenge.parameters["username"], user.name);
        let posted = bench.posted(&challenge).await.expect("a code");
        let step = bench
            .answer(&app, &user, &challenge, &posted.answer())
            .await
            .expect("an answer");
        let tokens = step.tokens().expect("tokens");
        for claims in [
            tokens.id_claims().expect("claims"),
            tokens.access_claims().expect("claims"),
        ] {
            assert_eq!(claims["sub"], user.sub);
            for name in ["stepup_acr", "stepup_amr", "stepup_at", "stepup_policy"] {
                assert!(claims[name].is_string(), "no {name} in {claims}");
            }
            assert!(claims["stepup_action"].is_null());
        }
        let told = bench.events(&user, since).await.expect("events");
        let types: Vec<EventType> = told.iter().map(|event| event.event_type).collect();
        for expected in [
            EventType::Started,
            EventType::Offered,
            EventType::Succeeded,
            EventType::Tokens,
        ] {
            assert!(types.contains(&expected), "no {expected:?} in {types:?}");
        }
        assert!(told.iter().all(|event| event.tenant_id == tenant.id));
    });
}

#[test]
fn without_password_code_or_step_up_there_are_no_tokens() {
    installation::run(|installation| async move {
        let tenant = installation.tenant().await;
        let (bench, app) = (&tenant.bench, tenant.app());

        let mut user = bench.user().await.expect("a user");
        let right = std::mem::replace(&mut user.password, "Wrong1!wrong-wrong".to_owned());
        let step = bench
            .cognito
            .password("CUSTOM_AUTH", &bench.who(&app, &user))
            .await
            .expect("an answer");
        assert_eq!(step.refused().expect("a refusal").kind, "NotAuthorizedException");
        user.password = right;

        // The password alone leads to the step-up and nowhere else.
        let challenge = bench.challenge(&app, &user).await.expect("a step-up");
        let since = now_ms();
        let step = bench
            .answer(&app, &user, &challenge, "")
            .await
            .expect("an answer");
        assert!(step.refused().is_some(), "{}", step.label());
        let refusal = bench
            .refusal(Trigger::Verify, &user, since)
            .await
            .expect("a reason");
        assert_eq!(refusal.reason, Some(Reason::MalformedAnswer));

        let challenge = bench.challenge(&app, &user).await.expect("a step-up");
        let state = challenge.parameters["state"].clone();
        let since = now_ms();
        let guess = Posted {
            code: "guessed".to_owned(),
            state,
        }
        .answer();
        let step = bench
            .answer(&app, &user, &challenge, &guess)
            .await
            .expect("an answer");
        assert!(step.refused().is_some(), "{}", step.label());
        let refusal = bench
            .refusal(Trigger::Verify, &user, since)
            .await
            .expect("a reason");
        assert_eq!(refusal.reason, Some(Reason::CodeRejected));
        assert_eq!(refusal.app_id.as_deref(), Some(app.id.as_str()));
    });
}

#[test]
fn an_answer_is_good_once() {
    installation::run(|installation| async move {
        let tenant = installation.tenant().await;
        let (bench, app) = (&tenant.bench, tenant.app());
        let user = bench.user().await.expect("a user");
        let challenge = bench.challenge(&app, &user).await.expect("a step-up");
        let posted = bench.posted(&challenge).await.expect("a code");
        let step = bench
            .answer(&app, &user, &challenge, &posted.answer())
            .await
            .expect("an answer");
        step.tokens().expect("tokens");
        let step = bench
            .answer(&app, &user, &challenge, &posted.answer())
            .await
            .expect("an answer");
        assert!(step.refused().is_some(), "{}", step.label());
    });
}

#[test]
fn a_refresh_carries_the_step_up_it_rests_on() {
    installation::run(|installation| async move {
        let tenant = installation.tenant().await;
        let (bench, app) = (&tenant.bench, tenant.app());
        let user = bench.user().await.expect("a user");
        let tokens = bench.sign_in(&app, &user).await.expect("tokens");
        let first = tokens.id_claims().expect("claims");
        let refresh_token = tokens.refresh_token.expect("a refresh token");
        let refreshed = bench
            .cognito
            .refresh(&app.client_id, &refresh_token)
            .await
            .expect("an answer");
        let refreshed = refreshed.tokens().expect("tokens").id_claims().expect("claims");
        assert_eq!(refreshed["stepup_at"], first["stepup_at"]);
        assert_eq!(refreshed["stepup_acr"], first["stepup_acr"]);
    });
}

#[test]
fn the_first_password_is_no_sign_in() {
    installation::run(|installation| async move {
        let tenant = installation.tenant().await;
        let (bench, app) = (&tenant.bench, tenant.app());
        let name = format!("invited-{}", attacks::bench::random_letters(10));
        let mut user = bench.invited(&name, &json!([])).await.expect("a user");
        let since = now_ms();
        let new = "Changed1!changed-changed";
        let responses = json!({ "USERNAME": user.name, "NEW_PASSWORD": new });
        let step = bench
            .cognito
            .respond(
                &app.client_id,
                "NEW_PASSWORD_REQUIRED",
                Some("session"),
                responses,
                None,
            )
            .await
            .expect("an answer");
        assert!(step.refused().is_some(), "{}", step.label());
        let refusal = bench
            .refusal(Trigger::Gate, &user, since)
            .await
            .expect("a reason");
        assert_eq!(refusal.reason, Some(Reason::FirstPasswordSet));
        user.password = new.to_owned();
        bench
            .sign_in(&app, &user)
            .await
            .expect("a normal sign-in follows");
    });
}

#[test]
fn a_policy_change_takes_effect_in_warm_functions() {
    installation::run(|installation| async move {
        let tenant = installation.tenant().await;
        let bench = &tenant.bench;
        let app = bench.app("changing", json!({})).await.expect("an app");
        let user = bench.user().await.expect("a user");
        bench.sign_in(&app, &user).await.expect("a step-up is asked for");

        let mut policy = any_method_policy();
        policy["default"] = json!({ "step_up": "not_required", "reason": "kiosk in a locked room" });
        let put = installation
            .partner
            .put_policy(&tenant.id, &app.id, &policy)
            .await
            .expect("the policy");
        let version = put["policy"]["version"].as_i64().expect("a version");
        let version = Value::String(version.to_string());
        let mut claims = None;
        for _ in 0..POLICY_LOOKS {
            let step = bench
                .cognito
                .password("CUSTOM_AUTH", &bench.who(&app, &user))
                .await
                .expect("an answer");
            // Several warm functions may answer, and each reads the policy again at a time of its own.
            let issued = step
                .tokens()
                .ok()
                .map(|tokens| tokens.id_claims().expect("claims"));
            claims = issued.filter(|claims| claims["stepup_policy"] == version);
            if claims.is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let claims = claims.expect("tokens without a step-up, under the new version");
        assert!(claims["stepup_acr"].is_null(), "{claims}");
    });
}
