//! Callers and answers.

use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::Value;

/// Somebody who calls the API, with or without a key.
#[derive(Clone)]
pub(crate) struct Caller {
    http: reqwest::Client,
    base_url: String,
    key: Option<String>,
}

impl Caller {
    pub(super) fn new(http: reqwest::Client, base_url: String, key: Option<String>) -> Self {
        Self { http, base_url, key }
    }

    /// Where the API is.
    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The same connection with another key, or none.
    pub(crate) fn with_key(&self, key: Option<String>) -> Self {
        Self { key, ..self.clone() }
    }

    /// The same caller at another server.
    pub(crate) fn at(&self, base_url: &str) -> Self {
        Self {
            base_url: base_url.to_owned(),
            ..self.clone()
        }
    }

    /// A request to be completed and sent with [`send`].
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base_url));
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await
    }

    /// PATCH of what was just read.
    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.change(Method::PATCH, path, body).await
    }

    /// A change of what was just read: under `If-Match` where the resource has an `ETag`, or cannot be read at all.
    pub(crate) async fn change(&self, method: Method, path: &str, body: Value) -> Answer {
        let mut request = self.request(method, path).json(&body);
        let read = self.get(path).await;
        if let Some(etag) = read.headers.get("etag") {
            request = request.header("if-match", etag);
        } else if read.status == StatusCode::NOT_FOUND {
            request = request.header("if-match", "\"1\"");
        }
        send(request).await
    }

    /// POST under this `Idempotency-Key`.
    pub(crate) async fn post_once(&self, path: &str, key: &str, body: &Value) -> Answer {
        let request = self.request(Method::POST, path).header("idempotency-key", key);
        send(request.json(body)).await
    }

    /// PUT under `If-Match: "{version}"`.
    pub(crate) async fn put(&self, path: &str, version: i64, body: Value) -> Answer {
        send(
            self.request(Method::PUT, path)
                .header("if-match", format!("\"{version}\""))
                .json(&body),
        )
        .await
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let request = self.request(method, path);
        send(match body {
            Some(body) => request.json(&body),
            None => request,
        })
        .await
    }
}

/// Sends a request and reads the whole answer.
pub(crate) async fn send(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.expect("no answer");
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.expect("no body");
    Answer {
        status,
        headers,
        text,
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// The body of an answer that must have this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        serde_json::from_str(&self.text).expect("not JSON")
    }

    /// A header that must be there.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .unwrap_or_else(|| panic!("no header {name}: {self:?}"))
            .to_str()
            .unwrap()
    }

    /// The problem document of an answer that must be this problem; checks the envelope.
    #[track_caller]
    pub(crate) fn problem(self, status: u16, code: &str) -> Problem {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{}",
            self.text
        );
        let body: Value = serde_json::from_str(&self.text).expect("not JSON");
        assert_eq!(body["code"], code, "{body}");
        assert_eq!(body["status"], status, "{body}");
        assert_eq!(
            body["type"],
            format!("/problems/{}", code.replace('_', "-")),
            "{body}"
        );
        assert_eq!(body["request_id"], self.header("x-request-id"), "{body}");
        assert!(
            body["title"].as_str().is_some_and(|text| !text.is_empty()),
            "{body}"
        );
        assert!(
            body["detail"].as_str().is_some_and(|text| !text.is_empty()),
            "{body}"
        );
        Problem { body }
    }
}

/// A problem document whose envelope was checked.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) body: Value,
}

impl Problem {
    /// `pointer code` of every field at fault.
    pub(crate) fn fields(&self) -> Vec<String> {
        let errors = self.body["errors"].as_array().expect("errors is not a list");
        let text = |value: &Value| value.as_str().expect("not a text").to_owned();
        errors
            .iter()
            .map(|error| format!("{} {}", text(&error["pointer"]), text(&error["code"])))
            .collect()
    }

    /// Requires a field at fault.
    #[track_caller]
    pub(crate) fn names(&self, pointer: &str, code: &str) {
        assert!(
            self.fields().contains(&format!("{pointer} {code}")),
            "{pointer} {code} is not in {}",
            self.body
        );
    }
}
