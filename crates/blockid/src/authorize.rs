//! The authorize URL: what the browser opens in the frame.
//!
//! Every value is percent-encoded, so a user name with `&`, `#`, quotes or right-to-left marks stays one
//! value. Spaces become `%20`, which form decoders and URL decoders read alike (`+` is read by the first only).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use sha2::{Digest, Sha256};
use step_up::settings::ProviderMetadata;
use url::Url;

/// ACR value that asks for identity proofing at IAL2.
pub const IAL2_ACR: &str = "/assurance/ial/2/";

/// What is asked of the provider.
#[derive(Debug, Clone, Copy)]
pub struct AuthorizeRequest<'a> {
    /// OAuth client id.
    pub client_id: &'a str,
    /// Name under which BlockID knows the user.
    pub username: &'a str,
    /// ACR values offered, in order.
    pub methods: &'a [String],
    /// OAuth `state`.
    pub state: &'a str,
    /// OIDC `nonce`.
    pub nonce: &'a str,
    /// `code_challenge` for S256; only for a provider that offers it.
    pub pkce_challenge: Option<&'a str>,
}

/// The provider's authorization endpoint is not a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the authorization endpoint is not a URL")]
pub struct AuthorizeUrlError;

/// Builds the URL, with `prompt=login` and `max_age=0` so that an old provider session is not enough.
pub fn authorize_url(
    provider: &ProviderMetadata,
    request: &AuthorizeRequest<'_>,
) -> Result<String, AuthorizeUrlError> {
    let mut url = Url::parse(&provider.authorization_endpoint).map_err(|_| AuthorizeUrlError)?;
    // 1Kosmos documents `value` for proofing and `values` for methods.
    let acr_key = if request.methods.iter().all(|method| method == IAL2_ACR) {
        "value"
    } else {
        "values"
    };
    let claims = json!({ "id_token": {
        "username": request.username,
        "acr": { "essential": true, acr_key: request.methods },
        "auth_time": { "essential": true },
    }});
    {
        let mut query = url.query_pairs_mut();
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", request.client_id)
            .append_pair("redirect_uri", &provider.redirect_uri)
            .append_pair("scope", "openid email profile")
            .append_pair("state", request.state)
            .append_pair("nonce", request.nonce)
            .append_pair("prompt", "login")
            .append_pair("max_age", "0")
            .append_pair("claims", &claims.to_string());
        if let Some(challenge) = request.pkce_challenge {
            query
                .append_pair("code_challenge", challenge)
                .append_pair("code_challenge_method", "S256");
        }
    }
    // A literal plus is `%2B` by now, so every `+` left stands for a space.
    let query = url.query().unwrap_or_default().replace('+', "%20");
    url.set_query(Some(&query));
    Ok(url.into())
}

/// `code_challenge` of a PKCE verifier (RFC 7636, S256).
pub fn pkce_challenge_s256(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn provider() -> ProviderMetadata {
        ProviderMetadata {
            issuer: "https://t.example.com".into(),
            authorization_endpoint: "https://t.example.com/oauth2/community/c/v1/authorize?tenant=1".into(),
            token_endpoint: "https://t.example.com/token".into(),
            jwks_uri: "https://t.example.com/jwks".into(),
            redirect_uri: "https://t.example.com/admin/c/post_stepup".into(),
            id_token_signing_algorithms: vec!["RS256".into()],
            pkce_s256: true,
            jwks: json!({"keys": []}),
            fetched_at_unix_s: 0,
        }
    }

    #[test]
    fn hostile_user_names_stay_one_value() {
        let methods = vec!["liveID push".to_owned(), "otp sms".to_owned()];
        for username in [
            "a&state=evil",
            "a#fragment",
            "quote\"}},\"acr\":null",
            "sm\u{f6}rg\u{e5}s 😀",
            "\u{202e}evil",
            "a+b c%20d",
            "'",
            "\\",
            "\n",
        ] {
            let request = AuthorizeRequest {
                client_id: "client",
                username,
                methods: &methods,
                state: "st+ate",
                nonce: "nonce",
                pkce_challenge: Some("challenge"),
            };
            let text = authorize_url(&provider(), &request).unwrap();
            assert!(text.is_ascii() && !text.contains('#') && !text.contains('+') && !text.contains(' '));
            let url = Url::parse(&text).unwrap();
            let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
            let query: BTreeMap<_, _> = pairs.iter().cloned().collect();
            assert_eq!(pairs.len(), query.len(), "a parameter is doubled: {text}");
            assert_eq!(query["tenant"], "1");
            assert_eq!(query["state"], "st+ate");
            assert_eq!(query["max_age"], "0");
            let claims: serde_json::Value = serde_json::from_str(&query["claims"]).unwrap();
            assert_eq!(claims["id_token"]["username"], *username);
            assert_eq!(claims["id_token"]["acr"]["values"], json!(methods));
        }
    }

    #[test]
    fn proofing_is_asked_as_documented() {
        let methods = vec![IAL2_ACR.to_owned()];
        let request = AuthorizeRequest {
            client_id: "client",
            username: "u",
            methods: &methods,
            state: "s",
            nonce: "n",
            pkce_challenge: None,
        };
        let url = Url::parse(&authorize_url(&provider(), &request).unwrap()).unwrap();
        let query: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
        let claims: serde_json::Value = serde_json::from_str(&query["claims"]).unwrap();
        assert_eq!(
            claims["id_token"]["acr"],
            json!({"essential": true, "value": [IAL2_ACR]})
        );
        assert!(!query.contains_key("code_challenge"));
    }

    #[test]
    fn pkce_challenge_matches_the_rfc() {
        // RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(
            pkce_challenge_s256(verifier),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }
}
