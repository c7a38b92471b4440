//! A whole sign-in with the built functions: password, challenge, step-up at the simulator, tokens, refresh.

use crate::simulator::Simulator;
use crate::tenant::{SECRET, TENANT, Tenant, events, fixture, required};
use serde_json::{Value, json};
use step_up::event::EventType;
use step_up::reason::Reason;
use triggers::clock::{Clock as _, SystemClock};

/// A tenant of the simulator.
pub(crate) async fn tenant(simulator: &Simulator) -> Tenant {
    let now_s = SystemClock.now_unix_s();
    let settings = json!({
        "schema_version": 1, "generation": 1, "tenant_id": TENANT, "user_pool_id": "eu-central-1_Ab3dEfGh1",
        "connection": {"tenant_dns": simulator.address, "community": "default", "client_id": "demo-client"},
        "provider": simulator.metadata(now_s).await,
        "allowed_provider_networks": ["127.0.0.1/32"],
        "event_hash_key": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=",
    });
    Tenant::new(&settings, &required()).await
}

/// The verify event for what *create* made.
pub(crate) fn answered(made: &Value, answer: &Value) -> Value {
    let mut event = fixture("verify");
    event["request"]["privateChallengeParameters"] = made["response"]["privateChallengeParameters"].clone();
    event["request"]["challengeAnswer"] = json!(answer.to_string());
    event
}

#[tokio::test]
async fn a_user_signs_in_and_refreshes() {
    let simulator = Simulator::start(SECRET);
    let tenant = tenant(&simulator).await;
    let (challenge, verify) = (tenant.start("challenge"), tenant.start("verify"));
    let made = challenge
        .invoke(&fixture("create_after_password"))
        .expect("create");
    let url = &made["response"]["publicChallengeParameters"]["authorize_url"];
    let answer = simulator.step_up(&json!({"authorize_url": url, "method": "liveID push"}));

    let event = answered(&made, &answer);
    let judged = verify.invoke(&event).expect("verify");
    assert_eq!(judged["response"]["answerCorrect"], true);
    let again = verify.invoke(&event).expect("Cognito's retry");
    assert_eq!(again["response"]["answerCorrect"], true);

    let mut define = fixture("define_password_passed");
    let round = json!({"challengeName": "CUSTOM_CHALLENGE", "challengeResult": true,
        "challengeMetadata": made["response"]["challengeMetadata"]});
    define["request"]["session"]
        .as_array_mut()
        .expect("session")
        .push(round);
    assert_eq!(
        challenge.invoke(&define).expect("define")["response"]["issueTokens"],
        true
    );
    for source in ["Authentication", "RefreshTokens"] {
        let tokens = challenge
            .invoke(&fixture(&format!("pretoken_v2_{source}")))
            .expect(source);
        let details = &tokens["response"]["claimsAndScopeOverrideDetails"];
        let claims = &details["accessTokenGeneration"]["claimsToAddOrOverride"];
        assert_eq!(claims["stepup_policy"], "3", "{source}");
        assert!(
            claims["stepup_at"].is_string() && claims["stepup_amr"].is_string(),
            "{source}: {claims}"
        );
    }
    let device = challenge
        .invoke(&fixture("pretoken_v2_AuthenticateDevice"))
        .expect_err("no tokens");
    assert_eq!(
        device["errorMessage"], "source_refused",
        "a grant opens one source only"
    );

    let (asked, judged) = (challenge.stop(), verify.stop());
    let types = |log: &str| {
        events(log)
            .iter()
            .map(|event| event.event_type)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        types(&judged),
        [EventType::Linked, EventType::Succeeded, EventType::Succeeded]
    );
    assert_eq!(
        types(&asked),
        [
            EventType::Started,
            EventType::Offered,
            EventType::Tokens,
            EventType::Tokens,
            EventType::RefusedTokens
        ]
    );
    let code = answer["code"].as_str().expect("code");
    let state = answer["state"].as_str().expect("state");
    for canary in [SECRET, code, state, "eyJ", "ada", "example.com"] {
        assert!(
            !asked.contains(canary) && !judged.contains(canary),
            "{canary} was printed"
        );
    }
}

#[tokio::test]
async fn somebody_elses_step_up_and_a_used_code_are_refused() {
    let simulator = Simulator::start(SECRET);
    let tenant = tenant(&simulator).await;
    let (challenge, verify) = (tenant.start("challenge"), tenant.start("verify"));
    let step_up = |username: &str| {
        let made = challenge
            .invoke(&fixture("create_after_password"))
            .expect("create");
        let url = &made["response"]["publicChallengeParameters"]["authorize_url"];
        let answer = simulator.step_up(&json!({"authorize_url": url, "username": username}));
        (made, answer)
    };
    let (made, answer) = step_up("mallory");
    let judged = verify.invoke(&answered(&made, &answer)).expect("verify");
    assert_eq!(judged["response"]["answerCorrect"], false);

    let (made, used) = step_up("ada");
    let judged = verify.invoke(&answered(&made, &used)).expect("verify");
    assert_eq!(judged["response"]["answerCorrect"], true);
    let (second, fresh) = step_up("ada");
    let replayed = json!({"code": used["code"], "state": fresh["state"]});
    let judged = verify.invoke(&answered(&second, &replayed)).expect("verify");
    assert_eq!(judged["response"]["answerCorrect"], false);

    let reasons: Vec<_> = events(&verify.stop())
        .iter()
        .filter_map(|event| event.reason)
        .collect();
    assert_eq!(reasons, [Reason::SubjectMismatch, Reason::CodeRejected]);
    drop(challenge);
}
