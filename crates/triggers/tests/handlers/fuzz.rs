//! Whatever arrives, the functions answer or refuse: no panic, and no tokens.

use crate::world::{World, fixture};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::path::Path;

/// Any JSON, not too large.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        prop::sample::select(vec![
            "SRP_A",
            "PASSWORD_VERIFIER",
            "CUSTOM_CHALLENGE",
            "sub",
            "1",
            "2"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map("[a-zA-Z:_]{1,20}", inner, 0..5).prop_map(|map| json!(map)),
        ]
    })
}

/// A genuine event with some of its parts replaced.
fn mutated() -> impl Strategy<Value = Value> {
    let names = vec![
        "define_password_passed",
        "create_after_password",
        "create_no_session",
        "verify_emulator",
        "pretoken_v1_Authentication",
        "pretoken_v2_RefreshTokens",
    ];
    let pointers = vec![
        "/version",
        "/triggerSource",
        "/userName",
        "/callerContext",
        "/request",
        "/request/userAttributes",
        "/request/userAttributes/sub",
        "/request/session",
        "/request/session/0",
        "/request/session/1/challengeMetadata",
        "/request/clientMetadata",
        "/request/challengeAnswer",
        "/request/privateChallengeParameters",
        "/request/privateChallengeParameters/stepgate",
        "/response",
    ];
    let change = (prop::sample::select(pointers), any_json());
    (prop::sample::select(names), prop::collection::vec(change, 0..4)).prop_map(|(name, changes)| {
        let mut event = fixture(name);
        for (pointer, value) in changes {
            if let Some(part) = event.pointer_mut(pointer) {
                *part = value;
            }
        }
        event
    })
}

/// The event parser and everything behind it.
#[test]
fn fuzz_event() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let corpus = [tests.join("fixtures"), tests.join("corpus/event")];
    let target = fuzzing::Target {
        name: "event",
        corpus: &corpus,
        found: &corpus[1],
        found_prefix: "",
    };
    let runtime = runtime();
    fuzzing::run(&target, |bytes| {
        if let Ok(event) = serde_json::from_slice::<Value>(bytes) {
            runtime.block_on(nothing_is_given_away(event));
        }
    });
}

/// Nobody has stepped up: no history that *create*'s metadata is not in leads to tokens.
async fn nothing_is_given_away(event: Value) {
    let world = World::new();
    if let Ok(answer) = world.ask(event.clone()).await {
        assert_ne!(answer["response"]["issueTokens"], json!(true), "{event}");
        let source = answer["triggerSource"].as_str().unwrap_or_default();
        assert!(!source.starts_with("TokenGeneration"), "{event}");
    }
    let judged = world.verify.handle("r", event.clone()).await;
    assert_ne!(judged["response"]["answerCorrect"], json!(true), "{event}");
    assert_ne!(judged["outcome"], json!("told"), "{event}");
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("runtime")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_event_panics_or_gets_tokens(event in prop_oneof![any_json(), mutated()]) {
        runtime().block_on(async {
            nothing_is_given_away(event).await;
        });
    }

    #[test]
    fn no_answer_panics_or_passes(answer in prop_oneof![".{0,200}", any_json().prop_map(|v| v.to_string())]) {
        runtime().block_on(async {
            let world = World::new();
            let offered = world.offered().await;
            world.provider_says("not.a.token".to_owned());
            prop_assert!(!world.judge(offered.answered(&answer)).await);
            Ok(())
        })?;
    }

    #[test]
    fn no_id_token_panics_or_passes(claims in any_json(), noise in ".{0,60}") {
        runtime().block_on(async {
            for token in [crate::world::signed(&claims), noise] {
                let world = World::new();
                let offered = world.offered().await;
                world.provider_says(token);
                prop_assert!(!world.judge(offered.answered(&offered.answer())).await);
            }
            Ok(())
        })?;
    }
}
