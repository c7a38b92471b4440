//! The app's side of Cognito: what an SDK in a browser or a phone sends, and what an attacker sends instead.
//!
//! Plain HTTP and JSON without credentials, as the user pool API takes them from the public internet.

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use cognito_srp::SrpClient;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use url::Url;

/// A client of one region's user pool API.
#[derive(Debug, Clone)]
pub struct Cognito {
    http: reqwest::Client,
    endpoint: Url,
    account_hint: Option<String>,
}

/// What Cognito answered to a step of a sign-in.
#[derive(Debug, Clone)]
pub enum Step {
    /// Another challenge.
    Challenge(Challenge),
    /// Tokens: the sign-in is complete.
    Tokens(Box<Tokens>),
    /// No.
    Refused(Refused),
}

/// A challenge of a sign-in.
#[derive(Debug, Clone)]
pub struct Challenge {
    /// `PASSWORD_VERIFIER`, `CUSTOM_CHALLENGE`, `NEW_PASSWORD_REQUIRED`, …
    pub name: String,
    /// Session to be handed back with the answer.
    pub session: Option<String>,
    /// Parameters for the client.
    pub parameters: HashMap<String, String>,
}

/// The tokens of a session.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// ID token (JWT).
    pub id_token: String,
    /// Access token (JWT).
    pub access_token: String,
    /// Refresh token; absent when tokens were refreshed.
    pub refresh_token: Option<String>,
}

/// An error of the user pool API.
#[derive(Debug, Clone)]
pub struct Refused {
    /// HTTP status.
    pub status: u16,
    /// Error type without namespace, for example `NotAuthorizedException`.
    pub kind: String,
    /// Text for people.
    pub message: String,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

impl Step {
    /// What was got, for reports.
    pub fn label(&self) -> String {
        match self {
            Self::Challenge(challenge) => format!("challenge {}", challenge.name),
            Self::Tokens(_) => "tokens".to_owned(),
            Self::Refused(refused) => refused.to_string(),
        }
    }

    /// The challenge, or an error that says what came instead.
    pub fn challenge(self) -> anyhow::Result<Challenge> {
        match self {
            Self::Challenge(challenge) => Ok(challenge),
            other => anyhow::bail!("expected a challenge, got {}", other.label()),
        }
    }

    /// The tokens, or an error that says what came instead.
    pub fn tokens(self) -> anyhow::Result<Tokens> {
        match self {
            Self::Tokens(tokens) => Ok(*tokens),
            other => anyhow::bail!("expected tokens, got {}", other.label()),
        }
    }

    /// The refusal, if it is one.
    pub fn refused(&self) -> Option<&Refused> {
        if let Self::Refused(refused) = self {
            Some(refused)
        } else {
            None
        }
    }
}

impl Tokens {
    /// Claims of the ID token. The signature is not looked at: these are our own sign-ins.
    pub fn id_claims(&self) -> anyhow::Result<Value> {
        claims(&self.id_token)
    }

    /// Claims of the access token.
    pub fn access_claims(&self) -> anyhow::Result<Value> {
        claims(&self.access_token)
    }
}

/// The claims of a JWT, unverified.
pub fn claims(jwt: &str) -> anyhow::Result<Value> {
    let payload = jwt.split('.').nth(1).context("not a JWT")?;
    Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload)?)?)
}

/// Where and as whom to sign in.
#[derive(Debug, Clone)]
pub struct SignIn<'a> {
    /// Pool id, `region_name`.
    pub pool_id: &'a str,
    /// App client id.
    pub client_id: &'a str,
    /// User name as typed.
    pub username: &'a str,
    /// Password as typed.
    pub password: &'a str,
}

impl Cognito {
    /// A client of `endpoint`. Public calls carry no credentials; an emulator that keeps several accounts
    /// apart by the access key needs to be told which one, hence `account_hint`.
    pub fn new(http: reqwest::Client, endpoint: Url, account_hint: Option<String>) -> Self {
        Self {
            http,
            endpoint,
            account_hint,
        }
    }

    /// One call, as it is: for what no SDK would send.
    pub async fn call(&self, operation: &str, body: &Value) -> anyhow::Result<Result<Value, Refused>> {
        let mut request = self
            .http
            .post(self.endpoint.clone())
            .header("content-type", "application/x-amz-json-1.1")
            .header(
                "x-amz-target",
                format!("AWSCognitoIdentityProviderService.{operation}"),
            )
            .body(serde_json::to_vec(body)?);
        if let Some(key) = &self.account_hint {
            let hint = format!(
                "AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/cognito-idp/aws4_request, SignedHeaders=host, Signature=0"
            );
            request = request.header("authorization", hint);
        }
        let answer = request
            .send()
            .await
            .with_context(|| format!("{operation} got no answer"))?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        let value: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        if status == 200 {
            return Ok(Ok(value));
        }
        Ok(Err(Refused {
            status,
            kind: error_kind(&value).unwrap_or_else(|| format!("HTTP {status}")),
            message: text_of(&value, "message")
                .or_else(|| text_of(&value, "Message"))
                .unwrap_or_default(),
        }))
    }

    /// `InitiateAuth`.
    pub async fn initiate(&self, client_id: &str, flow: &str, parameters: Value) -> anyhow::Result<Step> {
        let body = json!({ "ClientId": client_id, "AuthFlow": flow, "AuthParameters": parameters });
        Ok(step(self.call("InitiateAuth", &body).await?))
    }

    /// `RespondToAuthChallenge`.
    pub async fn respond(
        &self,
        client_id: &str,
        challenge: &str,
        session: Option<&str>,
        responses: Value,
        metadata: Option<Value>,
    ) -> anyhow::Result<Step> {
        let mut body = json!({
            "ClientId": client_id, "ChallengeName": challenge, "ChallengeResponses": responses
        });
        if let Some(object) = body.as_object_mut() {
            if let Some(session) = session {
                object.insert("Session".to_owned(), session.into());
            }
            if let Some(metadata) = metadata {
                object.insert("ClientMetadata".to_owned(), metadata);
            }
        }
        Ok(step(self.call("RespondToAuthChallenge", &body).await?))
    }

    /// Proves the password by SRP under `flow` (`CUSTOM_AUTH` or `USER_SRP_AUTH`) and returns what follows.
    pub async fn password(&self, flow: &str, who: &SignIn<'_>) -> anyhow::Result<Step> {
        Ok(self.password_told(flow, who).await?.0)
    }

    /// The same, and the values of SRP that went over the wire: `SRP_A` and the signature that proves the password.
    pub async fn password_told(
        &self,
        flow: &str,
        who: &SignIn<'_>,
    ) -> anyhow::Result<(Step, Vec<(&'static str, String)>)> {
        let srp = SrpClient::new(who.username, who.password, who.pool_id, who.client_id, None);
        let mut parameters: Map<String, Value> = srp
            .get_auth_params()
            .map_err(|error| anyhow::anyhow!("SRP: {error}"))?
            .into_iter()
            .map(|(key, value)| (key, Value::String(value)))
            .collect();
        if flow == "CUSTOM_AUTH" {
            parameters.insert("CHALLENGE_NAME".to_owned(), "SRP_A".into());
        }
        let mut sent: Vec<(&'static str, String)> = parameters
            .get("SRP_A")
            .and_then(Value::as_str)
            .map(|value| ("SRP_A", value.to_owned()))
            .into_iter()
            .collect();
        let challenge = match self
            .initiate(who.client_id, flow, Value::Object(parameters))
            .await?
        {
            Step::Challenge(challenge) if challenge.name == "PASSWORD_VERIFIER" => challenge,
            other => return Ok((other, sent)),
        };
        let session = challenge.session.clone();
        let responses = srp
            .process_challenge(challenge.parameters)
            .map_err(|error| anyhow::anyhow!("SRP: {error}"))?;
        let proof = responses.get("PASSWORD_CLAIM_SIGNATURE").cloned();
        sent.extend(proof.map(|value| ("SRP proof", value)));
        let step = self
            .respond(
                who.client_id,
                "PASSWORD_VERIFIER",
                session.as_deref(),
                json!(responses),
                None,
            )
            .await?;
        Ok((step, sent))
    }

    /// Answers a custom challenge.
    pub async fn answer(
        &self,
        who: &SignIn<'_>,
        session: Option<&str>,
        answer: &str,
        metadata: Option<Value>,
    ) -> anyhow::Result<Step> {
        let responses = json!({ "USERNAME": who.username, "ANSWER": answer });
        self.respond(who.client_id, "CUSTOM_CHALLENGE", session, responses, metadata)
            .await
    }

    /// `InitiateAuth REFRESH_TOKEN_AUTH`.
    pub async fn refresh(&self, client_id: &str, refresh_token: &str) -> anyhow::Result<Step> {
        self.initiate(
            client_id,
            "REFRESH_TOKEN_AUTH",
            json!({ "REFRESH_TOKEN": refresh_token }),
        )
        .await
    }

    /// `GetTokensFromRefreshToken`, which newer SDKs use.
    pub async fn tokens_from_refresh_token(
        &self,
        client_id: &str,
        refresh_token: &str,
    ) -> anyhow::Result<Step> {
        let body = json!({ "ClientId": client_id, "RefreshToken": refresh_token });
        Ok(step(self.call("GetTokensFromRefreshToken", &body).await?))
    }
}

fn step(answer: Result<Value, Refused>) -> Step {
    let value = match answer {
        Ok(value) => value,
        Err(refused) => return Step::Refused(refused),
    };
    let result = &value["AuthenticationResult"];
    if result["IdToken"].is_string() || result["AccessToken"].is_string() {
        return Step::Tokens(Box::new(Tokens {
            id_token: text_of(result, "IdToken").unwrap_or_default(),
            access_token: text_of(result, "AccessToken").unwrap_or_default(),
            refresh_token: text_of(result, "RefreshToken"),
        }));
    }
    let parameters = value["ChallengeParameters"]
        .as_object()
        .map(|object| {
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            object
                .iter()
                .map(|(key, value)| (key.clone(), text(value)))
                .collect()
        })
        .unwrap_or_default();
    Step::Challenge(Challenge {
        name: text_of(&value, "ChallengeName").unwrap_or_default(),
        session: text_of(&value, "Session"),
        parameters,
    })
}

fn text_of(value: &Value, key: &str) -> Option<String> {
    value[key].as_str().map(str::to_owned)
}

/// The error type of an AWS JSON answer, without namespace and documentation address.
pub fn error_kind(value: &Value) -> Option<String> {
    let kind = text_of(value, "__type").or_else(|| text_of(value, "code"))?;
    let kind = kind.rsplit('#').next().unwrap_or_default();
    Some(kind.split(':').next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        let tokens = step(Ok(
            json!({ "AuthenticationResult": { "IdToken": "a", "AccessToken": "b" } }),
        ));
        assert!(matches!(tokens, Step::Tokens(_)));
        let challenge = step(Ok(json!({
            "ChallengeName": "CUSTOM_CHALLENGE", "Session": "s", "ChallengeParameters": { "state": "x" }
        })));
        let challenge = challenge.challenge().expect("challenge");
        assert_eq!(challenge.parameters["state"], "x");
        let kind = error_kind(&json!({ "__type": "com.amazonaws#NotAuthorizedException:http://x" }));
        assert_eq!(kind.as_deref(), Some("NotAuthorizedException"));
    }

    #[test]
    fn claims_are_read_without_looking_at_the_signature() {
        let payload = URL_SAFE_NO_PAD.encode(br#"{"sub":"u"}"#);
        assert_eq!(claims(&format!("h.{payload}.s")).expect("claims")["sub"], "u");
        assert!(claims("nothing").is_err());
    }
}
