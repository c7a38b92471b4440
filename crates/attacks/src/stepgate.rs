//! The control plane's API, as a partner calls it.

use anyhow::Context as _;
use serde_json::{Value, json};
use std::time::Duration;
use url::Url;

/// Polls of an operation before giving up, and the pause between two.
const POLLS: u32 = 600;
const POLL_PAUSE: Duration = Duration::from_millis(200);

/// A caller of the API.
#[derive(Clone)]
pub struct Stepgate {
    http: reqwest::Client,
    base: Url,
    key: String,
}

impl std::fmt::Debug for Stepgate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stepgate")
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

/// An answer as it came.
#[derive(Debug, Clone)]
pub struct ApiAnswer {
    /// HTTP status.
    pub status: u16,
    /// `ETag`, when there is one.
    pub etag: Option<String>,
    /// Body; `null` when it is not JSON.
    pub body: Value,
}

impl ApiAnswer {
    /// The body of a success, or an error with what was said instead.
    pub fn ok(self, what: &str) -> anyhow::Result<Value> {
        anyhow::ensure!(
            (200..300).contains(&self.status),
            "{what}: {} {}",
            self.status,
            self.body
        );
        Ok(self.body)
    }
}

impl Stepgate {
    /// The API at `base`, with an API key.
    pub fn new(http: reqwest::Client, base: Url, key: String) -> Self {
        Self { http, base, key }
    }

    /// The same API with another credential.
    #[must_use]
    pub fn with_key(&self, key: String) -> Self {
        Self { key, ..self.clone() }
    }

    /// `POST` under an `Idempotency-Key`; the answer as it came.
    pub async fn post_once(&self, path: &str, key: &str, body: &Value) -> anyhow::Result<ApiAnswer> {
        let request = self.http.post(self.base.join(path)?).bearer_auth(&self.key);
        Self::answer(path, request.header("idempotency-key", key).json(body)).await
    }

    /// One call.
    pub async fn call(
        &self,
        method: reqwest::Method,
        path: &str,
        if_match: Option<&str>,
        body: Option<&Value>,
    ) -> anyhow::Result<ApiAnswer> {
        let mut request = self
            .http
            .request(method, self.base.join(path)?)
            .bearer_auth(&self.key);
        if let Some(etag) = if_match {
            request = request.header("if-match", etag);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        Self::answer(path, request).await
    }

    /// A change of what was just read: under `If-Match`, where that has an `ETag`.
    pub async fn change(
        &self,
        method: reqwest::Method,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<ApiAnswer> {
        let read = self.call(reqwest::Method::GET, path, None, None).await?;
        self.call(method, path, read.etag.as_deref(), Some(body)).await
    }

    async fn answer(path: &str, request: reqwest::RequestBuilder) -> anyhow::Result<ApiAnswer> {
        let answer = request
            .send()
            .await
            .with_context(|| format!("{path} got no answer"))?;
        let status = answer.status().as_u16();
        let etag = answer
            .headers()
            .get("etag")
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let body = serde_json::from_slice(&answer.bytes().await?).unwrap_or(Value::Null);
        Ok(ApiAnswer { status, etag, body })
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.call(reqwest::Method::GET, path, None, None).await?.ok(path)
    }

    /// `POST`.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.call(reqwest::Method::POST, path, None, Some(body))
            .await?
            .ok(path)
    }

    /// Waits until an operation has ended well.
    pub async fn wait(&self, operation: &Value) -> anyhow::Result<()> {
        let id = operation["id"].as_str().context("an operation without id")?;
        for _ in 0..POLLS {
            let now = self.get(&format!("/v1/operations/{id}")).await?;
            match now["state"].as_str() {
                Some("succeeded") => return Ok(()),
                Some("failed" | "cancelled") => anyhow::bail!("operation {id} ended with {now}"),
                _ => tokio::time::sleep(POLL_PAUSE).await,
            }
        }
        anyhow::bail!("operation {id} did not end")
    }

    /// Makes an app and waits until it can be signed in to; returns the app with its `client_id`.
    pub async fn make_app(&self, tenant_id: &str, app: &Value) -> anyhow::Result<Value> {
        let made = self.post(&format!("/v1/tenants/{tenant_id}/apps"), app).await?;
        self.wait(&made["operation"]).await?;
        let id = made["app"]["id"].as_str().context("an app without id")?;
        self.get(&format!("/v1/tenants/{tenant_id}/apps/{id}")).await
    }

    /// Tries to put a policy in force; the answer as it came.
    pub async fn try_policy(
        &self,
        tenant_id: &str,
        app_id: &str,
        document: &Value,
    ) -> anyhow::Result<ApiAnswer> {
        let path = format!("/v1/tenants/{tenant_id}/apps/{app_id}/policy");
        let current = self.call(reqwest::Method::GET, &path, None, None).await?;
        let etag = current.etag.clone().context("a policy without ETag")?;
        current.ok(&path)?;
        self.call(reqwest::Method::PUT, &path, Some(&etag), Some(document))
            .await
    }

    /// Puts a policy in force and waits until it is.
    pub async fn put_policy(&self, tenant_id: &str, app_id: &str, document: &Value) -> anyhow::Result<Value> {
        let answer = self
            .try_policy(tenant_id, app_id, document)
            .await?
            .ok("PUT policy")?;
        self.wait(&answer["operation"]).await?;
        Ok(answer)
    }
}

/// A policy whose default asks for any of the shipped methods.
pub fn any_method_policy() -> Value {
    json!({ "schema_version": 1, "rules": [], "default": {
        "step_up": "required", "methods": ["liveID push", "otp sms", "otp email", "otp"], "attempts": 2
    }})
}
