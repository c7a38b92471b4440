//! The happy path, over HTTP and HTTPS, with every form the provider may have.

use crate::rig::{Refusal, Rig, SECRET, loopback, seconds};
use blockid::{
    ClientCredentials, ExchangeError, HttpClient, HttpError, Probe, TenantDns, VerifyError, discover,
    fetch_jwks, probe_client,
};
use blockid_sim::config::Config;
use blockid_sim::keys::Algorithm;
use blockid_sim::{Options, Simulator};
use serde_json::json;

#[tokio::test]
async fn a_step_up_ends_with_verified_claims() {
    for algorithm in [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256] {
        let mut config = Config::seeded(SECRET);
        config.tenants[0].communities[0].algorithm = algorithm;
        let rig = Rig::with(config);
        let provider = rig.provider().await;
        assert_eq!(
            provider.id_token_signing_algorithms,
            [algorithm.name()],
            "none and HS256 are dropped"
        );
        assert!(provider.pkce_s256);
        assert_eq!(
            provider.redirect_uri,
            format!("{}/admin/default/post_stepup", rig.url)
        );
        let claims = rig.sign_in(&provider, json!([])).await.unwrap();
        assert_eq!(claims.iss, format!("{}/oauth2/community/default/v1", rig.url));
        assert_eq!(claims.username.as_deref(), Some("alice"));
        assert_eq!(claims.email.as_deref(), Some("alice@example.com"));
        assert_eq!(claims.email_verified, Some(true));
        assert_eq!(claims.acr.as_deref(), Some("liveID push"));
        assert_eq!(claims.amr, ["liveID push"]);
        assert!(claims.auth_time.is_some() && claims.exp > claims.iat);
        assert_eq!(claims.sub.len(), 36);
    }
}

#[tokio::test]
async fn https_under_the_simulators_own_ca() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let options = Options {
        config: Config::seeded(SECRET),
        http: None,
        tls: Some("127.0.0.1:0".parse().unwrap()),
    };
    let simulator = Simulator::start(&options).unwrap();
    let port = simulator.tls_address().unwrap().port();
    for host in ["127.0.0.1", "localhost"] {
        let policy = loopback(false, simulator.ca_pem().map(str::to_owned));
        let tenant = TenantDns::parse(&format!("{host}:{port}"), &policy).unwrap();
        let client = HttpClient::new(policy).unwrap();
        let provider = discover(&client, &tenant, "default", 1).await.unwrap();
        assert_eq!(
            provider.issuer,
            format!("https://{host}:{port}/oauth2/community/default/v1")
        );
        let credentials = ClientCredentials {
            client_id: "demo-client".into(),
            client_secret: SECRET.to_owned().into(),
        };
        assert_eq!(
            probe_client(&client, &provider, &credentials, seconds(5)).await,
            Probe::Accepted
        );
        // Without the CA the same server is not trusted.
        let stranger = HttpClient::new(loopback(false, None)).unwrap();
        let refused = discover(&stranger, &tenant, "default", 1).await.unwrap_err();
        assert_eq!(
            refused,
            blockid::DiscoveryError::Unreachable(HttpError::TlsFailed)
        );
    }
}

#[tokio::test]
async fn every_form_of_a_claim_is_read() {
    let rig = Rig::over_http();
    for (behaviour, username, acr, amr, has_auth_time) in [
        (
            json!({"acr": "list", "amr": "text"}),
            Some("alice"),
            Some("liveID push"),
            vec!["liveID push"],
            true,
        ),
        (
            json!({"acr": "absent", "amr": "absent"}),
            Some("alice"),
            None,
            vec![],
            true,
        ),
        (
            json!({"auth_time": "text"}),
            Some("alice"),
            Some("liveID push"),
            vec!["liveID push"],
            true,
        ),
        (
            json!({"auth_time": "absent"}),
            Some("alice"),
            Some("liveID push"),
            vec!["liveID push"],
            false,
        ),
        (
            json!({"username_claim": "absent"}),
            None,
            Some("liveID push"),
            vec!["liveID push"],
            true,
        ),
        (
            json!({"issuer": "host", "pkce": "unknown"}),
            Some("alice"),
            Some("liveID push"),
            vec!["liveID push"],
            true,
        ),
        (
            json!({"pkce": "required"}),
            Some("alice"),
            Some("liveID push"),
            vec!["liveID push"],
            true,
        ),
    ] {
        rig.behave(behaviour.clone()).await;
        let provider = rig.provider().await;
        let claims = rig
            .sign_in(&provider, json!([]))
            .await
            .unwrap_or_else(|error| panic!("{behaviour}: {error:?}"));
        assert_eq!(claims.username.as_deref(), username, "{behaviour}");
        assert_eq!(claims.acr.as_deref(), acr, "{behaviour}");
        assert_eq!(claims.amr, amr, "{behaviour}");
        assert_eq!(claims.auth_time.is_some(), has_auth_time, "{behaviour}");
    }
    for (subject, expected) in [("username", "alice"), ("email", "alice@example.com")] {
        rig.behave(
            json!({ "subject": subject, "username_claim": "preferred_username", "email_verified": null }),
        )
        .await;
        let claims = rig.sign_in(&rig.provider().await, json!([])).await.unwrap();
        assert_eq!(claims.sub, expected);
        assert_eq!(claims.preferred_username.as_deref(), Some("alice"));
        assert_eq!(claims.email_verified, None);
    }
}

#[tokio::test]
async fn forms_out_of_the_ordinary_are_held_to_the_same_rules() {
    // `amr` as text is what the library cannot read, so these go the other way through the code.
    let rig = Rig::over_http();
    rig.behave(json!({"amr": "text", "acr": "list", "auth_time": "text"}))
        .await;
    let provider = rig.provider().await;
    for (fault, error) in [
        ("bad_signature", VerifyError::SignatureInvalid),
        ("foreign_key_same_kid", VerifyError::SignatureInvalid),
        ("unknown_kid", VerifyError::UnknownKey),
        ("alg_none", VerifyError::AlgorithmRefused),
        ("alg_hs256_public_key", VerifyError::AlgorithmRefused),
        ("wrong_iss", VerifyError::IssuerMismatch),
        ("wrong_aud", VerifyError::AudienceMismatch),
        ("expired", VerifyError::Expired),
        ("wrong_nonce", VerifyError::NonceMismatch),
        ("missing_nonce", VerifyError::NonceMissing),
        ("old_iat", VerifyError::IssuedBeforeChallenge),
        ("old_auth_time", VerifyError::AuthenticatedBeforeChallenge),
    ] {
        assert_eq!(
            rig.sign_in(&provider, json!([fault])).await,
            Err(Refusal::Verify(error)),
            "{fault}"
        );
    }
}

#[tokio::test]
async fn a_code_works_once_and_not_for_long() {
    let rig = Rig::over_http();
    let provider = rig.provider().await;
    let code = rig.code(&provider, json!([])).await;
    rig.redeem(&provider, &code).await.unwrap();
    let again = rig.redeem(&provider, &code).await;
    assert_eq!(again, Err(Refusal::Exchange(ExchangeError::CodeRejected)));
    rig.behave(json!({ "code_lifetime_s": 0 })).await;
    let late = rig.code(&provider, json!([])).await;
    assert_eq!(
        rig.redeem(&provider, &late).await,
        Err(Refusal::Exchange(ExchangeError::CodeRejected))
    );
    let outcomes = &rig.requests().await["outcomes"];
    assert_eq!(*outcomes, json!({"issued": 1, "code_used": 1, "code_expired": 1}));
}

#[tokio::test]
async fn codes_are_bound_to_client_redirect_and_pkce() {
    let rig = Rig::over_http();
    let provider = rig.provider().await;
    let code = rig.code(&provider, json!([])).await;
    let without_pkce = step_up::settings::ProviderMetadata {
        pkce_s256: false,
        ..provider.clone()
    };
    assert_eq!(
        rig.exchange(&without_pkce, &code, seconds(5)).await,
        Err(ExchangeError::CodeRejected)
    );
    let code = rig.code(&provider, json!([])).await;
    let elsewhere = step_up::settings::ProviderMetadata {
        redirect_uri: "https://evil.example".into(),
        ..provider
    };
    assert_eq!(
        rig.exchange(&elsewhere, &code, seconds(5)).await,
        Err(ExchangeError::CodeRejected)
    );
    let outcomes = &rig.requests().await["outcomes"];
    assert_eq!(
        *outcomes,
        json!({"pkce_verifier_missing": 1, "redirect_uri_differs": 1})
    );
}

#[tokio::test]
async fn codes_that_are_none_are_not_sent() {
    let rig = Rig::over_http();
    let provider = rig.provider().await;
    for code in [
        "",
        " ",
        "a b",
        "\u{0}",
        "\u{1f600}",
        "x\r\nEvil: 1",
        &"x".repeat(5000),
    ] {
        assert_eq!(
            rig.exchange(&provider, code, seconds(5)).await,
            Err(ExchangeError::CodeUnsendable)
        );
    }
    assert_eq!(
        rig.exchange(&provider, "state123", seconds(5)).await,
        Err(ExchangeError::CodeRejected)
    );
    assert_eq!(rig.requests().await["total"], 1);
}

#[tokio::test]
async fn client_secrets_are_probed_and_rotated() {
    let rig = Rig::over_http();
    let provider = rig.provider().await;
    let with = |secret: &str| ClientCredentials {
        client_id: "demo-client".into(),
        client_secret: secret.to_owned().into(),
    };
    assert_eq!(
        probe_client(&rig.client, &provider, &with(SECRET), seconds(5)).await,
        Probe::Accepted
    );
    assert_eq!(
        probe_client(&rig.client, &provider, &with("wrong"), seconds(5)).await,
        Probe::Rejected
    );
    rig.post(
        "/sim/clients/demo-client/secret",
        json!({ "secret": "second", "overlap_s": 600 }),
    )
    .await;
    for secret in [SECRET, "second"] {
        assert_eq!(
            probe_client(&rig.client, &provider, &with(secret), seconds(5)).await,
            Probe::Accepted
        );
    }
    rig.post("/sim/clients/demo-client/secret", json!({ "secret": "third" }))
        .await;
    assert_eq!(
        probe_client(&rig.client, &provider, &with("second"), seconds(5)).await,
        Probe::Rejected
    );
    assert_eq!(
        probe_client(&rig.client, &provider, &with("third"), seconds(5)).await,
        Probe::Accepted
    );
    rig.behave(json!({ "faults": [{ "status": 503 }] })).await;
    let outage = Probe::Inconclusive(ExchangeError::Http(HttpError::Status(503)));
    assert_eq!(
        probe_client(&rig.client, &provider, &with("third"), seconds(5)).await,
        outage
    );
    let shown = rig.requests().await.to_string();
    assert!(
        !shown.contains("third") && !shown.contains("canary") && !shown.contains("probe"),
        "{shown}"
    );
}

#[tokio::test]
async fn rotated_keys_are_found_by_fetching_again() {
    let rig = Rig::over_http();
    let mut provider = rig.provider().await;
    let code = rig.code(&provider, json!(["rotated_keys"])).await;
    let id_token = rig.exchange(&provider, &code, seconds(5)).await.unwrap();
    assert_eq!(Rig::verify(&provider, &id_token), Err(VerifyError::UnknownKey));
    provider.jwks = fetch_jwks(&rig.client, &provider.jwks_uri, seconds(5))
        .await
        .unwrap();
    assert!(Rig::verify(&provider, &id_token).is_ok());
    rig.post("/sim/communities/default/keys", json!({ "keep_old": true }))
        .await;
    provider.jwks = fetch_jwks(&rig.client, &provider.jwks_uri, seconds(5))
        .await
        .unwrap();
    assert!(
        Rig::verify(&provider, &id_token).is_ok(),
        "the old key is still published"
    );
    assert_eq!(provider.jwks["keys"].as_array().unwrap().len(), 2);
    // With two keys and no key id the signer cannot be told.
    let refused = rig.sign_in(&provider, json!(["no_kid"])).await;
    assert_eq!(refused, Err(Refusal::Verify(VerifyError::SignatureInvalid)));
}
