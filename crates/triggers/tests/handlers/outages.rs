//! When something outside cannot be read: stale for a while where that is safe, refused where it is not.

use crate::world::{World, fixture, not_required, settings, signed};
use serde_json::json;
use step_up::reason::Reason;
use triggers::outcome::RefusedTokens;

fn refused(reason: Reason) -> Result<serde_json::Value, RefusedTokens> {
    Err(RefusedTokens(reason))
}

#[tokio::test]
async fn a_policy_serves_stale_for_a_quarter_of_an_hour_and_says_so() {
    let world = World::with_policy(&not_required());
    let event = fixture("pretoken_v1_Authentication");
    assert!(world.ask(event.clone()).await.is_ok());
    assert!(!world.last_event().policy_stale);
    *world.policies.broken.lock().unwrap() = true;
    world.pass_ms(30_000);
    assert!(world.ask(event.clone()).await.is_ok());
    assert!(world.last_event().policy_stale);
    world.pass_ms(900_000 - 30_000);
    assert_eq!(world.ask(event.clone()).await, refused(Reason::PolicyStale));
    let note = world.sink.notes.lock().unwrap().last().cloned().expect("a note");
    assert_eq!(
        note.code.as_deref(),
        Some("ProvisionedThroughputExceededException")
    );
    *world.policies.broken.lock().unwrap() = false;
    assert!(world.ask(event).await.is_ok());
}

#[tokio::test]
async fn a_function_that_never_read_the_policy_refuses() {
    let world = World::with_policy(&not_required());
    *world.policies.broken.lock().unwrap() = true;
    let response = world.define(fixture("define_password_passed")).await;
    assert_eq!(response["failAuthentication"], true);
    assert_eq!(world.reason(), Some(Reason::PolicyStale));
}

#[tokio::test]
async fn settings_that_cannot_be_read_refuse_everywhere() {
    let world = World::with_policy(&not_required());
    *world.secrets.broken.lock().unwrap() = true;
    assert_eq!(
        world.define(fixture("define_srp_a")).await["failAuthentication"],
        true
    );
    assert_eq!(world.reason(), Some(Reason::SettingsUnavailable));
    let gate = world.ask(fixture("pretoken_v2_RefreshTokens")).await;
    assert_eq!(gate, refused(Reason::SettingsUnavailable));
    assert!(!world.judge(fixture("verify")).await);
    assert_eq!(world.reason(), Some(Reason::SettingsUnavailable));
}

#[tokio::test]
async fn a_stack_that_is_not_complete_and_anothers_settings_are_refused() {
    let mut no_pool = settings();
    no_pool["user_pool_id"] = json!(null);
    let mut another = settings();
    another["tenant_id"] = json!("tnt_another");
    for wrong in [no_pool, another, json!({}), json!("not settings")] {
        let world = World::with_policy(&not_required());
        world.set_settings(&wrong);
        let gate = world.ask(fixture("pretoken_v1_Authentication")).await;
        assert_eq!(gate, refused(Reason::SettingsUnavailable), "{wrong}");
    }
}

#[tokio::test]
async fn records_that_cannot_be_used_open_nothing() {
    let world = World::new();
    let offered = world.offered().await;
    world.provider_says(signed(&world.good_claims(&offered)));
    *world.records.broken.lock().unwrap() = true;
    assert!(!world.judge(offered.answered(&offered.answer())).await);
    assert_eq!(world.reason(), Some(Reason::RecordsUnavailable));
    assert_eq!(
        world
            .provider
            .exchanges
            .load(std::sync::atomic::Ordering::Relaxed),
        0,
        "not even tried"
    );
    for source in ["Authentication", "RefreshTokens"] {
        let gate = world.ask(fixture(&format!("pretoken_v2_{source}"))).await;
        assert_eq!(gate, refused(Reason::RecordsUnavailable), "{source}");
    }
}
