//! The authorize URL, the list of methods, the answers.

use percent_encoding::percent_decode_str;
use proptest::prelude::*;
use serde_json::{Value, json};
use step_up::challenge::{
    ANSWER_MAX_BYTES, Answer, AuthorizeRequest, ProofAnswer, acr_list, authorize_url, pkce_challenge_s256,
};
use step_up::reason::Reason;

fn strings(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

fn request<'a>(username: &'a str, methods: &'a [String]) -> AuthorizeRequest<'a> {
    AuthorizeRequest {
        authorization_endpoint: "https://acme.1kosmos.net/oauth2/community/default/v1/authorize",
        client_id: "client-1",
        redirect_uri: "https://acme.1kosmos.net/admin/default/post_stepup",
        username,
        methods,
        state: "st",
        nonce: Some("no"),
        pkce_verifier: Some("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        min_ial: None,
    }
}

/// Name and decoded value of every parameter, in order.
fn parameters(url: &str) -> Vec<(String, String)> {
    let (_, query) = url.split_once('?').expect("a query");
    query
        .split('&')
        .map(|pair| {
            let (name, value) = pair.split_once('=').expect("a value");
            (
                name.to_owned(),
                percent_decode_str(value)
                    .decode_utf8()
                    .expect("UTF-8")
                    .into_owned(),
            )
        })
        .collect()
}

fn parameter(url: &str, wanted: &str) -> Option<String> {
    parameters(url)
        .into_iter()
        .find(|(name, _)| name == wanted)
        .map(|(_, value)| value)
}

#[test]
fn the_authorize_url_is_exactly_this() {
    let methods = strings(&["liveID push", "otp sms"]);
    assert_eq!(
        authorize_url(&request("ann", &methods)),
        "https://acme.1kosmos.net/oauth2/community/default/v1/authorize?response_type=code&client_id=client-1\
         &redirect_uri=https%3A%2F%2Facme.1kosmos.net%2Fadmin%2Fdefault%2Fpost_stepup\
         &scope=openid%20email%20profile&state=st&nonce=no\
         &claims=%7B%22id_token%22%3A%7B%22username%22%3A%22ann%22%2C%22acr%22%3A%7B%22essential%22%3Atrue%2C\
         %22values%22%3A%5B%22liveID%20push%22%2C%22otp%20sms%22%5D%7D%7D%7D\
         &prompt=login&max_age=0\
         &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
    );
}

#[test]
fn pkce_is_rfc_7636_appendix_b() {
    let challenge = pkce_challenge_s256("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}

#[test]
fn what_is_not_asked_for_is_left_out() {
    let methods = strings(&["otp"]);
    let url = authorize_url(&AuthorizeRequest {
        nonce: None,
        pkce_verifier: None,
        ..request("ann", &methods)
    });
    let names: Vec<String> = parameters(&url).into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [
            "response_type",
            "client_id",
            "redirect_uri",
            "scope",
            "state",
            "claims",
            "prompt",
            "max_age"
        ]
    );
}

#[test]
fn proofing_asks_in_the_form_documented_for_it() {
    let proofing = strings(&["/assurance/ial/2/"]);
    let url = authorize_url(&AuthorizeRequest {
        min_ial: Some(2),
        ..request("ann", &proofing)
    });
    assert_eq!(
        parameter(&url, "scope").unwrap(),
        "openid email profile /assurance/ial/2"
    );
    assert_eq!(
        parameter(&url, "claims").unwrap(),
        r#"{"id_token":{"username":"ann","acr":{"essential":true,"value":["/assurance/ial/2/"]}}}"#
    );
    let mixed = strings(&["liveID push", "/assurance/ial/2/"]);
    let claims = parameter(&authorize_url(&request("ann", &mixed)), "claims").unwrap();
    assert!(
        claims.contains(r#""values":["liveID push","/assurance/ial/2/"]"#),
        "{claims}"
    );
}

#[test]
fn an_endpoint_keeps_its_query_and_loses_its_fragment() {
    let methods = strings(&["otp"]);
    let url = authorize_url(&AuthorizeRequest {
        authorization_endpoint: "https://acme.example/authorize?realm=a#top",
        ..request("ann", &methods)
    });
    assert!(
        url.starts_with("https://acme.example/authorize?realm=a&response_type=code&"),
        "{url}"
    );
    assert!(!url.contains('#'), "{url}");
}

#[test]
fn the_list_of_methods_is_in_1kosmoss_form() {
    let methods = strings(&["liveID push", "otp sms", "otp email", "otp"]);
    assert_eq!(acr_list(&methods), "'liveID push','otp sms','otp email','otp'");
    assert_eq!(acr_list(&[]), "");
}

proptest! {
    /// Ampersands, quotes, emoji, right-to-left marks: a value stays one value.
    #[test]
    fn no_value_escapes_its_parameter(username in ".*", state in ".*", client in "\\PC*", method in ".*") {
        let methods = vec![method];
        let url = authorize_url(&AuthorizeRequest { state: &state, client_id: &client, ..request(&username, &methods) });
        prop_assert!(url.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:/?&=%".contains(&b)), "{}", url);
        prop_assert_eq!(parameters(&url).len(), 11);
        prop_assert_eq!(parameter(&url, "state").unwrap(), state);
        prop_assert_eq!(parameter(&url, "client_id").unwrap(), client);
        let claims: Value = serde_json::from_str(&parameter(&url, "claims").unwrap()).unwrap();
        prop_assert_eq!(&claims["id_token"]["username"], &json!(username));
        prop_assert_eq!(&claims["id_token"]["acr"]["values"], &json!(methods));
    }

    #[test]
    fn an_answer_survives_both_forms(code in "[ -~]{1,200}", state in "[ -~]{1,100}") {
        let text = json!({ "code": code, "state": state }).to_string();
        let doubled = serde_json::to_string(&text).unwrap();
        for text in [&text, &doubled] {
            let answer = Answer::parse(text).expect("well-formed");
            prop_assert_eq!((&answer.code, &answer.state), (&code, &state));
            prop_assert_eq!(format!("{answer:?}"), "Answer(…)");
        }
    }

    #[test]
    fn what_is_read_is_bounded(text in "[\"{}:,a-z\\\\\u{0}-\u{20}]{0,200}") {
        if let Ok(answer) = Answer::parse(&text) {
            prop_assert!(!answer.code.is_empty() && !answer.state.is_empty());
        }
        let _ = ProofAnswer::parse(&text);
    }
}

#[test]
fn sizes_are_bounded() {
    let answer = |code: usize, state: usize| {
        Answer::parse(&json!({ "code": "c".repeat(code), "state": "s".repeat(state) }).to_string())
    };
    assert!(answer(4096, 512).is_ok());
    assert_eq!(answer(4097, 1), Err(Reason::MalformedAnswer));
    assert_eq!(answer(1, 513), Err(Reason::MalformedAnswer));
    let padded = format!(
        "{}{}",
        json!({ "code": "c", "state": "s" }),
        " ".repeat(ANSWER_MAX_BYTES)
    );
    assert_eq!(Answer::parse(&padded), Err(Reason::MalformedAnswer));
    assert_eq!(
        Answer::parse(&"[".repeat(1024 * 1024)),
        Err(Reason::MalformedAnswer)
    );
}

#[test]
fn a_session_proof_has_a_token_and_an_action_and_nothing_else() {
    let parsed = |value: Value| ProofAnswer::parse(&value.to_string());
    let answer = parsed(json!({ "access_token": "a.b.c", "action": "pay" })).expect("well-formed");
    assert_eq!(
        (answer.access_token.as_str(), answer.action.as_str()),
        ("a.b.c", "pay")
    );
    assert_eq!(format!("{answer:?}"), "ProofAnswer(…)");
    for bad in [
        json!({ "access_token": "a.b.c" }),
        json!({ "access_token": "", "action": "pay" }),
        json!({ "access_token": "a.b.c", "action": "pay me" }),
        json!({ "access_token": "a.b.c", "action": "pay", "code": "c" }),
        json!({ "access_token": "x".repeat(6 * 1024 + 1), "action": "pay" }),
        json!(["a.b.c", "pay"]),
    ] {
        assert_eq!(parsed(bad.clone()), Err(Reason::MalformedAnswer), "{bad}");
    }
}
