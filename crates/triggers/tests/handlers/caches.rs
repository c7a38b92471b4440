//! How often something is read, and that nothing goes backwards.

use crate::world::{World, any_method, fixture, not_required, settings};
use serde_json::json;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn a_warm_function_reads_again_after_half_a_minute() {
    let world = World::new();
    for _ in 0..3 {
        world.define(fixture("define_srp_a")).await;
    }
    assert_eq!(world.policies.reads.load(Ordering::Relaxed), 1);
    assert_eq!(world.secrets.reads.lock().unwrap().len(), 1);
    world.pass_ms(30_000);
    world.define(fixture("define_srp_a")).await;
    assert_eq!(world.policies.reads.load(Ordering::Relaxed), 2);
    assert_eq!(world.secrets.reads.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_late_writer_does_not_bring_back_an_older_policy_or_settings() {
    let world = World::new();
    world.change_item(|item| item.generation = 9);
    let mut newer = settings();
    newer["generation"] = json!(5);
    newer["suspended"] = json!(true);
    world.set_settings(&newer);
    world.define(fixture("define_password_passed")).await;

    world.change_item(|item| {
        item.generation = 8;
        item.policy = serde_json::from_value(not_required()).expect("policy");
    });
    world.set_settings(&settings());
    world.pass_ms(30_000);
    let response = world.define(fixture("define_password_passed")).await;
    assert_eq!(response["failAuthentication"], true, "still suspended");
    newer["generation"] = json!(6);
    newer["suspended"] = json!(false);
    world.set_settings(&newer);
    world.pass_ms(30_000);
    let response = world.define(fixture("define_password_passed")).await;
    assert_eq!(
        response["challengeName"], "CUSTOM_CHALLENGE",
        "the newer policy still holds"
    );
}

#[tokio::test]
async fn an_app_that_is_gone_is_gone_at_the_next_reading() {
    let world = World::with_policy(&not_required());
    assert!(world.ask(fixture("pretoken_v1_Authentication")).await.is_ok());
    *world.policies.item.lock().unwrap() = None;
    world.pass_ms(30_000);
    assert!(world.ask(fixture("pretoken_v1_Authentication")).await.is_err());
}

#[tokio::test]
async fn an_item_under_a_foreign_key_is_not_believed() {
    struct Mixed(serde_json::Value);
    #[async_trait::async_trait]
    impl triggers::policy_cache::Policies for Mixed {
        async fn read(
            &self,
            _: &str,
        ) -> Result<Option<step_up::policy_item::PolicyItem>, triggers::outcome::SourceError> {
            Ok(serde_json::from_value(self.0.clone()).ok())
        }
    }
    let cache = triggers::policy_cache::PolicyCache::new(std::sync::Arc::new(Mixed(crate::world::item(
        &any_method(),
    ))));
    let world = World::new();
    assert!(cache.get("another-client", &*world.clock).await.is_err());
    assert!(
        cache
            .get(crate::world::CLIENT, &*world.clock)
            .await
            .expect("read")
            .is_some()
    );
    assert!(cache.get("", &*world.clock).await.expect("no key").is_none());
}

#[tokio::test]
async fn only_the_first_event_is_a_cold_start() {
    let world = World::with_policy(&not_required());
    world.define(fixture("define_password_passed")).await;
    world.define(fixture("define_password_passed")).await;
    let events = world.sink.events.lock().unwrap();
    assert_eq!(
        events.iter().map(|event| event.cold_start).collect::<Vec<_>>(),
        [true, false]
    );
}
