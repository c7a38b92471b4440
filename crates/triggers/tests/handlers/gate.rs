//! The gate at sign-in: what opens it, on which path, how often.

use crate::world::{SUB, World, any_method, fixture, not_required, settings};
use serde_json::{Value, json};
use step_up::event::EventType;
use step_up::reason::Reason;
use triggers::outcome::RefusedTokens;

const SOURCES: [&str; 5] = [
    "Authentication",
    "RefreshTokens",
    "NewPasswordChallenge",
    "HostedAuth",
    "AuthenticateDevice",
];

fn pretoken(version: u8, source: &str) -> Value {
    fixture(&format!("pretoken_v{version}_{source}"))
}

fn claims(response: &Value) -> &Value {
    &response["response"]["claimsOverrideDetails"]["claimsToAddOrOverride"]
}

#[tokio::test]
async fn without_a_step_up_every_source_refuses_with_its_reason() {
    let world = World::new();
    let reasons = [
        Reason::NoGrant,
        Reason::EvidenceExpired,
        Reason::FirstPasswordSet,
        Reason::SourceRefused,
        Reason::SourceRefused,
    ];
    for version in [1, 2] {
        for (source, reason) in SOURCES.into_iter().zip(reasons) {
            assert_eq!(
                world.ask(pretoken(version, source)).await,
                Err(RefusedTokens(reason)),
                "{source}"
            );
            assert_eq!(world.last_event().event_type, EventType::RefusedTokens);
            assert_eq!(
                world.last_event().source,
                Some(format!("TokenGeneration_{source}"))
            );
        }
    }
}

#[tokio::test]
async fn where_the_policy_asks_for_none_known_sources_pass() {
    let world = World::with_policy(&not_required());
    for source in SOURCES {
        let response = world.ask(pretoken(1, source)).await.expect(source);
        assert_eq!(claims(&response), &json!({"stepup_policy": "3"}));
    }
    let mut unknown = pretoken(2, "Authentication");
    unknown["triggerSource"] = json!("TokenGeneration_ClientCredentials");
    assert_eq!(
        world.ask(unknown).await,
        Err(RefusedTokens(Reason::SourceRefused))
    );
    assert_eq!(
        world.ask(json!({})).await,
        Err(RefusedTokens(Reason::ForeignPool)),
        "nothing is nobody's"
    );
}

#[tokio::test]
async fn a_grant_opens_version_1_with_claims_in_the_id_token() {
    let world = World::new();
    assert!(world.step_up(|_| ()).await.0);
    let response = world.ask(pretoken(1, "Authentication")).await.expect("tokens");
    assert_eq!(
        claims(&response),
        &json!({
            "stepup_acr": "liveID push", "stepup_amr": "[\"liveID push\"]",
            "stepup_at": world.now_s().to_string(), "stepup_policy": "3",
        })
    );
    assert!(
        response["response"]
            .get("claimsAndScopeOverrideDetails")
            .is_none()
    );
}

#[tokio::test]
async fn version_2_sets_both_tokens_and_may_be_called_twice() {
    let world = World::new();
    assert!(world.step_up(|_| ()).await.0);
    let first = world
        .ask(pretoken(2, "Authentication"))
        .await
        .expect("access token");
    world.pass_ms(1_000);
    let second = world.ask(pretoken(2, "Authentication")).await.expect("ID token");
    assert_eq!(first["response"], second["response"]);
    let details = &first["response"]["claimsAndScopeOverrideDetails"];
    for token in ["idTokenGeneration", "accessTokenGeneration"] {
        assert_eq!(
            details[token]["claimsToAddOrOverride"]["stepup_acr"],
            "liveID push"
        );
    }
    let events = world.sink.events.lock().unwrap();
    let tokens: Vec<_> = events
        .iter()
        .filter(|event| event.event_type == EventType::Tokens)
        .collect();
    assert_eq!(tokens.len(), 2);
    assert_eq!(tokens[0].event_id, tokens[1].event_id, "one sign-in, one event");
}

#[tokio::test]
async fn a_grant_is_used_once_and_again_within_ten_seconds() {
    let world = World::new();
    assert!(world.step_up(|_| ()).await.0);
    assert!(world.ask(pretoken(1, "Authentication")).await.is_ok());
    world.pass_ms(10_000);
    assert!(
        world.ask(pretoken(1, "Authentication")).await.is_ok(),
        "Cognito's third try"
    );
    world.pass_ms(1);
    let late = world.ask(pretoken(1, "Authentication")).await;
    assert_eq!(
        late,
        Err(RefusedTokens(Reason::NoGrant)),
        "a password alone, a moment later"
    );
}

#[tokio::test]
async fn a_grant_dies_after_a_minute() {
    let world = World::new();
    assert!(world.step_up(|_| ()).await.0);
    world.pass_ms(60_000);
    assert_eq!(
        world.ask(pretoken(1, "Authentication")).await,
        Err(RefusedTokens(Reason::NoGrant))
    );
}

#[tokio::test]
async fn a_grant_of_another_user_or_client_opens_nothing() {
    let world = World::new();
    assert!(world.step_up(|_| ()).await.0);
    let mut other = pretoken(1, "Authentication");
    other["request"]["userAttributes"]["sub"] = json!("0b0b0b0b-0000-4000-8000-000000000000");
    assert_eq!(
        world.ask(other).await,
        Err(RefusedTokens(Reason::NoGrant)),
        "the user name alone is nothing"
    );

    world.change_item(|item| item.client_id = "second-client".to_owned());
    let mut client = pretoken(1, "Authentication");
    client["callerContext"]["clientId"] = json!("second-client");
    assert_eq!(world.ask(client).await, Err(RefusedTokens(Reason::NoGrant)));
}

#[tokio::test]
async fn a_journey_that_is_named_must_be_the_one() {
    let world = World::new();
    let (_, offered) = world.step_up(|_| ()).await;
    let mut event = pretoken(2, "Authentication");
    event["request"]["clientMetadata"] = json!({"journey_id": "jrn_other"});
    assert_eq!(
        world.ask(event.clone()).await,
        Err(RefusedTokens(Reason::NoGrant))
    );
    event["request"]["clientMetadata"] = json!({"journey_id": offered.private.journey});
    assert!(world.ask(event).await.is_ok());
}

#[tokio::test]
async fn two_journeys_at_once_leave_no_grant_over() {
    let world = World::new();
    assert!(world.step_up(|_| ()).await.0);
    assert!(world.step_up(|_| ()).await.0);
    for _ in 0..2 {
        assert!(world.ask(pretoken(1, "Authentication")).await.is_ok());
    }
    let tables = world.records.tables.lock().unwrap();
    assert!(
        tables
            .grants
            .values()
            .all(|grant| grant.used_at_unix_ms.is_some())
    );
}

#[tokio::test]
async fn attributes_at_the_gate_decide_not_those_at_the_password() {
    let world = World::with_policy(&json!({"schema_version": 1,
        "rules": [{"id": "robots", "when": {"attribute": {"name": "custom:unit", "equals": "robots"}},
                   "then": {"step_up": "not_required", "reason": "no phones"}}],
        "default": any_method()["default"]}));
    let event = pretoken(1, "Authentication");
    assert_eq!(
        world.ask(event.clone()).await,
        Err(RefusedTokens(Reason::NoGrant))
    );
    let mut robot = event;
    robot["request"]["userAttributes"]["custom:unit"] = json!("robots");
    assert!(world.ask(robot).await.is_ok());
    assert_eq!(world.last_event().rule.as_deref(), Some("robots"));
}

#[tokio::test]
async fn an_exemption_opens_sign_in_and_refresh_and_is_seen() {
    let world = World::new();
    let ends = world.now_s() + 3_600;
    world.change_item(|item| {
        item.exemptions =
            serde_json::from_value(json!([{"id": "exm_1", "user_sub": SUB, "expires_at_unix_s": ends}]))
                .expect("exemption");
    });
    for source in ["Authentication", "RefreshTokens"] {
        let response = world.ask(pretoken(1, source)).await.expect(source);
        assert_eq!(
            claims(&response),
            &json!({"stepup_policy": "3", "stepup_exempt": "exm_1"})
        );
    }
    for source in ["NewPasswordChallenge", "HostedAuth", "AuthenticateDevice"] {
        assert!(world.ask(pretoken(1, source)).await.is_err(), "{source}");
    }
    world.pass_ms(3_600_000);
    assert_eq!(
        world.ask(pretoken(1, "Authentication")).await,
        Err(RefusedTokens(Reason::NoGrant))
    );
    let refresh = world.ask(pretoken(1, "RefreshTokens")).await;
    assert_eq!(
        refresh,
        Err(RefusedTokens(Reason::EvidenceExpired)),
        "it does not outlive its end"
    );
}

#[tokio::test]
async fn an_exemption_for_the_app_is_for_everybody_in_it() {
    let world = World::new();
    let ends = world.now_s() + 60;
    world.change_item(|item| {
        item.exemptions =
            serde_json::from_value(json!([{"id": "exm_all", "user_sub": null, "expires_at_unix_s": ends}]))
                .expect("exemption");
    });
    assert!(world.ask(pretoken(2, "Authentication")).await.is_ok());
}

#[tokio::test]
async fn suspended_foreign_and_unknown_are_refused_on_every_source() {
    let world = World::with_policy(&not_required());
    for source in SOURCES {
        let mut foreign = pretoken(2, source);
        foreign["userPoolId"] = json!("eu-central-1_Other0000");
        assert_eq!(world.ask(foreign).await, Err(RefusedTokens(Reason::ForeignPool)));
        let mut client = pretoken(2, source);
        client["callerContext"]["clientId"] = json!("made-by-hand");
        assert_eq!(world.ask(client).await, Err(RefusedTokens(Reason::UnknownClient)));
        let mut nobody = pretoken(2, source);
        nobody["request"]["userAttributes"] = Value::Null;
        assert_eq!(world.ask(nobody).await, Err(RefusedTokens(Reason::SourceRefused)));
    }
    let mut suspended = settings();
    suspended["suspended"] = json!(true);
    suspended["generation"] = json!(2);
    world.set_settings(&suspended);
    world.pass_ms(30_000);
    for source in SOURCES {
        assert_eq!(
            world.ask(pretoken(1, source)).await,
            Err(RefusedTokens(Reason::Suspended)),
            "within 30 s"
        );
    }
}
