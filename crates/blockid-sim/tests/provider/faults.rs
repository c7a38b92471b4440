//! Every fault, with the exact refusal and its reason code.

use crate::rig::{Refusal, Rig, seconds};
use blockid::{ExchangeError, HttpError, VerifyError};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use step_up::reason::Reason;

#[tokio::test]
async fn broken_tokens_are_refused_by_name() {
    let rig = Rig::over_http();
    let provider = rig.provider().await;
    for (fault, error, reason) in [
        ("garbled", VerifyError::Malformed, Reason::ProviderMalformed),
        (
            "bad_signature",
            VerifyError::SignatureInvalid,
            Reason::SignatureInvalid,
        ),
        (
            "alg_none",
            VerifyError::AlgorithmRefused,
            Reason::SignatureInvalid,
        ),
        (
            "alg_hs256_public_key",
            VerifyError::AlgorithmRefused,
            Reason::SignatureInvalid,
        ),
        (
            "alg_hs256_client_secret",
            VerifyError::AlgorithmRefused,
            Reason::SignatureInvalid,
        ),
        ("unknown_kid", VerifyError::UnknownKey, Reason::SignatureInvalid),
        ("foreign_key", VerifyError::UnknownKey, Reason::SignatureInvalid),
        (
            "foreign_key_same_kid",
            VerifyError::SignatureInvalid,
            Reason::SignatureInvalid,
        ),
        ("wrong_iss", VerifyError::IssuerMismatch, Reason::IssuerMismatch),
        (
            "wrong_aud",
            VerifyError::AudienceMismatch,
            Reason::AudienceMismatch,
        ),
        (
            "extra_aud",
            VerifyError::AudienceMismatch,
            Reason::AudienceMismatch,
        ),
        (
            "wrong_azp",
            VerifyError::AuthorizedPartyMismatch,
            Reason::AudienceMismatch,
        ),
        ("expired", VerifyError::Expired, Reason::TokenExpired),
        ("issued_in_future", VerifyError::InTheFuture, Reason::TokenExpired),
        ("missing_nonce", VerifyError::NonceMissing, Reason::NonceMismatch),
        ("wrong_nonce", VerifyError::NonceMismatch, Reason::NonceMismatch),
        (
            "old_iat",
            VerifyError::IssuedBeforeChallenge,
            Reason::StaleAuthentication,
        ),
        (
            "old_auth_time",
            VerifyError::AuthenticatedBeforeChallenge,
            Reason::StaleAuthentication,
        ),
    ] {
        let refusal = rig.sign_in(&provider, json!([fault])).await.unwrap_err();
        assert_eq!(refusal, Refusal::Verify(error), "{fault}");
        assert_eq!(refusal.reason(), reason, "{fault}");
    }
}

#[tokio::test]
async fn broken_answers_are_refused_by_name() {
    let rig = Rig::over_http();
    let provider = rig.provider().await;
    let http = |error: HttpError| ExchangeError::Http(error);
    let table: Vec<(Value, ExchangeError, Reason)> = vec![
        (
            json!({"status": 500}),
            http(HttpError::Status(500)),
            Reason::ProviderUnavailable,
        ),
        (
            json!({"status": 404}),
            http(HttpError::Status(404)),
            Reason::ProviderMalformed,
        ),
        (
            json!({"status": 401}),
            ExchangeError::ClientRejected,
            Reason::ClientRejected,
        ),
        (json!("html"), http(HttpError::NotJson), Reason::ProviderMalformed),
        (
            json!("broken_json"),
            http(HttpError::NotJson),
            Reason::ProviderMalformed,
        ),
        (
            json!({"redirect": "http://169.254.169.254/"}),
            http(HttpError::Redirect(307)),
            Reason::ProviderMalformed,
        ),
        (
            json!({"huge_body": 10_000_000}),
            http(HttpError::TooLarge { limit_bytes: 65_536 }),
            Reason::ProviderMalformed,
        ),
        (
            json!("cut_off"),
            http(HttpError::Interrupted),
            Reason::ProviderUnavailable,
        ),
        (
            json!("invalid_client"),
            ExchangeError::ClientRejected,
            Reason::ClientRejected,
        ),
        (
            json!("invalid_grant"),
            ExchangeError::CodeRejected,
            Reason::CodeRejected,
        ),
        (
            json!({"oauth_error": "temporarily_unavailable"}),
            ExchangeError::RequestRejected,
            Reason::ProviderMalformed,
        ),
        (
            json!("no_id_token"),
            ExchangeError::NoIdToken,
            Reason::ProviderMalformed,
        ),
    ];
    for (fault, error, reason) in table {
        let refusal = rig.sign_in(&provider, json!([fault])).await.unwrap_err();
        assert_eq!(refusal, Refusal::Exchange(error), "{fault}");
        assert_eq!(refusal.reason(), reason, "{fault}");
    }
}

#[tokio::test]
async fn a_slow_provider_is_given_up_at_the_deadline() {
    let rig = Rig::over_http();
    let provider = rig.provider().await;
    for fault in [json!({"slow_ms": 60_000}), json!("hang")] {
        let code = rig.code(&provider, json!([fault])).await;
        let deadline = Instant::now() + Duration::from_millis(300);
        let refused = rig.exchange(&provider, &code, deadline).await;
        assert_eq!(refused, Err(ExchangeError::Http(HttpError::Timeout)), "{fault}");
        assert_eq!(refused.unwrap_err().reason(), Reason::ProviderUnavailable);
    }
    let code = rig.code(&provider, json!([{"slow_ms": 50}])).await;
    assert!(
        rig.exchange(&provider, &code, seconds(10)).await.is_ok(),
        "slow but in time is fine"
    );
    assert_eq!(rig.requests().await["outcomes"]["hang"], 1);
}

#[tokio::test]
async fn what_the_policy_judges_arrives_as_the_provider_said_it() {
    let rig = Rig::over_http();
    let provider = rig.provider().await;
    let weaker = rig
        .sign_in(&provider, json!([{"method": "otp email"}]))
        .await
        .unwrap();
    assert_eq!(
        (weaker.acr.as_deref(), weaker.amr.as_slice()),
        (Some("otp email"), &["otp email".to_owned()][..])
    );
    let silent = rig
        .sign_in(&provider, json!(["no_acr", "no_amr", "no_auth_time"]))
        .await
        .unwrap();
    assert_eq!((silent.acr, silent.amr.len(), silent.auth_time), (None, 0, None));
    let proofed = rig.sign_in(&provider, json!([{"ial": 1}])).await.unwrap();
    assert_eq!(proofed.amr, ["liveID push", "/assurance/ial/1/"]);
    let other = rig
        .sign_in(&provider, json!([{"other_user": "bob"}]))
        .await
        .unwrap();
    let own = rig.sign_in(&provider, json!(["list_aud"])).await.unwrap();
    assert_eq!(
        (other.username.as_deref(), own.username.as_deref()),
        (Some("bob"), Some("alice"))
    );
    assert_ne!(other.sub, own.sub);
    let mail = rig
        .sign_in(
            &provider,
            json!([{"email": "x@example.com"}, {"email_verified": false}]),
        )
        .await
        .unwrap();
    assert_eq!(
        (mail.email.as_deref(), mail.email_verified),
        (Some("x@example.com"), Some(false))
    );
}

#[tokio::test]
async fn proofing_brings_its_level_in_amr() {
    let rig = Rig::over_http();
    let provider = rig.provider().await;
    for (level, expected) in [
        (json!(2), vec!["/assurance/ial/2/"]),
        (json!(1), vec!["/assurance/ial/1/"]),
    ] {
        rig.behave(json!({ "ial": level })).await;
        let url = Rig::authorize(&provider, "alice", &["/assurance/ial/2/"]);
        let answer = rig.step_up(json!({ "authorize_url": url })).await;
        let claims = rig
            .redeem(&provider, answer["code"].as_str().unwrap())
            .await
            .unwrap();
        assert_eq!(claims.amr, expected);
    }
}

#[tokio::test]
async fn an_old_provider_session_shows() {
    let rig = Rig::over_http();
    rig.behave(json!({ "session_age_s": 3600 })).await;
    let provider = rig.provider().await;
    let fresh = Rig::authorize(&provider, "alice", &["otp"]);
    let stripped = fresh.replace("&prompt=login&max_age=0", "");
    assert_ne!(fresh, stripped);
    for (url, stale) in [(fresh, false), (stripped, true)] {
        let answer = rig.step_up(json!({ "authorize_url": url })).await;
        let outcome = rig.redeem(&provider, answer["code"].as_str().unwrap()).await;
        let refused = Err(Refusal::Verify(VerifyError::AuthenticatedBeforeChallenge));
        assert_eq!(outcome == refused, stale, "{outcome:?}");
    }
}

#[tokio::test]
async fn a_busy_provider_is_unavailable() {
    let rig = Rig::over_http();
    let provider = rig.provider().await;
    rig.behave(json!({ "token_calls_per_min": 1 })).await;
    rig.sign_in(&provider, json!([])).await.unwrap();
    let refusal = rig.sign_in(&provider, json!([])).await.unwrap_err();
    assert_eq!(
        refusal,
        Refusal::Exchange(ExchangeError::Http(HttpError::Status(429)))
    );
    assert_eq!(refusal.reason(), Reason::ProviderUnavailable);
}
