//! Nothing that was handed to the functions in confidence comes out of them in a line, an error or a `Debug`.

use crate::access_token::{claims, header, pool_jwks, token};
use crate::world::{SECRET, SUB, World, fixture, signed};
use serde_json::json;
use std::fmt::Write as _;

#[tokio::test]
async fn events_and_notes_hold_no_secret_code_token_state_or_name() {
    let world = World::new();
    world.change_item(|item| item.action_step_up = true);
    *world.users.keys.lock().unwrap() = pool_jwks();
    let mut canaries = vec![
        SECRET.to_owned(),
        SUB.to_owned(),
        "ada".to_owned(),
        "canary-code".to_owned(),
    ];

    // A right answer, a wrong state, a refused code, a stale id_token, a proof, an outage, and the gate.
    for case in 0..4 {
        let offered = world.offered().await;
        let mut said = world.good_claims(&offered);
        if case == 3 {
            said["iat"] = json!(1);
        }
        let id_token = signed(&said);
        canaries.extend([
            offered.private.state.clone(),
            offered.private.nonce.clone(),
            id_token.clone(),
        ]);
        canaries.extend(offered.private.pkce_verifier.clone());
        world.provider_says(id_token);
        if case == 2 {
            *world.provider.exchange.lock().unwrap() = None;
        }
        let state = if case == 1 {
            "canary-state"
        } else {
            &offered.private.state
        };
        let answer = json!({"code": "canary-code", "state": state}).to_string();
        world.judge(offered.answered(&answer)).await;
    }
    let access_token = token(&header(), &claims(world.now_s()));
    let proof = world.create(fixture("create_no_session")).await;
    let answer = json!({"access_token": access_token, "action": "transfer"}).to_string();
    world.judge(proof.answered(&answer)).await;
    canaries.extend([access_token, "canary-state".to_owned(), "example.com".to_owned()]);
    let mut printed = String::new();
    for source in ["Authentication", "RefreshTokens", "HostedAuth"] {
        let refused = world.ask(fixture(&format!("pretoken_v1_{source}"))).await.err();
        let _ = write!(printed, "{refused:?}");
    }
    *world.records.broken.lock().unwrap() = true;
    world
        .ask(fixture("pretoken_v1_Authentication"))
        .await
        .expect_err("broken");

    printed += &serde_json::to_string(&*world.sink.events.lock().unwrap()).expect("events");
    printed += &serde_json::to_string(&*world.sink.notes.lock().unwrap()).expect("notes");
    assert!(printed.len() > 3_000, "there is something to search");
    for canary in &canaries {
        assert!(!printed.contains(canary.as_str()), "{canary} was printed");
    }
}
