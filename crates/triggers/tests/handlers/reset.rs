//! After a password reset.

use crate::world::{SUB, World, fixture, settings};
use serde_json::json;
use step_up::event::EventType;
use step_up::reason::Reason;
use triggers::outcome::RefusedTokens;

const RESET: &str = "post_confirmation_ConfirmForgotPassword";

async fn refreshes(world: &World) -> Result<(), Reason> {
    let asked = world.ask(fixture("pretoken_v1_RefreshTokens")).await;
    asked.map(drop).map_err(|refused| refused.0)
}

#[tokio::test]
async fn a_reset_ends_every_refresh_and_voids_grants_but_keeps_the_link() {
    let world = World::new();
    assert!(world.step_up(|_| ()).await.0);
    assert!(world.step_up(|_| ()).await.0);
    assert_eq!(refreshes(&world).await, Ok(()));

    let answer = world.ask(fixture(RESET)).await;
    assert_eq!(answer, Ok(fixture(RESET)), "the event is echoed");
    assert_eq!(world.last_event().event_type, EventType::PasswordReset);
    assert!(world.last_event().user_hash.is_some());
    assert_eq!(refreshes(&world).await, Err(Reason::EvidenceExpired));
    let tokens = world.ask(fixture("pretoken_v1_Authentication")).await;
    assert_eq!(
        tokens,
        Err(RefusedTokens(Reason::NoGrant)),
        "a step-up of before opens nothing"
    );

    // The person is still who they were: the next step-up is as any other.
    assert_eq!(world.records.tables.lock().unwrap().links_of_users.len(), 1);
    assert!(world.step_up(|_| ()).await.0);
    assert_eq!(refreshes(&world).await, Ok(()));
    // Cognito's retry.
    assert!(world.ask(fixture(RESET)).await.is_ok() && world.ask(fixture(RESET)).await.is_ok());
}

#[tokio::test]
async fn other_users_keep_what_they_have() {
    let world = World::new();
    assert!(world.step_up(|_| ()).await.0);
    let mut event = fixture(RESET);
    event["request"]["userAttributes"]["sub"] = json!("another-user");
    assert!(world.ask(event).await.is_ok());
    assert_eq!(refreshes(&world).await, Ok(()));
}

#[tokio::test]
async fn records_that_cannot_be_deleted_fail_the_trigger() {
    let world = World::new();
    assert!(world.step_up(|_| ()).await.0);
    *world.records.broken.lock().unwrap() = true;
    let answer = world.ask(fixture(RESET)).await;
    assert_eq!(answer, Err(RefusedTokens(Reason::RecordsUnavailable)));
    assert_eq!(world.reason(), Some(Reason::RecordsUnavailable));
    let notes = world.sink.notes.lock().unwrap();
    assert!(
        notes
            .iter()
            .any(|note| note.message.contains("could not be deleted"))
    );
}

#[tokio::test]
async fn evidence_goes_even_without_settings_but_not_for_another_pool() {
    let world = World::new();
    assert!(world.step_up(|_| ()).await.0);
    let mut foreign = fixture(RESET);
    foreign["userPoolId"] = json!("eu-central-1_Another01");
    assert_eq!(world.ask(foreign).await, Err(RefusedTokens(Reason::ForeignPool)));
    let mut nobody = fixture(RESET);
    nobody["request"]["userAttributes"] = json!(null);
    assert_eq!(world.ask(nobody).await, Err(RefusedTokens(Reason::Internal)));
    assert!(!world.records.tables.lock().unwrap().evidence.is_empty());

    let mut without_pool = settings();
    without_pool["generation"] = json!(2);
    without_pool["user_pool_id"] = json!(null);
    world.set_settings(&without_pool);
    world.pass_ms(30_000);
    assert!(world.ask(fixture(RESET)).await.is_ok());
    let tables = world.records.tables.lock().unwrap();
    assert!(tables.evidence.is_empty() && !tables.evidence.keys().any(|(sub, _)| sub == SUB));
}

#[tokio::test]
async fn signing_up_deletes_nothing_and_is_never_refused() {
    let world = World::new();
    assert!(world.step_up(|_| ()).await.0);
    let event = fixture("post_confirmation_ConfirmSignUp");
    assert_eq!(world.ask(event.clone()).await, Ok(event));
    assert_eq!(refreshes(&world).await, Ok(()));
}
