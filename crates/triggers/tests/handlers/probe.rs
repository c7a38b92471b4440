//! Trying out credentials: one word comes back.

use crate::world::{SECRET, World, settings, signed};
use blockid::ExchangeError;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use step_up::reason::Reason;

async fn probe(world: &World, stage: &str) -> Value {
    world
        .verify
        .handle("request-3", json!({"stepgate_probe": {"version_stage": stage}}))
        .await
}

#[tokio::test]
async fn pending_credentials_are_tried_and_the_current_ones_left_alone() {
    let world = World::new();
    world.set_credentials("AWSPENDING", "wrong");
    assert_eq!(
        probe(&world, "AWSPENDING").await,
        json!({"outcome": "invalid_client"})
    );
    assert_eq!(
        probe(&world, "AWSCURRENT").await,
        json!({"outcome": "invalid_grant"})
    );
    world.set_credentials("AWSPENDING", SECRET);
    assert_eq!(
        probe(&world, "AWSPENDING").await,
        json!({"outcome": "invalid_grant"})
    );
    assert!(world.types().is_empty(), "a probe is no step-up");
}

#[tokio::test]
async fn a_probe_says_what_is_missing() {
    let world = World::new();
    assert_eq!(
        probe(&world, "AWSPENDING").await,
        json!({"outcome": "credentials_unavailable"})
    );
    let mut unknown = settings();
    unknown["provider"] = Value::Null;
    world.set_settings(&unknown);
    let world2 = World::new();
    world2.set_settings(&unknown);
    assert_eq!(
        probe(&world2, "AWSCURRENT").await,
        json!({"outcome": "settings_unavailable"})
    );
}

#[tokio::test]
async fn an_event_of_cognito_is_never_a_probe() {
    let world = World::new();
    let offered = world.offered().await;
    let mut event = offered.answered(&offered.answer());
    event["stepgate_probe"] = json!({"version_stage": "AWSCURRENT"});
    assert!(!world.judge(event).await);
}

fn bound_to(tenant_dns: &str, client_id: &str, secret: &str) -> String {
    json!({
        "client_id": client_id, "client_secret": secret,
        "issued_by": {"tenant_dns": tenant_dns, "community": "default"},
    })
    .to_string()
}

fn keep(world: &World, stage: &'static str, text: String) {
    world
        .secrets
        .texts
        .lock()
        .unwrap()
        .insert(("credentials", stage), text);
}

#[tokio::test]
async fn a_candidate_connection_is_tried_only_with_credentials_that_were_given_for_it() {
    let world = World::new();
    keep(
        &world,
        "AWSPENDING",
        bound_to("new.1kosmos.example", "new-client", SECRET),
    );
    let mut candidate = settings();
    candidate["connection"]["tenant_dns"] = json!("new.1kosmos.example");
    candidate["connection"]["client_id"] = json!("new-client");
    let ask = async |stage: &str, settings: Value| {
        let event = json!({"stepgate_probe": {"version_stage": stage, "settings": settings}});
        world.verify.handle("request-3", event).await["outcome"].take()
    };
    assert_eq!(ask("AWSPENDING", candidate.clone()).await, "invalid_grant");
    // Without the candidate it would go to the provider in force.
    assert_eq!(
        probe(&world, "AWSPENDING").await,
        json!({"outcome": "credentials_mismatch"})
    );
    let mut elsewhere = candidate.clone();
    elsewhere["connection"]["tenant_dns"] = json!("evil.example");
    assert_eq!(ask("AWSPENDING", elsewhere).await, "credentials_mismatch");
    let mut of_another = candidate;
    of_another["tenant_id"] = json!("tnt_another");
    assert_eq!(ask("AWSPENDING", of_another).await, "settings_unavailable");
    assert_eq!(
        ask("AWSPENDING", json!({"connection": 7})).await,
        "settings_unavailable"
    );
}

#[tokio::test]
async fn while_a_connection_changes_settings_and_credentials_that_belong_together_are_used() {
    let world = World::new();
    let old = "acme.1kosmos.example";
    keep(&world, "AWSPREVIOUS", bound_to(old, "acme-client", SECRET));
    keep(
        &world,
        "AWSCURRENT",
        bound_to("new.1kosmos.example", "acme-client", "of the new one"),
    );
    let offered = world.offered().await;
    let token = signed(&world.good_claims(&offered));
    *world.provider.exchange.lock().unwrap() = Some(Box::new(move |credentials, _, _| {
        assert_eq!(
            credentials.client_secret, SECRET,
            "a secret went to another provider"
        );
        Ok(token.clone())
    }));
    assert!(world.judge(offered.answered(&offered.answer())).await);
}

#[tokio::test]
async fn credentials_of_another_provider_are_sent_nowhere() {
    let world = World::new();
    keep(
        &world,
        "AWSCURRENT",
        bound_to("evil.example", "acme-client", SECRET),
    );
    let offered = world.offered().await;
    assert!(!world.judge(offered.answered(&offered.answer())).await);
    assert_eq!(world.provider.exchanges.load(Ordering::Relaxed), 0);
    assert_eq!(world.reason(), Some(Reason::SettingsUnavailable));
}

#[tokio::test]
async fn credentials_that_were_rotated_are_read_again_once_the_old_ones_are_refused() {
    let world = World::new();
    let (first, second) = (world.offered().await, world.offered().await);
    let token = signed(&world.good_claims(&first));
    world.provider_says(token);
    assert!(world.judge(first.answered(&first.answer())).await);
    world.set_credentials("AWSCURRENT", "rotated");
    let token = signed(&world.good_claims(&second));
    *world.provider.exchange.lock().unwrap() = Some(Box::new(move |credentials, _, _| {
        if credentials.client_secret == "rotated" {
            Ok(token.clone())
        } else {
            Err(ExchangeError::ClientRejected)
        }
    }));
    assert!(world.judge(second.answered(&second.answer())).await);
}
