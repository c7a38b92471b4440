//! *verify*: every way in which an answer is wrong has a reason, and no grant comes of it.

use crate::world::{ISSUER, SECRET, SUB, World, any_method, fixture, jwks, settings, signed, signed_as};
use blockid::ExchangeError;
use blockid::http::HttpError;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use step_up::event::EventType;
use step_up::reason::Reason;

/// One thing that is wrong.
type Change = fn(&mut Value);

#[tokio::test]
async fn a_right_answer_leaves_link_grant_and_evidence() {
    let world = World::new();
    let (passed, offered) = world.step_up(|_| ()).await;
    assert!(passed, "{:?}", world.reason());
    let tables = world.records.tables.lock().unwrap();
    let grant = &tables.grants[&(SUB.to_owned(), offered.private.journey.clone())];
    assert_eq!(grant.expires_at_unix_s, world.now_s() + 60);
    assert_eq!(grant.achievement.acr.as_deref(), Some("liveID push"));
    let evidence = tables.evidence.values().next().expect("evidence");
    assert!(evidence.expires_at_unix_s >= world.now_s() + 28_800);
    let link = tables.links_of_users.values().next().expect("link");
    assert_eq!(
        (link.subject.as_str(), link.made_by.as_str()),
        ("blockid-ada", "username")
    );
    drop(tables);
    assert_eq!(world.records.counted(SUB), 0, "a passed step-up is given back");
    let types = world.types();
    assert_eq!(types[2..], [EventType::Linked, EventType::Succeeded]);
    let event = world.last_event();
    assert_eq!(event.journey_id, Some(offered.private.journey));
    assert_eq!((event.policy_version, event.round), (Some(3), Some(1)));
    assert!(event.hops_ms.contains_key("token") && event.hops_ms.contains_key("records"));
}

#[tokio::test]
async fn code_verifier_and_credentials_reach_the_provider() {
    let world = World::new();
    let offered = world.offered().await;
    let (claims, verifier) = (world.good_claims(&offered), offered.private.pkce_verifier.clone());
    *world.provider.exchange.lock().unwrap() = Some(Box::new(move |credentials, code, pkce| {
        assert_eq!((credentials.client_secret.as_str(), code), (SECRET, "code-1"));
        assert_eq!(pkce, verifier.as_deref());
        Ok(signed(&claims))
    }));
    assert!(world.judge(offered.answered(&offered.answer())).await);
}

#[tokio::test]
async fn a_code_is_exchanged_for_the_page_it_was_issued_for() {
    let page = "https://app.example/callback";
    let world = World::new();
    world.change_item(|item| item.return_url = Some(page.to_owned()));
    for (returned, expected) in [
        (json!(true), page),
        (
            json!(false),
            "https://acme.1kosmos.example/admin/default/post_stepup",
        ),
    ] {
        let offered = world.offered().await;
        world.provider_says(signed(&world.good_claims(&offered)));
        let answer = json!({"code": "code-1", "state": offered.private.state, "stepgate_return": returned});
        assert!(
            world.judge(offered.answered(&answer.to_string())).await,
            "{:?}",
            world.reason()
        );
        let told = world.provider.redirect_uris.lock().unwrap().last().cloned();
        assert_eq!(told.as_deref(), Some(expected));
    }
}

#[tokio::test]
async fn without_a_page_of_the_app_nothing_returned_to_it() {
    let world = World::new();
    for returned in [json!(true), json!("yes"), json!(1)] {
        let offered = world.offered().await;
        let answer = json!({"code": "code-1", "state": offered.private.state, "stepgate_return": returned});
        assert!(!world.judge(offered.answered(&answer.to_string())).await);
        assert_eq!(world.reason(), Some(Reason::MalformedAnswer));
    }
    assert_eq!(world.provider.exchanges.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn the_emulators_event_with_its_session_is_judged_alike() {
    let world = World::new();
    let offered = world.offered().await;
    world.provider_says(signed(&world.good_claims(&offered)));
    let mut event = fixture("verify_emulator");
    event["request"]["privateChallengeParameters"]["stepgate"] = json!(offered.private_text);
    event["request"]["challengeAnswer"] = json!(offered.answer());
    assert!(world.judge(event).await);
}

#[tokio::test]
async fn what_the_official_samples_client_sends_is_read() {
    let world = World::new();
    let offered = world.offered().await;
    world.provider_says(signed(&world.good_claims(&offered)));
    let wrapped = json!(offered.answer()).to_string();
    assert!(world.judge(offered.answered(&wrapped)).await);
}

#[tokio::test]
async fn every_broken_rule_of_the_id_token_has_its_reason() {
    let cases: [(Change, Reason); 15] = [
        (
            |c| c["iss"] = json!("https://other.example"),
            Reason::IssuerMismatch,
        ),
        (|c| c["aud"] = json!("another-client"), Reason::AudienceMismatch),
        (|c| c["azp"] = json!("another-client"), Reason::AudienceMismatch),
        (
            |c| c["exp"] = json!(crate::world::NOW_MS / 1_000),
            Reason::TokenExpired,
        ),
        (
            |c| c["iat"] = json!(crate::world::NOW_MS / 1_000 + 61),
            Reason::TokenExpired,
        ),
        (
            |c| c["iat"] = json!(crate::world::NOW_MS / 1_000 - 61),
            Reason::StaleAuthentication,
        ),
        (
            |c| c["auth_time"] = json!(crate::world::NOW_MS / 1_000 - 61),
            Reason::StaleAuthentication,
        ),
        (
            |c| c["nonce"] = json!("of another challenge"),
            Reason::NonceMismatch,
        ),
        (|c| c["nonce"] = Value::Null, Reason::NonceMismatch),
        (|c| c["username"] = json!("mallory"), Reason::SubjectMismatch),
        (|c| c["username"] = Value::Null, Reason::LinkRefused),
        (
            |c| (c["acr"], c["amr"]) = (Value::Null, json!([])),
            Reason::AssuranceNotMet,
        ),
        (|c| c["sub"] = json!(""), Reason::ProviderMalformed),
        (|c| c["sub"] = Value::Null, Reason::ProviderMalformed),
        (|c| c["aud"] = json!([]), Reason::AudienceMismatch),
    ];
    for (index, (change, reason)) in cases.into_iter().enumerate() {
        let world = World::new();
        let (passed, _) = world.step_up(change).await;
        assert!(!passed, "case {index}");
        assert_eq!(world.reason(), Some(reason), "case {index}");
        assert!(
            world.records.tables.lock().unwrap().grants.is_empty(),
            "case {index}"
        );
    }
}

#[tokio::test]
async fn none_hs256_and_forged_signatures_are_refused() {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as B64};
    for (header, signature) in [
        (json!({"alg": "none"}), String::new()),
        (json!({"alg": "HS256", "kid": "key-1"}), B64.encode([1_u8; 32])),
        (json!({"alg": "EdDSA", "kid": "key-1"}), B64.encode([1_u8; 64])),
        (json!({"alg": "RS256", "kid": "key-1"}), B64.encode([1_u8; 256])),
    ] {
        let world = World::new();
        let offered = world.offered().await;
        let claims = world.good_claims(&offered).to_string();
        let token = format!(
            "{}.{}.{signature}",
            B64.encode(header.to_string()),
            B64.encode(claims)
        );
        world.provider_says(token);
        assert!(
            !world.judge(offered.answered(&offered.answer())).await,
            "{header}"
        );
        assert_eq!(world.reason(), Some(Reason::SignatureInvalid), "{header}");
    }
}

#[tokio::test]
async fn answers_that_are_none_are_refused_and_counted() {
    let long = "x".repeat(1024 * 1024);
    for (index, answer) in [
        "",
        "{}",
        "[]",
        "null",
        "\u{0}\u{1}",
        "{\"code\":1,\"state\":2}",
        &long,
    ]
    .into_iter()
    .enumerate()
    {
        let world = World::new();
        let offered = world.offered().await;
        assert!(!world.judge(offered.answered(answer)).await);
        assert_eq!(world.reason(), Some(Reason::MalformedAnswer), "case {index}");
        assert_eq!(world.records.counted(SUB), 1);
        assert_eq!(world.provider.exchanges.load(Ordering::Relaxed), 0);
    }
}

#[tokio::test]
async fn another_state_never_gets_to_the_provider() {
    let world = World::new();
    let offered = world.offered().await;
    for state in ["state123", &offered.private.state[1..]] {
        let world = World::new();
        let offered = world.offered().await;
        let answer = json!({"code": "code-1", "state": state}).to_string();
        assert!(!world.judge(offered.answered(&answer)).await);
        assert_eq!(world.reason(), Some(Reason::StateMismatch));
        assert_eq!(world.provider.exchanges.load(Ordering::Relaxed), 0);
    }
}

#[tokio::test]
async fn a_late_answer_is_refused_before_it_is_counted() {
    let world = World::new();
    let offered = world.offered().await;
    world.provider_says(signed(&world.good_claims(&offered)));
    world.pass_ms(180_000);
    assert!(!world.judge(offered.answered(&offered.answer())).await);
    assert_eq!(world.reason(), Some(Reason::ChallengeExpired));
}

#[tokio::test]
async fn a_challenge_of_another_user_client_or_version_is_malformed() {
    let world = World::new();
    let offered = world.offered().await;
    let changes: [Change; 6] = [
        |event| event["request"]["userAttributes"]["sub"] = json!("another-sub"),
        |event| event["callerContext"]["clientId"] = json!("another-client"),
        |event| event["request"]["privateChallengeParameters"] = Value::Null,
        |event| event["request"]["privateChallengeParameters"]["stepgate"] = json!("{}"),
        |event| event["triggerSource"] = json!("DefineAuthChallenge_Authentication"),
        |event| event["request"]["userNotFound"] = json!(true),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let mut event = offered.answered(&offered.answer());
        change(&mut event);
        assert!(!world.judge(event).await);
        assert_eq!(world.reason(), Some(Reason::MalformedChallenge), "case {index}");
    }
}

#[tokio::test]
async fn what_the_provider_fails_with_is_told_apart() {
    for (error, reason) in [
        (ExchangeError::CodeRejected, Reason::CodeRejected),
        (ExchangeError::ClientRejected, Reason::ClientRejected),
        (ExchangeError::NoIdToken, Reason::ProviderMalformed),
        (
            ExchangeError::Http(HttpError::Timeout),
            Reason::ProviderUnavailable,
        ),
        (
            ExchangeError::Http(HttpError::Status(503)),
            Reason::ProviderUnavailable,
        ),
        (
            ExchangeError::Http(HttpError::Redirect(302)),
            Reason::ProviderMalformed,
        ),
        (ExchangeError::Http(HttpError::NotJson), Reason::ProviderMalformed),
        (
            ExchangeError::Http(HttpError::AddressRefused),
            Reason::ProviderAddressRefused,
        ),
    ] {
        let world = World::new();
        let offered = world.offered().await;
        *world.provider.exchange.lock().unwrap() = Some(Box::new(move |_, _, _| Err(error)));
        assert!(!world.judge(offered.answered(&offered.answer())).await);
        assert_eq!(world.reason(), Some(reason));
        let ours = matches!(
            reason,
            Reason::ProviderUnavailable | Reason::ClientRejected | Reason::ProviderAddressRefused
        );
        assert_eq!(
            world.records.counted(SUB),
            u32::from(!ours),
            "{reason}: an outage locks nobody out"
        );
    }
}

#[tokio::test]
async fn the_method_must_satisfy_the_policy() {
    let mut policy = any_method();
    policy["default"]["methods"] = json!(["liveID push"]);
    policy["default"]["min_aal"] = json!(2);
    let world = World::with_policy(&policy);
    let mut learned = settings();
    learned["observed_methods"] = json!({
        "liveID push": {"acr": "liveID push", "amr": ["liveID push"], "recorded_at_unix_s": 1},
        "otp email": {"acr": "otp email", "amr": ["otp email"], "recorded_at_unix_s": 1},
    });
    world.set_settings(&learned);
    let (weak, _) = world
        .step_up(|claims| {
            claims["acr"] = json!("otp email");
            claims["amr"] = json!(["otp email"]);
        })
        .await;
    assert!(!weak);
    assert_eq!(world.reason(), Some(Reason::AssuranceNotMet));
    assert_eq!(world.last_event().acr.as_deref(), Some("otp email"));
    assert!(
        world.records.tables.lock().unwrap().links_of_users.is_empty(),
        "no link from a weak step-up"
    );
    assert!(world.step_up(|_| ()).await.0);
}

#[tokio::test]
async fn the_identity_level_must_satisfy_the_policy() {
    let mut policy = any_method();
    policy["default"]["methods"] = json!(["/assurance/ial/2/"]);
    policy["default"]["min_ial"] = json!(2);
    let world = World::with_policy(&policy);
    let mut learned = settings();
    learned["observed_methods"] =
        json!({"/assurance/ial/2/": {"acr": null, "amr": [], "recorded_at_unix_s": 1}});
    world.set_settings(&learned);
    let level = |level: &'static str| {
        move |claims: &mut Value| {
            claims["acr"] = Value::Null;
            claims["amr"] = json!([level]);
        }
    };
    assert!(!world.step_up(level("/assurance/ial/1/")).await.0);
    assert!(
        world.step_up(level("/assurance/ial/2/")).await.0,
        "{:?}",
        world.reason()
    );
}

#[tokio::test]
async fn state_only_needs_no_nonce_but_a_fresh_authentication() {
    let mut policy = any_method();
    policy["default"]["binding"] = json!("state_only");
    let world = World::with_policy(&policy);
    assert!(world.step_up(|claims| claims["nonce"] = Value::Null).await.0);
    let stale = crate::world::NOW_MS / 1_000 - 61;
    assert!(!world.step_up(|claims| claims["auth_time"] = json!(stale)).await.0);
    assert_eq!(world.reason(), Some(Reason::StaleAuthentication));
}

#[tokio::test]
async fn an_unknown_key_is_fetched_once_a_minute_at_most() {
    let world = World::new();
    let answer = async |kid: &str| {
        let offered = world.offered().await;
        world.provider_says(signed_as(&world.good_claims(&offered), kid));
        world.judge(offered.answered(&offered.answer())).await
    };
    *world.provider.keys.lock().unwrap() = Some(jwks("key-2"));
    assert!(answer("key-2").await, "{:?}", world.reason());
    assert!(answer("key-2").await);
    assert!(!answer("key-3").await);
    assert_eq!(world.reason(), Some(Reason::SignatureInvalid));
    assert_eq!(world.provider.key_fetches.load(Ordering::Relaxed), 1);
    world.pass_ms(60_000);
    *world.provider.keys.lock().unwrap() = Some(jwks("key-3"));
    assert!(answer("key-3").await);
    assert_eq!(world.provider.key_fetches.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn refused_credentials_are_read_again_once() {
    let world = World::new();
    world.set_credentials("AWSCURRENT", "old");
    world.verify.warm_up().await;
    world.set_credentials("AWSCURRENT", SECRET);
    let offered = world.offered().await;
    let claims = world.good_claims(&offered);
    *world.provider.exchange.lock().unwrap() = Some(Box::new(move |credentials, _, _| {
        if credentials.client_secret == SECRET {
            Ok(signed(&claims))
        } else {
            Err(ExchangeError::ClientRejected)
        }
    }));
    assert!(world.judge(offered.answered(&offered.answer())).await);
    assert_eq!(world.provider.exchanges.load(Ordering::Relaxed), 2);

    *world.provider.exchange.lock().unwrap() = Some(Box::new(|_, _, _| Err(ExchangeError::ClientRejected)));
    let offered = world.offered().await;
    assert!(!world.judge(offered.answered(&offered.answer())).await);
    assert_eq!(
        world.provider.exchanges.load(Ordering::Relaxed),
        3,
        "the same ones are not tried again"
    );
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_hangs_is_given_up_in_time() {
    let world = World::new();
    *world.provider.hangs.lock().unwrap() = true;
    let offered = world.offered().await;
    let before = tokio::time::Instant::now();
    assert!(!world.judge(offered.answered(&offered.answer())).await);
    assert!(before.elapsed().as_millis() <= 3_500, "{:?}", before.elapsed());
    assert_eq!(world.reason(), Some(Reason::ProviderUnavailable));
    assert_eq!(world.records.counted(SUB), 0);
}

#[tokio::test]
async fn only_the_tenants_issuer_counts() {
    let world = World::new();
    let (passed, _) = world
        .step_up(|claims| claims["iss"] = json!(format!("{ISSUER}/")))
        .await;
    assert!(!passed);
    assert_eq!(world.reason(), Some(Reason::IssuerMismatch));
}
