//! Code for id_token, at the token endpoint.
//!
//! The answer is read field by field, not with `openidconnect`'s token response: that type refuses the whole
//! answer when a claim inside the id_token has another form than it expects, and would tell "malformed
//! token" from "no token" only by text. The id_token goes on to [`crate::verify`] as it came.

use crate::http::{HttpAnswer, HttpClient, HttpError, TOKEN_BODY_LIMIT_BYTES};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::time::Instant;
use step_up::reason::Reason;
use step_up::settings::{Credentials, ProviderMetadata};
use url::form_urlencoded;

/// Longest code that is sent on; longer ones are not codes.
pub const MAX_CODE_BYTES: usize = 4096;

/// A code that no provider has issued, for [`probe_client`].
const PROBE_CODE: &str = "stepgate-credential-probe";

/// OAuth client credentials. `Debug` hides the secret.
#[derive(Debug, Clone)]
pub struct ClientCredentials {
    /// OAuth client id.
    pub client_id: String,
    /// OAuth client secret.
    pub client_secret: SecretString,
}

impl From<Credentials> for ClientCredentials {
    fn from(credentials: Credentials) -> Self {
        Self {
            client_id: credentials.client_id,
            client_secret: credentials.client_secret.into(),
        }
    }
}

/// What the token endpoint gave. `Debug` hides the token.
#[derive(Debug, Clone)]
pub struct TokenSet {
    /// The id_token, not yet verified.
    pub id_token: SecretString,
}

/// Why a code was not exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// The code is empty, too long, or has characters that codes do not have. Nothing was sent.
    #[error("the code is not one that could be sent")]
    CodeUnsendable,
    /// `invalid_grant`: unknown, used, expired, or for another redirect URI or PKCE verifier.
    #[error("the provider refused the code (invalid_grant)")]
    CodeRejected,
    /// `invalid_client` or `unauthorized_client`, or status 401.
    #[error("the provider refused the client credentials (invalid_client)")]
    ClientRejected,
    /// Another OAuth error; the request is not one this provider takes.
    #[error(
        "the provider refused the request with an OAuth error other than invalid_grant and invalid_client"
    )]
    RequestRejected,
    /// A successful answer without an id_token.
    #[error("the provider's answer holds no id_token")]
    NoIdToken,
    /// No usable answer.
    #[error(transparent)]
    Http(#[from] HttpError),
}

impl ExchangeError {
    /// The reason code of a step-up that failed by this.
    pub const fn reason(self) -> Reason {
        match self {
            Self::CodeUnsendable => Reason::MalformedAnswer,
            Self::CodeRejected => Reason::CodeRejected,
            Self::ClientRejected => Reason::ClientRejected,
            Self::RequestRejected | Self::NoIdToken => Reason::ProviderMalformed,
            Self::Http(error) => error.reason(),
        }
    }
}

/// Exchanges `code`. A code works once, so the caller counts the attempt before it calls.
pub async fn exchange_code(
    client: &HttpClient,
    provider: &ProviderMetadata,
    credentials: &ClientCredentials,
    code: &str,
    pkce_verifier: Option<&str>,
    deadline: Instant,
) -> Result<TokenSet, ExchangeError> {
    let sendable = (1..=MAX_CODE_BYTES).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_graphic());
    if !sendable {
        return Err(ExchangeError::CodeUnsendable);
    }
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", &provider.redirect_uri),
    ];
    if let Some(verifier) = pkce_verifier {
        form.push(("code_verifier", verifier));
    }
    let answer = client
        .post_form(
            &provider.token_endpoint,
            basic(credentials)?,
            &form,
            TOKEN_BODY_LIMIT_BYTES,
            deadline,
        )
        .await?;
    read_answer(&answer)
}

/// What a probe of the client credentials found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// The provider got past the client and refused the bogus code.
    Accepted,
    /// The provider refused the client.
    Rejected,
    /// The answer tells nothing about the client.
    Inconclusive(ExchangeError),
}

/// Tells whether client credentials are right, by a token call with a code that cannot exist.
pub async fn probe_client(
    client: &HttpClient,
    provider: &ProviderMetadata,
    credentials: &ClientCredentials,
    deadline: Instant,
) -> Probe {
    // RFC 7636's shortest verifier, for providers that want one before they look at the code.
    let verifier = "0".repeat(43);
    let pkce_verifier = provider.pkce_s256.then_some(verifier.as_str());
    match exchange_code(client, provider, credentials, PROBE_CODE, pkce_verifier, deadline).await {
        Err(ExchangeError::CodeRejected) => Probe::Accepted,
        Err(ExchangeError::ClientRejected) => Probe::Rejected,
        Err(other) => Probe::Inconclusive(other),
        // A token for a code that nobody issued: nothing this endpoint says can be believed.
        Ok(_) => Probe::Inconclusive(ExchangeError::RequestRejected),
    }
}

/// HTTP Basic as RFC 6749, section 2.3.1, has it: both parts form-encoded first.
fn basic(credentials: &ClientCredentials) -> Result<HeaderValue, ExchangeError> {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!(
        "{}:{}",
        encode(&credentials.client_id),
        encode(credentials.client_secret.expose_secret())
    );
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)))
        .map_err(|_| ExchangeError::ClientRejected)?;
    value.set_sensitive(true);
    Ok(value)
}

fn read_answer(answer: &HttpAnswer) -> Result<TokenSet, ExchangeError> {
    if answer.status == 200 {
        let body = answer.json()?;
        if let Some(error) = body.get("error").and_then(Value::as_str) {
            return Err(oauth_error(error));
        }
        return match body.get("id_token").and_then(Value::as_str) {
            Some(id_token) if !id_token.is_empty() => Ok(TokenSet {
                id_token: id_token.into(),
            }),
            _ => Err(ExchangeError::NoIdToken),
        };
    }
    // 5xx and 429 are an outage whatever the body says; 401 is about the client even without a body.
    if answer.status < 500 && answer.status != 429 {
        if let Ok(body) = answer.json()
            && let Some(error) = body.get("error").and_then(Value::as_str)
        {
            return Err(oauth_error(error));
        }
        if answer.status == 401 {
            return Err(ExchangeError::ClientRejected);
        }
    }
    Err(HttpError::Status(answer.status).into())
}

fn oauth_error(code: &str) -> ExchangeError {
    match code {
        "invalid_grant" => ExchangeError::CodeRejected,
        "invalid_client" | "unauthorized_client" => ExchangeError::ClientRejected,
        _ => ExchangeError::RequestRejected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, content_type: &str, body: &str) -> HttpAnswer {
        HttpAnswer {
            status,
            content_type: Some(content_type.into()),
            body: body.into(),
        }
    }

    #[test]
    fn answers_are_told_apart() {
        let json = "application/json";
        for (given, expected) in [
            (answer(200, json, r#"{"id_token":"a.b.c"}"#), Ok(())),
            (
                answer(200, json, r#"{"access_token":"x"}"#),
                Err(ExchangeError::NoIdToken),
            ),
            (
                answer(200, json, r#"{"id_token":""}"#),
                Err(ExchangeError::NoIdToken),
            ),
            (
                answer(200, json, r#"{"id_token":7}"#),
                Err(ExchangeError::NoIdToken),
            ),
            (
                answer(200, json, r#"{"error":"invalid_grant"}"#),
                Err(ExchangeError::CodeRejected),
            ),
            (answer(200, json, "[]"), Err(HttpError::NotJson.into())),
            (
                answer(200, "text/html", r#"{"id_token":"a.b.c"}"#),
                Err(HttpError::NotJson.into()),
            ),
            (
                answer(400, json, r#"{"error":"invalid_grant"}"#),
                Err(ExchangeError::CodeRejected),
            ),
            (
                answer(400, json, r#"{"error":"invalid_client"}"#),
                Err(ExchangeError::ClientRejected),
            ),
            (
                answer(400, json, r#"{"error":"invalid_request"}"#),
                Err(ExchangeError::RequestRejected),
            ),
            (
                answer(400, json, r#"{"error":{}}"#),
                Err(HttpError::Status(400).into()),
            ),
            (
                answer(401, "text/plain", "no"),
                Err(ExchangeError::ClientRejected),
            ),
            (
                answer(401, json, r#"{"error":"invalid_grant"}"#),
                Err(ExchangeError::CodeRejected),
            ),
            (
                answer(503, json, r#"{"error":"invalid_grant"}"#),
                Err(HttpError::Status(503).into()),
            ),
        ] {
            assert_eq!(read_answer(&given).map(|_| ()), expected, "{given:?}");
        }
    }

    #[test]
    fn basic_credentials_are_form_encoded_and_hidden() {
        let credentials = ClientCredentials {
            client_id: "cli ent".into(),
            client_secret: "s:e+c/r=é".to_owned().into(),
        };
        let header = basic(&credentials).unwrap();
        let encoded = header.to_str().unwrap().strip_prefix("Basic ").unwrap();
        let pair = String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap();
        assert_eq!(pair, "cli+ent:s%3Ae%2Bc%2Fr%3D%C3%A9");
        assert_eq!(format!("{header:?}"), "Sensitive");
        assert!(!format!("{credentials:?}").contains("s:e"));
    }
}
