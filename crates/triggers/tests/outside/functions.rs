//! The built functions when something around them is missing, or nothing is asked of them.

use crate::tenant::{SECRET, TENANT, Tenant, events, fixture, required};
use serde_json::{Value, json};
use step_up::event::EventType;
use step_up::reason::Reason;

/// A provider at an address where nothing listens.
fn settings() -> Value {
    let nowhere = "http://127.0.0.1:9/oauth2/community/default/v1";
    json!({
        "schema_version": 1, "generation": 1, "tenant_id": TENANT, "user_pool_id": "eu-central-1_Ab3dEfGh1",
        "connection": {"tenant_dns": "127.0.0.1:9", "community": "default", "client_id": "acme-client"},
        "provider": {
            "issuer": nowhere, "authorization_endpoint": format!("{nowhere}/authorize"),
            "token_endpoint": format!("{nowhere}/token"), "jwks_uri": format!("{nowhere}/jwks"),
            "redirect_uri": "http://127.0.0.1:9/admin/default/post_stepup",
            "id_token_signing_algorithms": ["RS256"], "pkce_s256": true, "jwks": {"keys": []},
            "fetched_at_unix_s": 1,
        },
        "allowed_provider_networks": ["127.0.0.1/32"],
        "event_hash_key": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=",
    })
}

#[tokio::test]
async fn a_sign_in_up_to_a_provider_that_is_down() {
    let tenant = Tenant::new(&settings(), &required()).await;
    let challenge = tenant.start("challenge");
    let asked = challenge.invoke(&fixture("define_srp_a")).expect("define");
    assert_eq!(asked["response"]["challengeName"], "PASSWORD_VERIFIER");
    assert_eq!(asked["userName"], "ada", "the event is echoed");
    let asked = challenge
        .invoke(&fixture("define_password_passed"))
        .expect("define");
    assert_eq!(asked["response"]["challengeName"], "CUSTOM_CHALLENGE");
    let made = challenge
        .invoke(&fixture("create_after_password"))
        .expect("create");
    let public = &made["response"]["publicChallengeParameters"];
    let state = public["state"].as_str().expect("state").to_owned();

    let verify = tenant.start("verify");
    let mut event = fixture("verify");
    event["request"]["privateChallengeParameters"] = made["response"]["privateChallengeParameters"].clone();
    event["request"]["challengeAnswer"] = json!(json!({"code": "canary-code", "state": state}).to_string());
    let judged = verify.invoke(&event).expect("verify never fails");
    assert_eq!(judged["response"]["answerCorrect"], false);
    let again = verify.invoke(&event).expect("the same answer again");
    assert_eq!(again["response"]["answerCorrect"], false);
    let probe = json!({"stepgate_probe": {"version_stage": "AWSCURRENT"}});
    assert_eq!(
        verify.invoke(&probe).expect("probe"),
        json!({"outcome": "unreachable"})
    );

    let refused = challenge
        .invoke(&fixture("pretoken_v2_Authentication"))
        .expect_err("no tokens");
    assert_eq!(refused["errorMessage"], "no_grant");
    let unreadable = challenge.invoke(&json!("not an event")).expect_err("no tokens");
    assert_eq!(unreadable["errorMessage"], "foreign_pool");

    let (asked, judged) = (challenge.stop(), verify.stop());
    let types: Vec<_> = events(&asked).iter().map(|event| event.event_type).collect();
    assert_eq!(
        types,
        [
            EventType::Started,
            EventType::Offered,
            EventType::RefusedTokens,
            EventType::RefusedTokens
        ]
    );
    let judged_events = events(&judged);
    assert_eq!(judged_events.len(), 2);
    assert!(
        judged_events
            .iter()
            .all(|event| event.reason == Some(Reason::ProviderUnavailable))
    );
    assert_eq!(judged_events[0].event_id, judged_events[1].event_id);
    for canary in [SECRET, "canary-code", &state, "ada", "example.com"] {
        assert!(
            !asked.contains(canary) && !judged.contains(canary),
            "{canary} was printed"
        );
    }
}

#[tokio::test]
async fn a_policy_without_step_up_gives_tokens_with_claims_of_both_versions() {
    let tenant = Tenant::new(
        &settings(),
        &json!({"schema_version": 1, "default": {"step_up": "not_required", "reason": "pilot"}}),
    )
    .await;
    let challenge = tenant.start("challenge");
    let asked = challenge
        .invoke(&fixture("define_password_passed"))
        .expect("define");
    assert_eq!(asked["response"]["issueTokens"], true);
    let tokens = challenge
        .invoke(&fixture("pretoken_v1_Authentication"))
        .expect("tokens");
    assert_eq!(
        tokens["response"]["claimsOverrideDetails"],
        json!({"claimsToAddOrOverride": {"stepup_policy": "3"}})
    );
    let tokens = challenge
        .invoke(&fixture("pretoken_v2_RefreshTokens"))
        .expect("tokens");
    let details = &tokens["response"]["claimsAndScopeOverrideDetails"];
    assert_eq!(details["accessTokenGeneration"], details["idTokenGeneration"]);
    drop(challenge);
}

#[tokio::test]
async fn a_function_that_can_read_nothing_refuses_with_a_reason() {
    let mut tenant = Tenant::new(&settings(), &required()).await;
    for (name, value) in &mut tenant.variables {
        if *name == "STEPGATE_SETTINGS_SECRET_ARN" {
            *value = "arn:aws:secretsmanager:eu-central-1:1:secret:gone".to_owned();
        }
    }
    let challenge = tenant.start("challenge");
    let asked = challenge
        .invoke(&fixture("define_srp_a"))
        .expect("define answers");
    assert_eq!(asked["response"]["failAuthentication"], true);
    let refused = challenge
        .invoke(&fixture("pretoken_v1_HostedAuth"))
        .expect_err("no tokens");
    assert_eq!(refused["errorMessage"], "settings_unavailable");
    let log = challenge.stop();
    assert!(log.contains("ResourceNotFoundException"), "{log}");
    assert!(
        events(&log)
            .iter()
            .all(|event| event.reason == Some(Reason::SettingsUnavailable))
    );
}
