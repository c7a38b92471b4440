//! Trying out credentials: one word comes back.

use crate::world::{SECRET, World, settings};
use serde_json::{Value, json};

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
