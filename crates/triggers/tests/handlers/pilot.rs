//! Pilot step-ups: what the provider says about a method comes back, and nothing that names anybody.

use crate::world::{ISSUER, NOW_MS, World, settings, signed};
use blockid::ExchangeError;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

const VERIFIER: &str = "verifier-of-the-pilot-verifier-of-the-pilot-1";

async fn pilot(world: &World, change: impl FnOnce(&mut Value)) -> Value {
    let mut event = json!({"stepgate_pilot": {
        "code": "code-1", "nonce": "nonce-1", "pkce_verifier": VERIFIER, "issued_at_unix_s": NOW_MS / 1_000,
    }});
    change(&mut event);
    world.verify.handle("request-4", event).await
}

fn claims(world: &World) -> Value {
    json!({
        "iss": ISSUER, "sub": "blockid-ada", "aud": "acme-client", "nonce": "nonce-1", "iat": world.now_s(),
        "exp": world.now_s() + 300, "auth_time": world.now_s(), "acr": "otp", "amr": ["otp", "face"],
        "username": "ada", "email": "ada@example.com",
    })
}

#[tokio::test]
async fn what_is_said_about_the_method_comes_back_and_nothing_else() {
    let world = World::new();
    let token = signed(&claims(&world));
    let given = token.clone();
    *world.provider.exchange.lock().unwrap() = Some(Box::new(move |_, code, verifier| {
        assert_eq!((code, verifier), ("code-1", Some(VERIFIER)));
        Ok(given.clone())
    }));
    let told = pilot(&world, |_| ()).await;
    assert_eq!(
        told,
        json!({"outcome": "told", "acr": "otp", "amr": ["otp", "face"], "auth_time": true, "nonce": true, "pkce": true})
    );
    for kept in [
        token.as_str(),
        "blockid-ada",
        "ada@example.com",
        "code-1",
        VERIFIER,
    ] {
        assert!(!told.to_string().contains(kept), "{kept}");
    }
    assert!(world.types().is_empty(), "a pilot is no step-up");
    assert!(world.sink.notes.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_missing_nonce_is_told_and_another_refused() {
    let world = World::new();
    let mut silent = claims(&world);
    silent.as_object_mut().unwrap().remove("nonce");
    silent.as_object_mut().unwrap().remove("auth_time");
    world.provider_says(signed(&silent));
    let told = pilot(&world, |event| {
        event["stepgate_pilot"]["pkce_verifier"] = Value::Null;
    })
    .await;
    assert_eq!(
        (&told["nonce"], &told["auth_time"], &told["pkce"]),
        (&json!(false), &json!(false), &json!(false))
    );
    let mut other = claims(&world);
    other["nonce"] = json!("nonce-2");
    world.provider_says(signed(&other));
    assert_eq!(
        pilot(&world, |_| ()).await,
        json!({"outcome": "refused", "reason": "nonce_mismatch"})
    );
}

#[tokio::test]
async fn a_token_that_a_sign_in_would_refuse_teaches_nothing() {
    let refused = |reason: &str| json!({"outcome": "refused", "reason": reason});
    let world = World::new();
    for (name, value, reason) in [
        ("iss", json!("https://elsewhere.example"), "issuer_mismatch"),
        ("aud", json!("another-client"), "audience_mismatch"),
        ("exp", json!(world.now_s() - 1), "token_expired"),
        ("iat", json!(world.now_s() - 61), "stale_authentication"),
        ("auth_time", json!(world.now_s() - 61), "stale_authentication"),
    ] {
        let mut wrong = claims(&world);
        wrong[name] = value;
        world.provider_says(signed(&wrong));
        assert_eq!(pilot(&world, |_| ()).await, refused(reason), "{name}");
    }
    world.provider_says("not.a.token".to_owned());
    assert_eq!(pilot(&world, |_| ()).await, refused("provider_malformed"));
    *world.provider.exchange.lock().unwrap() = Some(Box::new(|_, _, _| Err(ExchangeError::CodeRejected)));
    assert_eq!(pilot(&world, |_| ()).await, refused("code_rejected"));
    let mut unknown = settings();
    unknown["provider"] = Value::Null;
    let world = World::new();
    world.set_settings(&unknown);
    assert_eq!(pilot(&world, |_| ()).await, refused("settings_unavailable"));
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_hangs_ends_the_pilot_in_time() {
    let world = World::new();
    *world.provider.hangs.lock().unwrap() = true;
    assert_eq!(
        pilot(&world, |_| ()).await,
        json!({"outcome": "refused", "reason": "provider_unavailable"})
    );
}

#[tokio::test]
async fn neither_cognitos_events_nor_malformed_ones_exchange_a_code() {
    let world = World::new();
    world.provider_says(signed(&claims(&world)));
    let malformed = json!({"outcome": "refused", "reason": "malformed_answer"});
    assert_eq!(
        pilot(&world, |event| event["stepgate_pilot"]["code"] = json!(7)).await,
        malformed
    );
    assert_eq!(
        pilot(&world, |event| event["stepgate_pilot"]["more"] = json!(7)).await,
        malformed
    );
    for source in [json!("VerifyAuthChallengeResponse_Authentication"), Value::Null] {
        let judged = pilot(&world, |event| event["triggerSource"] = source).await;
        assert_eq!(judged["response"]["answerCorrect"], json!(false), "{judged}");
        assert!(judged.get("outcome").is_none(), "{judged}");
    }
    assert_eq!(world.provider.exchanges.load(Ordering::Relaxed), 0);
}
