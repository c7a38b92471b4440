//! The gate at refresh: the oldest and weakest session speaks for all.

use crate::world::{SUB, World, any_method, fixture, not_required, settings};
use serde_json::{Value, json};
use step_up::reason::Reason;
use triggers::outcome::RefusedTokens;

const EXPIRED: Result<Value, RefusedTokens> = Err(RefusedTokens(Reason::EvidenceExpired));

async fn refresh(world: &World) -> Result<Value, RefusedTokens> {
    let mut event = world.ask(fixture("pretoken_v1_RefreshTokens")).await?;
    Ok(event["response"]["claimsOverrideDetails"]["claimsToAddOrOverride"].take())
}

fn learned() -> Value {
    let mut learned = settings();
    learned["observed_methods"] = json!({
        "liveID push": {"acr": "liveID push", "amr": ["liveID push"], "recorded_at_unix_s": 1},
        "otp": {"acr": "otp", "amr": ["otp"], "recorded_at_unix_s": 1},
        "otp email": {"acr": "otp email", "amr": ["otp email"], "recorded_at_unix_s": 1},
    });
    learned
}

fn with_method(acr: &'static str) -> impl Fn(&mut Value) {
    move |claims| {
        claims["acr"] = json!(acr);
        claims["amr"] = json!([acr]);
    }
}

#[tokio::test]
async fn evidence_carries_a_refresh_with_its_claims() {
    let world = World::new();
    assert!(world.step_up(|_| ()).await.0);
    let stepped_up_at = world.now_s();
    world.pass_ms(3_600_000);
    let claims = refresh(&world).await.expect("refresh");
    assert_eq!(claims["stepup_at"], stepped_up_at.to_string());
    assert_eq!(claims["stepup_acr"], "liveID push");
    assert!(claims.get("stepup_action").is_none());
}

#[tokio::test]
async fn a_newer_step_up_does_not_freshen_an_older_session() {
    let world = World::new();
    assert!(world.step_up(|_| ()).await.0);
    let oldest = world.now_s();
    world.pass_ms(7_200_000);
    assert!(world.step_up(|_| ()).await.0);
    assert_eq!(
        refresh(&world).await.expect("refresh")["stepup_at"],
        oldest.to_string()
    );
}

#[tokio::test]
async fn the_weakest_is_claimed_and_must_satisfy_the_policy_in_force() {
    let world = World::new();
    world.set_settings(&learned());
    assert!(world.step_up(with_method("liveID push")).await.0);
    assert!(world.step_up(with_method("otp email")).await.0);
    let claims = refresh(&world).await.expect("refresh");
    assert_eq!(claims["stepup_acr"], "otp email");

    world.change_item(|item| {
        item.policy_version = 4;
        item.policy = serde_json::from_value(json!({"schema_version": 1, "default":
            {"step_up": "required", "methods": ["liveID push", "otp"], "min_aal": 2}}))
        .expect("policy");
    });
    world.pass_ms(30_000);
    assert_eq!(
        refresh(&world).await,
        EXPIRED,
        "one session's e-mail code is not enough any more"
    );
}

#[tokio::test]
async fn the_policys_maximum_age_ends_refreshing() {
    let world = World::new();
    assert!(world.step_up(|_| ()).await.0);
    world.pass_ms(28_800_000);
    assert!(refresh(&world).await.is_ok());
    world.pass_ms(1_000);
    assert_eq!(refresh(&world).await, EXPIRED);

    let world = World::new();
    assert!(world.step_up(|_| ()).await.0);
    world.change_item(|item| {
        let mut policy = any_method();
        policy["default"]["max_age_min"] = json!(60);
        item.policy = serde_json::from_value(policy).expect("policy");
    });
    world.pass_ms(3_600_000);
    assert!(refresh(&world).await.is_ok());
    world.pass_ms(1_000);
    assert_eq!(refresh(&world).await, EXPIRED, "the age of the policy in force");
}

#[tokio::test]
async fn an_age_under_an_hour_means_no_refresh_at_all() {
    let mut policy = any_method();
    policy["default"]["max_age_min"] = json!(30);
    let world = World::with_policy(&policy);
    assert!(world.step_up(|_| ()).await.0);
    assert!(world.records.tables.lock().unwrap().evidence.is_empty());
    assert_eq!(refresh(&world).await, EXPIRED);
}

#[tokio::test]
async fn a_session_without_step_up_is_not_carried_by_anothers() {
    let world = World::with_policy(&not_required());
    assert!(world.ask(fixture("pretoken_v1_Authentication")).await.is_ok());
    assert!(refresh(&world).await.is_ok(), "while the policy asks for nothing");
    world.change_item(|item| item.policy = serde_json::from_value(any_method()).expect("policy"));
    world.pass_ms(30_000);
    assert!(world.step_up(|_| ()).await.0);
    assert_eq!(refresh(&world).await, EXPIRED);
    world.pass_ms(28_800_000);
    assert!(world.step_up(|_| ()).await.0);
    world.pass_ms(120_000);
    assert!(
        refresh(&world).await.is_ok(),
        "when that session cannot be refreshed any more"
    );
}

#[tokio::test]
async fn a_tenant_pointed_elsewhere_voids_evidence() {
    let world = World::new();
    assert!(world.step_up(|_| ()).await.0);
    for (pointer, value) in [
        ("/provider/issuer", "https://new.example/v1"),
        ("/connection/community", "second"),
    ] {
        let mut moved = settings();
        *moved.pointer_mut(pointer).expect("there") = json!(value);
        moved["generation"] = json!(2);
        world.set_settings(&moved);
        world.pass_ms(30_000);
        assert_eq!(refresh(&world).await, EXPIRED, "{pointer}");
    }
}

#[tokio::test]
async fn evidence_of_another_user_or_client_carries_nothing() {
    let world = World::new();
    assert!(world.step_up(|_| ()).await.0);
    let mut other = fixture("pretoken_v1_RefreshTokens");
    other["request"]["userAttributes"]["sub"] = json!("somebody-else");
    assert_eq!(world.ask(other).await, EXPIRED);
    let tables = world.records.tables.lock().unwrap();
    assert_eq!(tables.evidence.keys().filter(|(sub, _)| sub == SUB).count(), 1);
}
