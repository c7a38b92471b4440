//! Verification never panics and never passes what the key did not sign.
//!
//! The triggers abort on a panic, and a panic there is a sign-in lost to whoever controls the token's text. So
//! the whole path is run on arbitrary text, on arbitrary JSON in the right places, and on the corpus in
//! `tests/corpus/id_token/`: one token a file, each of which once was, or could be, a problem.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::{Value, json};

const NOW: i64 = 1_800_000_000;
const ISSUER: &str = "https://t.example.com/oauth2/community/c/v1";

/// Key and signature of RFC 7515, appendix A.2 and A.3: real keys whose private halves are public.
fn provider() -> ProviderMetadata {
    let n = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
    ProviderMetadata {
        issuer: ISSUER.into(),
        authorization_endpoint: format!("{ISSUER}/authorize"),
        token_endpoint: format!("{ISSUER}/token"),
        jwks_uri: format!("{ISSUER}/jwks"),
        redirect_uri: "https://t.example.com/admin/c/post_stepup".into(),
        id_token_signing_algorithms: SUPPORTED_ALGORITHMS.map(str::to_owned).to_vec(),
        pkce_s256: true,
        jwks: json!({"keys": [
            {"kty": "RSA", "kid": "rsa", "n": n, "e": "AQAB"},
            {"kty": "EC", "kid": "p256", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
             "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
            {"kty": "EC", "kid": "not-on-curve", "crv": "P-256", "x": "AAAA", "y": "AAAA"},
            {"kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
            {"kty": "OKP", "kid": "short", "crv": "Ed25519", "x": "AA"},
            {"kty": "RSA", "kid": "zero", "n": "AA", "e": "AA"},
        ]}),
        fetched_at_unix_s: NOW,
    }
}

fn expectation(nonce: Option<&str>) -> Expectation<'_> {
    Expectation {
        nonce,
        issued_not_before_unix_s: NOW,
        now_unix_s: NOW,
        leeway_s: 60,
    }
}

fn verify(text: &str) -> Result<Claims, VerifyError> {
    let provider = provider();
    let with = verify_id_token(&provider, "client", text, &expectation(Some("n")));
    let without = verify_id_token(&provider, "client", text, &expectation(None));
    assert!(
        with.is_err() && without.is_err(),
        "nothing here is signed for us: {text}"
    );
    with
}

fn compact(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!(
        "{}.{}.{}",
        part(header),
        part(claims),
        URL_SAFE_NO_PAD.encode(signature)
    )
}

fn good_claims() -> Value {
    json!({"iss": ISSUER, "sub": "s", "aud": "client", "iat": NOW, "exp": NOW + 60, "nonce": "n"})
}

#[test]
fn the_corpus_is_refused() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/id_token");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let _ = verify(String::from_utf8_lossy(&bytes).trim_end());
        count += 1;
    }
    assert!(count >= 12, "only {count} files");
}

#[test]
fn headers_that_change_the_meaning_are_refused() {
    for (header, error) in [
        (
            json!({"alg": "RS256", "kid": "rsa", "crit": ["b64"], "b64": false}),
            VerifyError::Malformed,
        ),
        (
            json!({"alg": "RS256", "kid": "rsa", "cty": "JWT"}),
            VerifyError::Malformed,
        ),
        (
            json!({"alg": "RS256", "kid": "rsa", "typ": "at+jwt"}),
            VerifyError::Malformed,
        ),
        (
            json!({"alg": "RS256", "kid": "rsa", "typ": "logout+jwt"}),
            VerifyError::Malformed,
        ),
        (json!({"alg": "none"}), VerifyError::AlgorithmRefused),
        (json!({"alg": "None"}), VerifyError::AlgorithmRefused),
        (
            json!({"alg": "HS256", "kid": "rsa"}),
            VerifyError::AlgorithmRefused,
        ),
        (
            json!({"alg": "ES512", "kid": "p256"}),
            VerifyError::AlgorithmRefused,
        ),
        (
            json!({"alg": "RSA-OAEP", "enc": "A256GCM"}),
            VerifyError::AlgorithmRefused,
        ),
        (
            json!({"alg": "RS256", "kid": "p256"}),
            VerifyError::SignatureInvalid,
        ),
        (
            json!({"alg": "ES256", "kid": "rsa"}),
            VerifyError::SignatureInvalid,
        ),
        (
            json!({"alg": "ES256", "kid": "not-on-curve"}),
            VerifyError::SignatureInvalid,
        ),
        (
            json!({"alg": "EdDSA", "kid": "short"}),
            VerifyError::SignatureInvalid,
        ),
        (
            json!({"alg": "RS256", "kid": "zero"}),
            VerifyError::SignatureInvalid,
        ),
        (json!({"alg": "RS256", "kid": "gone"}), VerifyError::UnknownKey),
        // A key in the header is nothing we asked for.
        (
            json!({"alg": "ES256", "jwk": provider().jwks["keys"][1]}),
            VerifyError::SignatureInvalid,
        ),
    ] {
        assert_eq!(
            verify(&compact(&header, &good_claims(), &[0; 64])),
            Err(error),
            "{header}"
        );
    }
}

#[test]
fn algorithms_are_pinned_to_discovery() {
    let mut provider = provider();
    provider.id_token_signing_algorithms = vec!["ES256".into(), "none".into(), "HS256".into()];
    for alg in ["RS256", "none", "HS256"] {
        let text = compact(&json!({"alg": alg, "kid": "rsa"}), &good_claims(), &[0; 256]);
        let refused = verify_id_token(&provider, "client", &text, &expectation(None));
        assert_eq!(refused, Err(VerifyError::AlgorithmRefused), "{alg}");
    }
}

#[test]
fn claims_without_which_nothing_can_be_compared_are_required() {
    let header = json!({"alg": "ES256", "kid": "p256"});
    for name in ["iss", "sub", "aud", "iat", "exp"] {
        let mut claims = good_claims();
        claims.as_object_mut().unwrap().remove(name);
        assert_eq!(
            verify(&compact(&header, &claims, &[1; 64])),
            Err(VerifyError::Malformed),
            "{name}"
        );
    }
    let doubled = format!(
        "{}.{}.AAAA",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(r#"{"iss":"a","iss":"b","sub":"s","aud":"c","iat":1,"exp":2}"#)
    );
    assert_eq!(verify(&doubled), Err(VerifyError::Malformed));
    assert_eq!(
        verify(&"a".repeat(MAX_ID_TOKEN_BYTES + 1)),
        Err(VerifyError::Malformed)
    );
}

/// The corpus, damaged, goes nowhere either: no file of it carries a signature that holds.
#[test]
fn fuzz_id_token() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/id_token");
    let target = fuzzing::Target {
        name: "id_token",
        corpus: std::slice::from_ref(&folder),
        found: &folder,
        found_prefix: "",
    };
    fuzzing::run(&target, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        assert!(verify(&text).is_err(), "{text} is believed");
    });
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::sample::select(vec!["client", "n", ISSUER, "1800000000", "-1", "true"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-z]{1,4}", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn arbitrary_text_is_refused_without_panic(text in ".{0,400}") {
        let _ = verify(&text);
    }

    #[test]
    fn arbitrary_parts_are_refused_without_panic(
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..5),
    ) {
        let text: Vec<String> = parts.iter().map(|part| URL_SAFE_NO_PAD.encode(part)).collect();
        let _ = verify(&text.join("."));
    }

    #[test]
    fn arbitrary_claims_under_a_plausible_header_are_refused_without_panic(
        kid in prop::sample::select(vec!["rsa", "p256", "not-on-curve", "ed", "short", "zero", "gone"]),
        alg in prop::sample::select(SUPPORTED_ALGORITHMS.to_vec()),
        name in prop::sample::select(vec![
            "iss", "sub", "aud", "iat", "exp", "nonce", "acr", "amr", "auth_time", "azp", "email",
            "email_verified", "username", "address", "updated_at", "at_hash", "birthdate", "locale",
        ]),
        value in any_json(),
        extra in any_json(),
        signature in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut claims = good_claims();
        claims[name] = value;
        claims["extra"] = extra;
        let _ = verify(&compact(&json!({"alg": alg, "kid": kid}), &claims, &signature));
    }

    #[test]
    fn arbitrary_headers_are_refused_without_panic(header in any_json(), value in any_json()) {
        let _ = verify(&compact(&header, &good_claims(), b"signature"));
        let _ = verify(&compact(&json!({"alg": "RS256", "kid": value}), &good_claims(), b"signature"));
    }

    #[test]
    fn arbitrary_key_sets_are_survived(set in any_json(), member in any_json()) {
        let token = compact(&json!({"alg": "ES256", "kid": "k"}), &good_claims(), &[7; 64]);
        for jwks in [set.clone(), json!({"keys": set}), json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "k", "x": member, "y": "AA"}]})] {
            let provider = ProviderMetadata { jwks: jwks.clone(), ..provider() };
            prop_assert!(verify_id_token(&provider, "client", &token, &expectation(None)).is_err());
            let _ = crate::jwks::clean(&jwks);
        }
    }
}
