//! Step-up of a signed-in user for one action.

use crate::access_token::{claims, header, pool_jwks, token};
use crate::world::{Offered, SUB, World, any_method, fixture, not_required, signed};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use step_up::reason::Reason;
use triggers::outcome::RefusedTokens;

fn world() -> World {
    let world = World::new();
    with_actions(world)
}

fn with_actions(world: World) -> World {
    world.change_item(|item| item.action_step_up = true);
    *world.users.keys.lock().unwrap() = pool_jwks();
    *world.users.sub.lock().unwrap() = Some(SUB.to_owned());
    world
}

async fn prove(world: &World, access_token: &str, action: &str, named: &str) -> (bool, Offered) {
    let proof = world.create(fixture("create_no_session")).await;
    let answer = json!({"access_token": access_token, "action": action}).to_string();
    let mut event = proof.answered(&answer);
    event["request"]["clientMetadata"] = json!({"action": named});
    (world.judge(event).await, proof)
}

/// The step-up challenge after a passed proof.
async fn asked(world: &World, proof: &Offered) -> Offered {
    let metadata = json!({"action": "transfer", "action_ref": "c0ffee"});
    let mut event = fixture("create_no_session");
    event["request"]["session"] = json!([proof.as_round(true)]);
    event["request"]["clientMetadata"] = metadata;
    world.create(event).await
}

async fn stepped_up(world: &World) -> Offered {
    let good = token(&header(), &claims(world.now_s()));
    let (passed, proof) = prove(world, &good, "transfer", "transfer").await;
    assert!(passed, "{:?}", world.reason());
    let offered = asked(world, &proof).await;
    world.provider_says(signed(&world.good_claims(&offered)));
    assert!(
        world.judge(offered.answered(&offered.answer())).await,
        "{:?}",
        world.reason()
    );
    offered
}

#[tokio::test]
async fn the_first_round_is_a_session_proof_for_anybody() {
    let world = world();
    for event in ["define_no_session", "define_user_not_found_no_session"] {
        assert_eq!(
            world.define(fixture(event)).await["challengeName"],
            "CUSTOM_CHALLENGE"
        );
    }
    let known = world.create(fixture("create_no_session")).await;
    let unknown = world.create(fixture("create_user_not_found_no_session")).await;
    let keys = |offered: &Offered| {
        offered
            .public
            .as_object()
            .expect("object")
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(&known), keys(&unknown));
    assert_eq!(known.public["kind"], "session_proof");
    assert_eq!(known.public["expires_at"], unknown.public["expires_at"]);
    assert!(unknown.private.user_sub.starts_with("unknown-"));
}

#[tokio::test]
async fn proof_then_step_up_gives_tokens_of_that_action_only_to_its_journey() {
    let world = world();
    let offered = stepped_up(&world).await;
    assert_eq!(offered.private.action.as_deref(), Some("transfer"));
    assert_eq!(
        (offered.private.round, offered.private.action_ref.as_deref()),
        (2, Some("c0ffee"))
    );
    assert!(
        world.records.tables.lock().unwrap().evidence.is_empty(),
        "an action carries no refresh"
    );

    let plain = world.ask(fixture("pretoken_v2_Authentication")).await;
    assert_eq!(
        plain,
        Err(RefusedTokens(Reason::NoGrant)),
        "a sign-in never takes an action's grant"
    );
    let mut event = fixture("pretoken_v2_Authentication");
    event["request"]["clientMetadata"] = json!({"journey_id": offered.private.journey});
    let tokens = world.ask(event).await.expect("tokens");
    for kind in ["idTokenGeneration", "accessTokenGeneration"] {
        let claims = &tokens["response"]["claimsAndScopeOverrideDetails"][kind]["claimsToAddOrOverride"];
        assert_eq!(claims["stepup_action"], "transfer");
        assert_eq!(claims["action_ref"], "c0ffee");
    }
    let refresh = world.ask(fixture("pretoken_v2_RefreshTokens")).await;
    assert_eq!(refresh, Err(RefusedTokens(Reason::EvidenceExpired)));
}

#[tokio::test]
async fn a_wrong_proof_has_its_reason_and_locks_nobody_out() {
    let world = world();
    let now_s = world.now_s();
    let changed = |name: &str, value: Value| {
        let mut claims = claims(now_s);
        claims[name] = value;
        token(&header(), &claims)
    };
    for (access_token, reason) in [
        (changed("exp", json!(now_s)), Reason::SessionProofInvalid),
        (changed("sub", json!("another")), Reason::SessionProofInvalid),
        (
            changed("client_id", json!("another")),
            Reason::SessionProofInvalid,
        ),
        (changed("token_use", json!("id")), Reason::SessionProofInvalid),
        ("garbage".to_owned(), Reason::SessionProofInvalid),
        (String::new(), Reason::MalformedAnswer),
    ] {
        let (passed, proof) = prove(&world, &access_token, "transfer", "transfer").await;
        assert!(!passed);
        assert_eq!(world.reason(), Some(reason));
        let mut event = fixture("define_no_session");
        event["request"]["session"] = json!([proof.as_round(false)]);
        assert_eq!(
            world.define(event).await["failAuthentication"],
            true,
            "one wrong proof ends it"
        );
    }
    assert_eq!(
        world.users.asked.load(Ordering::Relaxed),
        0,
        "Cognito is asked about genuine tokens only"
    );
    assert_eq!(world.records.counted(SUB), 0);
}

#[tokio::test]
async fn a_revoked_token_or_disabled_user_proves_nothing() {
    for answer in [None, Some("somebody-else".to_owned())] {
        let world = world();
        *world.users.sub.lock().unwrap() = answer;
        let good = token(&header(), &claims(world.now_s()));
        assert!(!prove(&world, &good, "transfer", "transfer").await.0);
        assert_eq!(world.reason(), Some(Reason::SessionProofInvalid));
    }
}

#[tokio::test]
async fn the_action_of_answer_and_metadata_must_agree() {
    let world = world();
    let good = token(&header(), &claims(world.now_s()));
    assert!(!prove(&world, &good, "transfer", "read").await.0);
    assert_eq!(world.reason(), Some(Reason::ActionRefused));
}

#[tokio::test]
async fn an_action_without_a_rule_that_asks_is_refused() {
    let world = with_actions(World::with_policy(&not_required()));
    let good = token(&header(), &claims(world.now_s()));
    let (passed, proof) = prove(&world, &good, "transfer", "transfer").await;
    assert!(passed);
    let mut event = fixture("define_no_session");
    event["request"]["session"] = json!([proof.as_round(true)]);
    event["request"]["clientMetadata"] = json!({"action": "transfer"});
    assert_eq!(world.define(event).await["failAuthentication"], true);
    assert_eq!(world.reason(), Some(Reason::ActionRefused));
}

#[tokio::test]
async fn an_exemption_does_not_stand_in_for_an_action() {
    let world = world();
    world.change_item(|item| {
        item.policy = serde_json::from_value(any_method()).expect("policy");
        item.exemptions = serde_json::from_value(
            json!([{"id": "exm_1", "user_sub": null, "expires_at_unix_s": 4_000_000_000_i64}]),
        )
        .expect("exemption");
    });
    let good = token(&header(), &claims(world.now_s()));
    let (passed, proof) = prove(&world, &good, "transfer", "transfer").await;
    assert!(passed);
    let mut event = fixture("define_no_session");
    event["request"]["session"] = json!([proof.as_round(true)]);
    event["request"]["clientMetadata"] = json!({"action": "transfer"});
    assert_eq!(world.define(event).await["challengeName"], "CUSTOM_CHALLENGE");
}

#[tokio::test]
async fn an_odd_action_ref_is_left_out() {
    let world = world();
    let good = token(&header(), &claims(world.now_s()));
    let (_, proof) = prove(&world, &good, "transfer", "transfer").await;
    for odd in ["with space".to_owned(), "x".repeat(129), "\u{202e}".to_owned()] {
        let mut event = fixture("create_no_session");
        event["request"]["session"] = json!([proof.as_round(true)]);
        event["request"]["clientMetadata"] = json!({"action": "transfer", "action_ref": odd});
        assert_eq!(world.create(event).await.private.action_ref, None);
    }
}

#[tokio::test]
async fn an_unknown_users_proof_is_judged_like_anybodys_and_refused() {
    let world = world();
    let good = token(&header(), &claims(world.now_s()));
    let proof = world.create(fixture("create_user_not_found_no_session")).await;
    let mut event = fixture("verify_user_not_found");
    event["request"]["privateChallengeParameters"]["stepgate"] = json!(proof.private_text);
    event["request"]["challengeAnswer"] =
        json!(json!({"access_token": good, "action": "transfer"}).to_string());
    event["request"]["clientMetadata"] = json!({"action": "transfer"});
    assert!(!world.judge(event).await);
    assert_eq!(world.reason(), Some(Reason::SessionProofInvalid));
    assert_eq!(world.last_event().journey_id, Some(proof.private.journey));
}
