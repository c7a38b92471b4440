//! A caller of Stepgate's REST API, who knows nothing but its document.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::Value;
use ureq::Agent;

use crate::context::Context;
use crate::http;
use crate::ui::Progress;

/// How long a tenant may take to be provisioned on the emulator.
const OPERATION_LIMIT: Duration = Duration::from_mins(3);

/// One caller with one key.
pub(crate) struct ApiClient {
    agent: Agent,
    base_url: String,
    key: String,
}

impl ApiClient {
    pub(crate) fn new(base_url: &str, key: &str) -> Self {
        Self {
            agent: http::agent(Duration::from_secs(30)),
            base_url: base_url.to_owned(),
            key: key.to_owned(),
        }
    }

    pub(crate) fn get(&self, path: &str) -> anyhow::Result<Value> {
        let answer = self
            .agent
            .get(self.url(path))
            .header("authorization", self.authorization())
            .call();
        read(answer, "GET", path)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let answer = self
            .agent
            .post(self.url(path))
            .header("authorization", self.authorization())
            .send_json(body);
        read(answer, "POST", path)
    }

    /// A change of what is there now: under the revision that is read first.
    pub(crate) fn patch(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let revision = self.get(path)?["revision"].clone();
        let answer = self
            .agent
            .patch(self.url(path))
            .header("authorization", self.authorization())
            .header("if-match", format!("\"{revision}\""))
            .send_json(body);
        read(answer, "PATCH", path)
    }

    /// A POST that may be repeated under the same key.
    pub(crate) fn post_once(&self, path: &str, key: &str, body: &Value) -> anyhow::Result<Value> {
        let answer = self
            .agent
            .post(self.url(path))
            .header("authorization", self.authorization())
            .header("idempotency-key", key)
            .send_json(body);
        read(answer, "POST", path)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }

    fn authorization(&self) -> String {
        format!("Bearer {}", self.key)
    }

    /// Watches an operation until it is done, and shows its steps.
    pub(super) fn watch(
        &self,
        context: &Context,
        operation: &str,
        progress: &Progress,
    ) -> anyhow::Result<()> {
        let begun = Instant::now();
        let path = format!("/v1/operations/{operation}");
        loop {
            context.processes.signals.check()?;
            context.processes.check_services()?;
            let found = self.get(&path)?;
            let steps = found["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
            let done = steps
                .iter()
                .filter(|step| matches!(step["state"].as_str(), Some("succeeded" | "skipped")))
                .count();
            match found["state"].as_str() {
                Some("succeeded") => {
                    progress.set_note(format!("{done} steps"));
                    return Ok(());
                }
                Some("failed") => bail!("operation {operation} failed: {}", found["error"]),
                _ if begun.elapsed() > OPERATION_LIMIT => bail!("operation {operation} is not done: {found}"),
                _ => {}
            }
            let current = steps
                .iter()
                .find(|step| step["state"] == "running")
                .and_then(|step| step["name"].as_str());
            progress.detail(format!(
                "{done} steps done; {}",
                current.unwrap_or("waiting for the worker")
            ));
            thread::sleep(Duration::from_millis(150));
        }
    }
}

/// The body of a 2xx answer, or an error that quotes the problem document.
fn read(
    answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    method: &str,
    path: &str,
) -> anyhow::Result<Value> {
    let mut answer = answer.with_context(|| format!("{method} {path} got no answer"))?;
    let status = answer.status();
    let text = answer
        .body_mut()
        .read_to_string()
        .with_context(|| format!("{method} {path}: the answer broke off"))?;
    if !status.is_success() {
        bail!("{method} {path} was answered with {status}: {text}");
    }
    serde_json::from_str(&text).with_context(|| format!("{method} {path} was not answered with JSON: {text}"))
}

/// A text member of an answer, by JSON pointer.
pub(crate) fn text(answer: &Value, pointer: &str) -> anyhow::Result<String> {
    let found = answer.pointer(pointer).and_then(Value::as_str);
    Ok(found
        .with_context(|| format!("the answer has no {pointer}: {answer}"))?
        .to_owned())
}
