//! The Cognito calls of a sign-in, as a client SDK makes them: plain JSON over HTTP, no credentials.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use ureq::Agent;

use crate::http;

/// A client of one app.
pub(super) struct CognitoClient {
    agent: Agent,
    endpoint_url: String,
    client_id: String,
}

/// What Cognito answers to a step of a sign-in.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Answer {
    #[serde(default)]
    pub(super) challenge_name: Option<String>,
    #[serde(default)]
    pub(super) session: Option<String>,
    #[serde(default)]
    pub(super) challenge_parameters: HashMap<String, String>,
    #[serde(default)]
    pub(super) authentication_result: Option<Tokens>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tokens {
    pub(super) id_token: String,
    pub(super) access_token: String,
    #[serde(default)]
    pub(super) refresh_token: Option<String>,
    #[serde(default)]
    pub(super) expires_in: u64,
}

impl CognitoClient {
    pub(super) fn new(endpoint_url: &str, client_id: &str) -> Self {
        let agent = http::agent(Duration::from_secs(20));
        Self {
            agent,
            endpoint_url: endpoint_url.to_owned(),
            client_id: client_id.to_owned(),
        }
    }

    /// Starts a sign-in in which the client's half of SRP comes along.
    pub(super) fn initiate(&self, srp: &HashMap<String, String>) -> anyhow::Result<Answer> {
        let mut parameters = srp.clone();
        parameters.insert("CHALLENGE_NAME".to_owned(), "SRP_A".to_owned());
        let body =
            json!({"AuthFlow": "CUSTOM_AUTH", "ClientId": self.client_id, "AuthParameters": parameters});
        self.call("InitiateAuth", &body)
    }

    /// Answers the challenge that `answer` put.
    pub(super) fn respond(
        &self,
        answer: &Answer,
        responses: &HashMap<String, String>,
    ) -> anyhow::Result<Answer> {
        let body = json!({
            "ClientId": self.client_id,
            "ChallengeName": answer.challenge_name,
            "Session": answer.session,
            "ChallengeResponses": responses,
        });
        self.call("RespondToAuthChallenge", &body)
    }

    fn call(&self, operation: &str, body: &Value) -> anyhow::Result<Answer> {
        let mut answer = self
            .agent
            .post(&self.endpoint_url)
            .header("content-type", "application/x-amz-json-1.1")
            .header(
                "x-amz-target",
                format!("AWSCognitoIdentityProviderService.{operation}"),
            )
            .send(body.to_string())
            .with_context(|| format!("{operation} got no answer"))?;
        let status = answer.status();
        let text = answer.body_mut().read_to_string()?;
        if !status.is_success() {
            bail!("Cognito refused {operation} ({status}): {text}");
        }
        serde_json::from_str(&text)
            .with_context(|| format!("Cognito answered {operation} with something unexpected"))
    }
}
