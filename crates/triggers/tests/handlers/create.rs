//! *create*: what the browser gets, and what it does not.

use crate::world::{Offered, SUB, World, any_method, fixture, not_required, settings};
use serde_json::{Value, json};
use step_up::challenge::{ChallengeMetadata, RoundKind};
use step_up::event::EventType;
use step_up::policy::Binding;
use step_up::reason::Reason;

#[tokio::test]
async fn the_public_parameters_are_what_kosmos_script_reads_and_our_sdk() {
    let world = World::new();
    let Offered { public, private, .. } = world.offered().await;
    assert_eq!(public["tenant"], "acme.1kosmos.example");
    assert_eq!(public["community"], "default");
    assert_eq!(public["kosmos_clientId"], "acme-client");
    assert_eq!(public["acr"], "'liveID push','otp sms','otp email','otp'");
    assert_eq!(public["state"], json!(private.state));
    assert_eq!(public["username"], "ada");
    assert_eq!(public["kind"], "step_up");
    assert_eq!(public["journey_id"], json!(private.journey));
    assert!(
        public.as_object().expect("object").values().all(Value::is_string),
        "Cognito takes text only"
    );
    let url = public["authorize_url"].as_str().expect("url");
    for part in [
        "prompt=login",
        "max_age=0",
        "code_challenge_method=S256",
        "nonce=",
        "claims=",
    ] {
        assert!(url.contains(part), "{part} in {url}");
    }
    assert!(!url.contains(private.pkce_verifier.as_deref().expect("verifier")));
}

#[tokio::test]
async fn state_nonce_and_verifier_are_random_and_differ() {
    let world = World::new();
    let one = world.offered().await.private;
    let two = world.offered().await.private;
    let verifier = one.pkce_verifier.clone().expect("verifier");
    for value in [&one.state, &one.nonce, &verifier] {
        assert_eq!(value.len(), 43);
    }
    assert!(one.state != one.nonce && one.nonce != verifier && one.state != two.state);
    assert_ne!(one.journey, two.journey);
}

#[tokio::test]
async fn what_verify_compares_is_bound_to_user_client_policy_and_time() {
    let mut policy = any_method();
    policy["default"]["challenge_open_s"] = json!(60);
    let world = World::with_policy(&policy);
    let Offered {
        private,
        metadata,
        public,
        ..
    } = world.offered().await;
    assert_eq!(private.user_sub, SUB);
    assert_eq!(private.client_id, crate::world::CLIENT);
    assert_eq!(
        (private.policy_version, private.rule.as_str(), private.round),
        (3, "default", 1)
    );
    assert_eq!(private.expires_at_unix_s, world.now_s() + 60);
    assert_eq!(public["expires_at"], json!(private.expires_at_unix_s.to_string()));
    assert_eq!(private.max_age_s, 28_800);
    let metadata = ChallengeMetadata::parse(&metadata).expect("metadata");
    assert_eq!((metadata.journey, metadata.attempts), (private.journey, 2));
    assert_eq!(metadata.kind, RoundKind::StepUp);
}

#[tokio::test]
async fn a_rule_cannot_keep_a_challenge_open_longer_than_the_app() {
    let mut policy = any_method();
    policy["default"]["challenge_open_s"] = json!(900);
    let world = World::with_policy(&policy);
    assert_eq!(
        world.offered().await.private.expires_at_unix_s,
        world.now_s() + 180
    );
}

#[tokio::test]
async fn a_maximum_age_under_an_hour_leaves_no_evidence() {
    let mut policy = any_method();
    policy["default"]["max_age_min"] = json!(30);
    let world = World::with_policy(&policy);
    assert_eq!(world.offered().await.private.max_age_s, 0);
}

#[tokio::test]
async fn another_round_keeps_its_journey_and_gets_new_secrets() {
    let world = World::new();
    let first = world.offered().await;
    let mut event = fixture("create_after_password");
    event["request"]["session"]
        .as_array_mut()
        .expect("session")
        .push(first.as_round(false));
    let second = world.create(event).await.private;
    assert_eq!(second.journey, first.private.journey);
    assert_eq!(second.round, 2);
    assert_ne!(second.state, first.private.state);
    assert_eq!(
        world.types(),
        [EventType::Started, EventType::Offered, EventType::Offered]
    );
}

#[tokio::test]
async fn with_email_sign_in_the_attribute_names_the_user_to_blockid() {
    let mut policy = any_method();
    policy["default"]["subject_attribute"] = json!("email");
    let world = World::with_policy(&policy);
    let offered = world.create(fixture("create_email_sign_in")).await;
    assert_eq!(offered.private.asserted_username, "Ada@Example.com");
    assert_eq!(offered.private.user_sub, SUB);
}

#[tokio::test]
async fn a_name_full_of_signs_stays_one_value_of_the_url() {
    let world = World::new();
    let mut event = fixture("create_after_password");
    event["userName"] = json!("a&acr_values=x#'\"\u{202e}💥");
    let offered = world.create(event).await;
    let url = offered.public["authorize_url"].as_str().expect("url");
    assert_eq!(url.matches('&').count(), 10, "{url}");
    assert!(
        url.is_ascii() && !url.contains('#') && !url.contains('"'),
        "{url}"
    );
}

#[tokio::test]
async fn state_only_sends_no_nonce() {
    let mut policy = any_method();
    policy["default"]["binding"] = json!("state_only");
    let world = World::with_policy(&policy);
    let offered = world.offered().await;
    assert_eq!(offered.private.binding, Binding::StateOnly);
    assert_eq!(
        offered.private.pkce_verifier, None,
        "1Kosmos's script sends no challenge"
    );
    let url = offered.public["authorize_url"].as_str().expect("url");
    assert!(
        !url.contains("nonce=") && !url.contains("code_challenge"),
        "{url}"
    );
}

#[tokio::test]
async fn the_apps_return_page_is_offered_where_there_is_one() {
    let world = World::new();
    assert!(world.offered().await.public.get("return_url").is_none());
    world.change_item(|item| item.return_url = Some("https://app.example/callback".to_owned()));
    world.pass_ms(31_000);
    let offered = world.offered().await;
    assert_eq!(offered.public["return_url"], "https://app.example/callback");
    assert_eq!(
        offered.private.return_url.as_deref(),
        Some("https://app.example/callback")
    );
    let url = offered.public["authorize_url"].as_str().expect("url");
    assert!(
        !url.contains("app.example"),
        "the frame is for BlockID's own page"
    );
}

#[tokio::test]
async fn a_provider_without_pkce_gets_none() {
    let world = World::new();
    let mut without = settings();
    without["provider"]["pkce_s256"] = json!(false);
    world.set_settings(&without);
    let offered = world.offered().await;
    assert_eq!(offered.private.pkce_verifier, None);
    assert!(
        !offered.public["authorize_url"]
            .as_str()
            .expect("url")
            .contains("code_challenge")
    );
}

#[tokio::test]
async fn what_the_emulator_passes_from_initiate_auth_changes_nothing() {
    let world = World::new();
    let mut event = fixture("create_after_password");
    event["request"]["clientMetadata"] = json!({"journey_id": "jrn_chosen", "acr": "otp email"});
    let offered = world.create(event).await;
    assert_ne!(offered.private.journey, "jrn_chosen");
    assert_eq!(offered.private.methods.len(), 4);
}

#[tokio::test]
async fn a_policy_that_changed_in_between_hands_out_nothing() {
    let world = World::with_policy(&not_required());
    let mut response = world
        .ask(fixture("create_after_password"))
        .await
        .expect("no error");
    assert_eq!(
        response["response"]["publicChallengeParameters"].take(),
        json!({"reason": "policy_changed"})
    );
    assert_eq!(response["response"]["privateChallengeParameters"], json!({}));
    assert_eq!(world.reason(), Some(Reason::PolicyChanged));
    assert!(
        ChallengeMetadata::parse(response["response"]["challengeMetadata"].as_str().expect("text")).is_none()
    );
}

#[tokio::test]
async fn without_provider_metadata_there_is_no_challenge() {
    let world = World::new();
    let mut unknown = settings();
    unknown["provider"] = Value::Null;
    world.set_settings(&unknown);
    world
        .ask(fixture("create_after_password"))
        .await
        .expect("no error");
    assert_eq!(world.reason(), Some(Reason::SettingsUnavailable));
}

#[tokio::test]
async fn an_unknown_user_has_no_challenge_after_a_password() {
    let world = World::new();
    let event = fixture("create_user_not_found_after_password");
    let response = world.ask(event).await.expect("no error");
    assert_eq!(response["response"]["privateChallengeParameters"], json!({}));
    assert_eq!(world.reason(), Some(Reason::PasswordFailed));
}
