//! *define*: what comes next, and that a refusal is an answer and never an error.

use crate::world::{World, any_method, fixture, not_required, settings};
use serde_json::{Value, json};
use step_up::event::EventType;
use step_up::reason::Reason;

fn fails(response: &Value) -> bool {
    response["failAuthentication"] == json!(true)
        && response["issueTokens"] == json!(false)
        && response["challengeName"].is_null()
}

#[tokio::test]
async fn after_srp_comes_the_password() {
    let world = World::new();
    let response = world.define(fixture("define_srp_a")).await;
    assert_eq!(
        response,
        json!({"challengeName": "PASSWORD_VERIFIER", "issueTokens": false, "failAuthentication": false})
    );
}

#[tokio::test]
async fn an_unknown_user_is_asked_for_a_password_like_anybody() {
    let world = World::new();
    let known = world.define(fixture("define_srp_a")).await;
    assert_eq!(world.define(fixture("define_user_not_found")).await, known);
}

#[tokio::test]
async fn after_the_password_comes_the_step_up() {
    let world = World::new();
    for event in ["define_password_passed", "define_email_sign_in"] {
        let response = world.define(fixture(event)).await;
        assert_eq!(response["challengeName"], "CUSTOM_CHALLENGE", "{event}");
        assert_eq!(response["issueTokens"], false);
    }
}

#[tokio::test]
async fn without_srp_an_app_without_actions_refuses() {
    let world = World::new();
    for event in ["define_no_session", "define_user_not_found_no_session"] {
        assert!(fails(&world.define(fixture(event)).await), "{event}");
        assert_eq!(world.reason(), Some(Reason::PasswordRequired));
    }
}

#[tokio::test]
async fn a_policy_may_skip_after_the_password_and_says_so() {
    let world = World::with_policy(&not_required());
    let response = world.define(fixture("define_password_passed")).await;
    assert_eq!(response["issueTokens"], true);
    let event = world.last_event();
    assert_eq!(event.event_type, EventType::Skipped);
    assert_eq!(
        (event.policy_version, event.rule.as_deref()),
        (Some(3), Some("default"))
    );
    assert!(event.user_hash.is_some_and(|hash| hash.len() == 32));
}

#[tokio::test]
async fn a_policy_skips_nobody_before_the_password() {
    let world = World::with_policy(&not_required());
    let response = world.define(fixture("define_srp_a")).await;
    assert_eq!(response["challengeName"], "PASSWORD_VERIFIER");
    assert!(world.types().is_empty());
}

#[tokio::test]
async fn an_exemption_stands_in_until_it_ends() {
    let world = World::new();
    let ends = world.now_s() + 60;
    world.change_item(|item| {
        item.exemptions = serde_json::from_value(json!([
            {"id": "exm_other", "user_sub": "somebody-else", "expires_at_unix_s": ends},
            {"id": "exm_1", "user_sub": crate::world::SUB, "expires_at_unix_s": ends},
        ]))
        .expect("exemptions");
    });
    assert_eq!(
        world.define(fixture("define_password_passed")).await["issueTokens"],
        true
    );
    assert_eq!(world.last_event().event_type, EventType::Exempted);
    world.pass_ms(60_000);
    let later = world.define(fixture("define_password_passed")).await;
    assert_eq!(later["challengeName"], "CUSTOM_CHALLENGE");
}

#[tokio::test]
async fn a_passed_step_up_gets_tokens_and_a_failed_one_another_try() {
    let world = World::new();
    let offered = world.offered().await;
    let mut event = fixture("define_password_passed");
    let rounds = event["request"]["session"].as_array_mut().expect("session");
    rounds.push(offered.as_round(true));
    assert_eq!(world.define(event.clone()).await["issueTokens"], true);

    let rounds = event["request"]["session"].as_array_mut().expect("session");
    rounds[2] = offered.as_round(false);
    assert_eq!(
        world.define(event.clone()).await["challengeName"],
        "CUSTOM_CHALLENGE"
    );

    let rounds = event["request"]["session"].as_array_mut().expect("session");
    rounds.push(offered.as_round(false));
    assert!(fails(&world.define(event).await));
    assert_eq!(world.reason(), Some(Reason::AttemptsExhausted));
    assert_eq!(world.last_event().journey_id, Some(offered.private.journey));
}

#[tokio::test]
async fn metadata_that_create_did_not_write_fails() {
    let world = World::new();
    for metadata in [
        json!(null),
        json!(""),
        json!("refused"),
        json!("{\"v\":2}"),
        json!("state123"),
    ] {
        let mut event = fixture("define_password_passed");
        event["request"]["session"].as_array_mut().expect("session").push(
            json!({"challengeName": "CUSTOM_CHALLENGE", "challengeResult": true, "challengeMetadata": metadata}),
        );
        assert!(fails(&world.define(event).await), "{metadata}");
        assert_eq!(world.reason(), Some(Reason::UnknownHistory));
    }
}

#[tokio::test]
async fn rounds_that_cannot_be_read_are_not_overlooked() {
    let world = World::with_policy(&not_required());
    let mut event = fixture("define_password_passed");
    event["request"]["session"]
        .as_array_mut()
        .expect("session")
        .push(Value::Null);
    assert!(fails(&world.define(event).await));
}

#[tokio::test]
async fn an_action_cannot_be_slipped_into_a_sign_in() {
    let world = World::new();
    let mut event = fixture("define_password_passed");
    event["request"]["clientMetadata"] = json!({"action": "transfer"});
    assert!(fails(&world.define(event).await));
    assert_eq!(world.reason(), Some(Reason::ActionRefused));
}

#[tokio::test]
async fn a_user_without_the_attribute_that_names_them_is_refused_after_the_password_only() {
    let mut policy = any_method();
    policy["default"]["subject_attribute"] = json!("custom:blockid");
    let world = World::with_policy(&policy);
    assert_eq!(
        world.define(fixture("define_srp_a")).await["challengeName"],
        "PASSWORD_VERIFIER"
    );
    assert!(fails(&world.define(fixture("define_password_passed")).await));
    assert_eq!(world.reason(), Some(Reason::LinkRefused));
}

#[tokio::test]
async fn tenant_client_and_pool_are_checked_first() {
    let world = World::new();
    let mut foreign = fixture("define_srp_a");
    foreign["userPoolId"] = json!("eu-central-1_Other0000");
    assert!(fails(&world.define(foreign).await));
    assert_eq!(world.reason(), Some(Reason::ForeignPool));

    let mut client = fixture("define_srp_a");
    client["callerContext"] = json!({"clientId": "made-by-hand"});
    assert!(fails(&world.define(client).await));
    assert_eq!(world.reason(), Some(Reason::UnknownClient));

    let mut nobody = fixture("define_srp_a");
    nobody["callerContext"] = Value::Null;
    assert!(fails(&world.define(nobody).await));
    assert_eq!(world.reason(), Some(Reason::UnknownClient));
}

#[tokio::test]
async fn a_suspended_tenant_opens_nothing() {
    let world = World::with_policy(&not_required());
    let mut suspended = settings();
    suspended["suspended"] = json!(true);
    world.set_settings(&suspended);
    for event in ["define_srp_a", "define_password_passed"] {
        assert!(fails(&world.define(fixture(event)).await));
        assert_eq!(world.reason(), Some(Reason::Suspended));
    }
}
