//! A client of Stepgate's API: every operation is a method of [`Client`], named as in the OpenAPI document.
//!
//! ```no_run
//! # async fn example() -> Result<(), stepgate_client::Error> {
//! use stepgate_client::Client;
//! let client = Client::new("https://stepgate.example".parse().unwrap(), "sgk_…".into())?;
//! let made = client.create_app("tnt_…", &serde_json::json!({ "name": "Portal" })).await?;
//! let operation = client.wait(&made.operation.id, |_| ()).await?;
//! # Ok(()) }
//! ```
//!
//! | module | holds |
//! | --- | --- |
//! | [`operations`] | every operation, one line each; a test compares them with `openapi/stepgate.json` |
//! | [`types`] | what comes back; a field that this version does not know is kept in `rest` |
//! | [`events`] | watching an operation |
//! | [`error`] | problems (RFC 9457), and what goes wrong before there is an answer |
//!
//! To add an operation: a line in [`operations`]. Request bodies are whatever serializes to what the document asks for.

#[cfg(test)]
mod document_tests;
pub mod error;
pub mod events;
pub mod operations;
pub mod types;

pub use error::{Error, Problem};

use reqwest::{Method, RequestBuilder, Response, header};
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;
use url::Url;

/// How long a call may take; longer than the service takes itself to give up.
const CALL_TIMEOUT: Duration = Duration::from_secs(75);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The API as one caller sees it. Cheap to clone; the key is not printed.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    key: SecretString,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.base.as_str())
            .finish_non_exhaustive()
    }
}

impl Client {
    /// The API at `base`, with an API key. Redirects are not followed: the key goes nowhere else.
    pub fn new(base: Url, key: SecretString) -> Result<Self, Error> {
        // One TLS provider for the process; an error means that it is installed already.
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut roots = rustls::RootCertStore::empty();
        roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
        let tls = rustls::ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent(concat!("stepgate-client/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(Error::Unreachable)?;
        Ok(Self { http, base, key })
    }

    /// A call that no method stands for.
    pub fn call(&self, method: Method, path: &str) -> Call {
        let mut url = self.base.clone();
        let (path, query) = path
            .split_once('?')
            .map_or((path, None), |(path, query)| (path, Some(query)));
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        url.set_query(query);
        let request = self
            .http
            .request(method, url)
            .bearer_auth(self.key.expose_secret());
        Call(request)
    }
}

/// A call under way.
#[derive(Debug)]
#[must_use = "nothing is sent before it is asked for an answer"]
pub struct Call(RequestBuilder);

impl Call {
    /// With a JSON body.
    pub fn body(self, body: &(impl Serialize + ?Sized)) -> Self {
        Self(self.0.json(body))
    }

    /// Under the revision that was read: `If-Match`.
    pub fn if_match(self, revision: i64) -> Self {
        Self(self.0.header(header::IF_MATCH, format!("\"{revision}\"")))
    }

    /// With another header.
    pub fn header(self, name: &str, value: &str) -> Self {
        Self(self.0.header(name, value))
    }

    /// The answer's JSON.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, Error> {
        let bytes = self.send(Some(CALL_TIMEOUT)).await?.bytes();
        serde_json::from_slice(&bytes.await.map_err(Error::Unreachable)?).map_err(Error::Unreadable)
    }

    /// The answer's text.
    pub async fn text(self) -> Result<String, Error> {
        let response = self.send(Some(CALL_TIMEOUT)).await?;
        response.text().await.map_err(Error::Unreachable)
    }

    /// The answer's body as it arrives, however long it is.
    pub async fn stream(self) -> Result<Body, Error> {
        self.send(None).await.map(Body)
    }

    /// The answer, if it is a success. Without a limit its body may go on for as long as it likes.
    async fn send(self, limit: Option<Duration>) -> Result<Response, Error> {
        let request = match limit {
            Some(limit) => self.0.timeout(limit),
            None => self.0,
        };
        let response = request.send().await.map_err(Error::Unreachable)?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let bytes = response.bytes().await.map_err(Error::Unreachable)?;
        Err(match serde_json::from_slice::<Problem>(&bytes) {
            Ok(problem) => Error::Refused(Box::new(problem)),
            // A proxy in between, or no Stepgate at all.
            Err(_) => Error::Foreign {
                status: status.as_u16(),
            },
        })
    }
}

/// A body under way.
#[derive(Debug)]
pub struct Body(Response);

impl Body {
    /// The next part; `None` at the end. A body that breaks off before its end is an error.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let part = self.0.chunk().await.map_err(Error::Unreachable)?;
        Ok(part.map(|part| part.to_vec()))
    }
}
