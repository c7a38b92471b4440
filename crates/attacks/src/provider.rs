//! The provider simulator: a step-up without a person, and with any fault.

use anyhow::Context as _;
use serde_json::{Value, json};
use url::Url;

/// A simulator.
#[derive(Debug, Clone)]
pub struct Provider {
    http: reqwest::Client,
    base: Url,
}

/// What the provider's page would post to the parent frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// Authorization code.
    pub code: String,
    /// `state`, as it came back.
    pub state: String,
}

impl Posted {
    /// As an answer to the challenge.
    pub fn answer(&self) -> String {
        json!({ "code": self.code, "state": self.state }).to_string()
    }
}

/// A step-up that a test makes in a person's stead.
#[derive(Debug, Clone)]
pub struct StepUp<'a> {
    /// The challenge's authorize URL.
    pub authorize_url: &'a str,
    /// Who makes it; by default the user the URL asks for.
    pub username: Option<&'a str>,
    /// With which method; by default the first that the URL offers.
    pub method: Option<&'a str>,
    /// What goes wrong with its code: `"bad_signature"`, `{"slow_ms": 4000}`, …
    pub faults: Vec<Value>,
    /// Age of the session that they have at the provider already, s.
    pub session_age_s: Option<u32>,
}

impl<'a> StepUp<'a> {
    /// An honest step-up.
    pub fn honest(authorize_url: &'a str) -> Self {
        Self {
            authorize_url,
            username: None,
            method: None,
            faults: Vec::new(),
            session_age_s: None,
        }
    }

    /// By somebody else.
    #[must_use]
    pub fn by(self, username: &'a str) -> Self {
        Self {
            username: Some(username),
            ..self
        }
    }

    /// With another method.
    #[must_use]
    pub fn with(self, method: &'a str) -> Self {
        Self {
            method: Some(method),
            ..self
        }
    }

    /// By somebody who has been signed in at the provider for so long.
    #[must_use]
    pub fn in_session_of(self, age_s: u32) -> Self {
        Self {
            session_age_s: Some(age_s),
            ..self
        }
    }

    /// With a fault.
    #[must_use]
    pub fn fault(mut self, fault: impl Into<Value>) -> Self {
        self.faults.push(fault.into());
        self
    }
}

impl Provider {
    /// The simulator at `base`.
    pub fn new(http: reqwest::Client, base: Url) -> Self {
        Self { http, base }
    }

    /// Completes a step-up and returns what the page would post.
    pub async fn step_up(&self, step_up: &StepUp<'_>) -> anyhow::Result<Posted> {
        let mut body = json!({ "authorize_url": step_up.authorize_url, "outcome": "success" });
        if let Some(username) = step_up.username {
            body["username"] = username.into();
        }
        if let Some(method) = step_up.method {
            body["method"] = method.into();
        }
        if let Some(age_s) = step_up.session_age_s {
            body["session_age_s"] = age_s.into();
        }
        if !step_up.faults.is_empty() {
            body["faults"] = Value::Array(step_up.faults.clone());
        }
        let answer = self
            .http
            .post(self.base.join("/sim/step-ups")?)
            .json(&body)
            .send()
            .await?;
        let status = answer.status();
        let value: Value = answer
            .json()
            .await
            .context("the simulator answered without JSON")?;
        anyhow::ensure!(
            status.is_success(),
            "the simulator refused the step-up: {status} {value}"
        );
        let text = |key: &str| {
            value[key]
                .as_str()
                .map(str::to_owned)
                .with_context(|| format!("no {key}"))
        };
        Ok(Posted {
            code: text("code")?,
            state: text("state")?,
        })
    }

    /// Token calls the simulator has seen.
    pub async fn requests(&self) -> anyhow::Result<Value> {
        Ok(self
            .http
            .get(self.base.join("/sim/requests")?)
            .send()
            .await?
            .json()
            .await?)
    }
}
