//! The local check of an access token, and tokens for it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use openidconnect::core::{CoreJwsSigningAlgorithm, CoreRsaPrivateSigningKey};
use openidconnect::{JsonWebKeyId, PrivateSigningKey as _};
use serde_json::{Value, json};
use triggers::verify::access_token::{Expected, TokenError, check};

const ISSUER: &str = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Ab3dEfGh1";

fn key() -> CoreRsaPrivateSigningKey {
    let pem = include_str!("../fixtures/keys/pool-rs256.pem");
    CoreRsaPrivateSigningKey::from_pem(pem, Some(JsonWebKeyId::new("pool-1".to_owned()))).expect("key")
}

pub(crate) fn pool_jwks() -> Value {
    let mut key = serde_json::to_value(key().as_verification_key()).expect("JWK");
    key["alg"] = json!("RS256");
    json!({ "keys": [key] })
}

pub(crate) fn claims(now_s: i64) -> Value {
    json!({
        "iss": ISSUER, "sub": crate::world::SUB, "client_id": crate::world::CLIENT, "token_use": "access",
        "iat": now_s - 60, "exp": now_s + 840, "jti": "x", "username": "ada",
    })
}

pub(crate) fn token(header: &Value, claims: &Value) -> String {
    let signed = format!(
        "{}.{}",
        B64.encode(header.to_string()),
        B64.encode(claims.to_string())
    );
    let algorithm = CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256;
    let signature = key().sign(&algorithm, signed.as_bytes()).expect("signature");
    format!("{signed}.{}", B64.encode(signature))
}

pub(crate) fn header() -> Value {
    json!({"alg": "RS256", "kid": "pool-1"})
}

const EXPECTED: Expected<'_> = Expected {
    issuer: ISSUER,
    client_id: crate::world::CLIENT,
    user_sub: crate::world::SUB,
    now_unix_s: 1_000,
};

#[test]
fn a_genuine_access_token_passes() {
    assert_eq!(
        check(&token(&header(), &claims(1_000)), &pool_jwks(), &EXPECTED),
        Ok(())
    );
}

#[test]
fn each_claim_counts() {
    for (name, value) in [
        (
            "iss",
            json!("https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Other0000"),
        ),
        ("sub", json!("another")),
        ("client_id", json!("another")),
        ("token_use", json!("id")),
        ("exp", json!(1_000)),
        ("iat", json!(1_061)),
        ("exp", json!("soon")),
        ("client_id", Value::Null),
    ] {
        let mut changed = claims(1_000);
        changed[name] = value;
        assert_eq!(
            check(&token(&header(), &changed), &pool_jwks(), &EXPECTED),
            Err(TokenError::Refused),
            "{name}"
        );
    }
}

#[test]
fn signature_algorithm_and_key_count() {
    let good = token(&header(), &claims(1_000));
    let mut forged = claims(1_000);
    forged["sub"] = json!("another");
    let (_, signature) = good.rsplit_once('.').expect("three parts");
    let swapped = format!(
        "{}.{}.{signature}",
        B64.encode(header().to_string()),
        B64.encode(forged.to_string())
    );
    let expected = Expected {
        user_sub: "another",
        ..EXPECTED
    };
    assert_eq!(check(&swapped, &pool_jwks(), &expected), Err(TokenError::Refused));
    for alg in ["none", "HS256", "RS512"] {
        let token = token(&json!({"alg": alg, "kid": "pool-1"}), &claims(1_000));
        assert_eq!(
            check(&token, &pool_jwks(), &EXPECTED),
            Err(TokenError::Refused),
            "{alg}"
        );
    }
    let other_key = token(&json!({"alg": "RS256", "kid": "pool-2"}), &claims(1_000));
    assert_eq!(
        check(&other_key, &pool_jwks(), &EXPECTED),
        Err(TokenError::UnknownKey)
    );
    for text in ["", ".", "..", "a.b.c", "not a token", &"x".repeat(10_000)] {
        assert_eq!(check(text, &pool_jwks(), &EXPECTED), Err(TokenError::Refused));
    }
}
