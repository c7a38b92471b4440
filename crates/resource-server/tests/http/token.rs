//! Tokens that must not be believed. All would otherwise be good for the transfer.

use crate::bank::{Bank, CLIENT, KEYS, NOW, unsigned};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::PrivateSigningKey as _;
use openidconnect::core::{CoreHmacKey, CoreJwsSigningAlgorithm};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

async fn assert_not_believed(bank: &Bank, token: &str, why: &str) {
    let answer = bank.pay(token).await;
    assert_eq!(answer.status, 401, "{why}: {}", answer.body);
    answer.assert_refused(401, "invalid_token");
    assert_eq!(
        answer.www_authenticate.as_deref(),
        Some("Bearer error=\"invalid_token\", error_description=\"The access token is not accepted\"")
    );
    assert_eq!(bank.done.load(Ordering::SeqCst), 0, "{why}");
}

#[actix_web::test]
async fn claims_of_another_pool_client_or_use_are_refused() {
    let bank = Bank::open();
    let good = bank.for_transfer("DE02", "12.50");
    let cases: &[(&str, &str, Value)] = &[
        (
            "another issuer",
            "iss",
            json!("https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Other"),
        ),
        ("issuer with a slash", "iss", json!(format!("{}/", bank.issuer))),
        ("another client", "client_id", json!("evil")),
        ("clients as a list", "client_id", json!([CLIENT])),
        ("ID token", "token_use", json!("id")),
        ("refresh token", "token_use", json!("refresh")),
        ("expired now", "exp", json!(NOW)),
        ("expired long ago", "exp", json!(0)),
        ("expiry as text", "exp", json!("9999999999")),
        ("issued in the future", "iat", json!(NOW + 61)),
        ("step-up in the future", "stepup_at", json!(NOW + 61)),
        ("step-up at no number", "stepup_at", json!("soon")),
        ("empty jti", "jti", json!("")),
        ("empty sub", "sub", json!("")),
        (
            "action as a list",
            "stepup_action",
            json!(["transfer", "balance"]),
        ),
        ("action_ref as a number", "action_ref", json!(1)),
    ];
    for (why, name, value) in cases {
        let mut claims = good.clone();
        claims[name] = value.clone();
        assert_not_believed(&bank, &KEYS[0].token(&claims), why).await;
    }
    for name in ["iss", "sub", "client_id", "token_use", "exp", "iat", "jti"] {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(name);
        assert_not_believed(&bank, &KEYS[0].token(&claims), &format!("no {name}")).await;
    }
}

#[actix_web::test]
async fn only_rs256_under_a_key_of_the_pool_is_believed() {
    let bank = Bank::open();
    let claims = bank.for_transfer("DE02", "12.50");
    let kid = KEYS[0].id;

    let none = unsigned(&json!({ "alg": "none", "kid": kid }), &claims);
    for signature in ["", "AA"] {
        assert_not_believed(&bank, &format!("{none}.{signature}"), "alg none").await;
    }
    assert_not_believed(&bank, &none, "two parts").await;
    assert_not_believed(
        &bank,
        &KEYS[0].token_with_header(&json!({ "alg": "none", "kid": kid }), &claims),
        "none, signed",
    )
    .await;

    // The classic: HMAC with the public key as secret, in each form an implementation might take it.
    let public_jwk = serde_json::to_string(&KEYS[0].signer().as_verification_key()).unwrap();
    let modulus: Value = serde_json::from_str(&public_jwk).unwrap();
    let modulus = URL_SAFE_NO_PAD.decode(modulus["n"].as_str().unwrap()).unwrap();
    for secret in [public_jwk.into_bytes(), modulus, KEYS[0].pem.clone().into_bytes()] {
        let signed = unsigned(&json!({ "alg": "HS256", "kid": kid }), &claims);
        let mac = CoreHmacKey::new(secret)
            .sign(&CoreJwsSigningAlgorithm::HmacSha256, signed.as_bytes())
            .unwrap();
        assert_not_believed(
            &bank,
            &format!("{signed}.{}", URL_SAFE_NO_PAD.encode(&mac)),
            "HS256",
        )
        .await;
        let renamed = unsigned(&json!({ "alg": "RS256", "kid": kid }), &claims);
        assert_not_believed(
            &bank,
            &format!("{renamed}.{}", URL_SAFE_NO_PAD.encode(&mac)),
            "HMAC named RS256",
        )
        .await;
    }

    for algorithm in ["RS384", "RS512", "PS256", "ES256", "rs256", ""] {
        let header = json!({ "alg": algorithm, "kid": kid });
        assert_not_believed(&bank, &KEYS[0].token_with_header(&header, &claims), algorithm).await;
    }
    let strange = json!({ "alg": "RS256", "kid": kid, "crit": ["x"], "x": 1 });
    assert_not_believed(
        &bank,
        &KEYS[0].token_with_header(&strange, &claims),
        "critical extension",
    )
    .await;
    assert_not_believed(
        &bank,
        &KEYS[0].token_with_header(&json!({ "alg": "RS256" }), &claims),
        "no kid",
    )
    .await;

    // Another pool's key under this pool's key id, and its own id with the key brought along.
    let posing = json!({ "alg": "RS256", "kid": kid });
    assert_not_believed(&bank, &KEYS[2].token_with_header(&posing, &claims), "foreign key").await;
    let brought = json!({ "alg": "RS256", "kid": KEYS[2].id, "jwk": serde_json::to_value(KEYS[2].signer().as_verification_key()).unwrap() });
    assert_not_believed(
        &bank,
        &KEYS[2].token_with_header(&brought, &claims),
        "key in the header",
    )
    .await;
}

#[actix_web::test]
async fn changed_or_mangled_tokens_are_refused() {
    let bank = Bank::open();
    let token = KEYS[0].token(&bank.for_transfer("DE02", "12.50"));
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, _) = signed.split_once('.').unwrap();

    let richer = URL_SAFE_NO_PAD.encode(bank.for_transfer("DE02", "12.50").to_string());
    assert_not_believed(
        &bank,
        &format!("{header}.{richer}.{signature}"),
        "payload exchanged",
    )
    .await;
    assert_not_believed(
        &bank,
        &format!("{signed}.{}", &signature[..signature.len() - 4]),
        "signature cut",
    )
    .await;
    assert_not_believed(&bank, &format!("{token}="), "padding").await;
    assert_not_believed(&bank, &format!("{token}.x"), "four parts").await;
    for text in ["x", "a.b.c", "..", "e30.e30.", "e30.e30.e30"] {
        assert_not_believed(&bank, text, text).await;
    }
    let mut long = bank.for_transfer("DE02", "12.50");
    long["cognito:groups"] = json!(["g".repeat(13_000)]);
    assert_not_believed(&bank, &KEYS[0].token(&long), "too long").await;
    assert_eq!(bank.pay(&token).await.status, 201);
}

#[actix_web::test]
async fn the_header_must_be_one_bearer_token() {
    let bank = Bank::open();
    let token = KEYS[0].token(&bank.for_transfer("DE02", "12.50"));
    let bearer = format!("Bearer {token}");
    let body = r#"{"to":"DE02","amount":"12.50"}"#;

    let missing = bank.transfer(&[], body).await;
    missing.assert_refused(401, "token_missing");
    assert_eq!(missing.www_authenticate.as_deref(), Some("Bearer"));
    bank.transfer(&["Basic YTpi"], body)
        .await
        .assert_refused(401, "token_missing");

    for bad in [
        &["Bearer"][..],
        &["Bearer a b"],
        &[&bearer, &bearer],
        &[&bearer, "Basic YTpi"],
    ] {
        bank.transfer(bad, body)
            .await
            .assert_refused(400, "invalid_request");
    }
    assert_eq!(
        bank.transfer(&[&format!("bEARER {token}")], body).await.status,
        201
    );
}
