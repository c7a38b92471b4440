//! The HTTP client through which everything to a provider goes.
//!
//! It connects only where the [`EgressPolicy`] allows, follows no redirect, uses no proxy, keeps no
//! cookies, reads a bounded body and ends at a deadline. Host names are resolved by [`GuardedResolver`],
//! so the addresses that were judged are the ones connected to and a DNS answer that changes between
//! check and use gains nothing. The resolver is not asked for IP literals: those are judged in
//! [`HttpClient::check_url`].

mod resolve;

use crate::egress::EgressPolicy;
use crate::tenant_dns::url_is_loopback;
pub use resolve::{Addresses, Lookup, SystemLookup};
use resolve::{GuardedResolver, resolve_permitted};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};
use std::error::Error as StdError;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use step_up::reason::Reason;
use url::{Host, Url};

/// Most that is read of a token answer.
pub const TOKEN_BODY_LIMIT_BYTES: usize = 64 * 1024;
/// Most that is read of metadata or of a key set.
pub const METADATA_BODY_LIMIT_BYTES: usize = 256 * 1024;

/// Why there is no usable answer. Holds nothing of request or answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// Not a URL, or one with user name, fragment or a scheme that is not allowed.
    #[error("the URL is not an https URL without user name")]
    UrlRefused,
    /// The address is not public and not in a listed network.
    #[error("the address is not public and not allowed here")]
    AddressRefused,
    /// The name does not resolve.
    #[error("the host name does not resolve")]
    NameNotFound,
    /// No connection.
    #[error("no connection to the host")]
    ConnectFailed,
    /// The TLS handshake failed, most often because of the certificate.
    #[error("the TLS handshake failed (certificate not trusted, expired, or for another name)")]
    TlsFailed,
    /// Not answered in time.
    #[error("no answer in time")]
    Timeout,
    /// The connection broke before the answer was complete.
    #[error("the connection broke during the answer")]
    Interrupted,
    /// The host answered with a redirect, which is never followed.
    #[error("answered with a redirect ({0}), which is not followed")]
    Redirect(u16),
    /// The body is larger than what is read.
    #[error("the answer is larger than {limit_bytes} bytes")]
    TooLarge {
        /// Most that is read.
        limit_bytes: usize,
    },
    /// The body is not JSON, for example a page of a web application.
    #[error("the answer is not JSON")]
    NotJson,
    /// Another HTTP status than expected.
    #[error("answered with HTTP status {0}")]
    Status(u16),
}

impl HttpError {
    /// The reason code of a step-up that failed by this.
    pub const fn reason(self) -> Reason {
        match self {
            Self::UrlRefused | Self::AddressRefused => Reason::ProviderAddressRefused,
            Self::NameNotFound
            | Self::ConnectFailed
            | Self::TlsFailed
            | Self::Timeout
            | Self::Interrupted
            | Self::Status(429 | 500..=599) => Reason::ProviderUnavailable,
            Self::Redirect(_) | Self::TooLarge { .. } | Self::NotJson | Self::Status(_) => {
                Reason::ProviderMalformed
            }
        }
    }
}

/// The client could not be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClientBuildError {
    /// `extra_ca_pem` is not PEM, holds no certificate, or one that cannot be a trust anchor.
    #[error("the extra CA is not a PEM file with at least one usable certificate")]
    ExtraCa,
    /// The TLS library refused its configuration.
    #[error("TLS could not be configured")]
    Tls,
}

/// An answer: status, media type and body. `Debug` hides the body.
pub struct HttpAnswer {
    /// HTTP status.
    pub status: u16,
    /// Media type without parameters, lower case.
    pub content_type: Option<String>,
    /// The body, within the limit.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for HttpAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpAnswer")
            .field("status", &self.status)
            .field("content_type", &self.content_type)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

impl HttpAnswer {
    /// The body as JSON object. A body declared as another media type is not looked at: a web
    /// application answers unknown paths with its page and status 200.
    pub fn json(&self) -> Result<serde_json::Map<String, serde_json::Value>, HttpError> {
        let is_json = self
            .content_type
            .as_deref()
            .is_none_or(|media| media == "application/json" || media.ends_with("+json"));
        if !is_json {
            return Err(HttpError::NotJson);
        }
        serde_json::from_slice(&self.body).map_err(|_| HttpError::NotJson)
    }
}

/// The client. Cheap to clone; clones share one connection pool.
#[derive(Clone)]
pub struct HttpClient {
    inner: reqwest::Client,
    policy: Arc<EgressPolicy>,
    lookup: Arc<dyn Lookup>,
}

/// What a page says about who may show it in a frame. Nothing of its body is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageHeaders {
    /// HTTP status.
    pub status: u16,
    /// Every `Content-Security-Policy` header that can be read.
    pub content_security_policies: Vec<String>,
    /// `X-Frame-Options`
    pub frame_options: Option<String>,
}

impl std::fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpClient")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

impl HttpClient {
    /// A client under `policy`.
    pub fn new(policy: EgressPolicy) -> Result<Self, ClientBuildError> {
        Self::with_lookup(policy, Arc::new(SystemLookup))
    }

    /// A client under `policy` that asks `lookup` for addresses.
    pub fn with_lookup(policy: EgressPolicy, lookup: Arc<dyn Lookup>) -> Result<Self, ClientBuildError> {
        let policy = Arc::new(policy);
        let inner = reqwest::Client::builder()
            .tls_backend_preconfigured(tls_config(policy.extra_ca_pem.as_deref())?)
            .dns_resolver(GuardedResolver {
                policy: Arc::clone(&policy),
                lookup: Arc::clone(&lookup),
            })
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .connect_timeout(Duration::from_secs(3))
            .pool_idle_timeout(Duration::from_secs(50))
            .pool_max_idle_per_host(4)
            .user_agent(concat!("stepgate/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|_| ClientBuildError::Tls)?;
        Ok(Self {
            inner,
            policy,
            lookup,
        })
    }

    /// The policy this client obeys.
    pub fn policy(&self) -> &EgressPolicy {
        &self.policy
    }

    /// Judges a URL by its text: scheme, user name, IP literal. Names are judged when they resolve.
    pub fn check_url(&self, text: &str) -> Result<Url, HttpError> {
        let url = Url::parse(text).map_err(|_| HttpError::UrlRefused)?;
        let plain_allowed = self.policy.insecure_loopback && url_is_loopback(&url);
        let scheme_ok = url.scheme() == "https" || (url.scheme() == "http" && plain_allowed);
        let has_extras = !url.username().is_empty() || url.password().is_some() || url.fragment().is_some();
        if !scheme_ok || has_extras || url.port() == Some(0) {
            return Err(HttpError::UrlRefused);
        }
        let literal = match url.host() {
            Some(Host::Ipv4(v4)) => Some(IpAddr::V4(v4)),
            Some(Host::Ipv6(v6)) => Some(IpAddr::V6(v6)),
            Some(Host::Domain(_)) => None,
            None => return Err(HttpError::UrlRefused),
        };
        match literal {
            Some(address) if !self.policy.permits(address) => Err(HttpError::AddressRefused),
            _ => Ok(url),
        }
    }

    /// As [`Self::check_url`], and resolves the name now. For checks without a request; a request
    /// judges again.
    pub async fn check_host(&self, text: &str, deadline: Instant) -> Result<Url, HttpError> {
        let url = self.check_url(text)?;
        if let Some(Host::Domain(name)) = url.host() {
            tokio::time::timeout_at(
                deadline.into(),
                resolve_permitted(name, &self.policy, &*self.lookup),
            )
            .await
            .map_err(|_| HttpError::Timeout)??;
        }
        Ok(url)
    }

    /// GET of a JSON document.
    pub async fn get(
        &self,
        url: &str,
        limit_bytes: usize,
        deadline: Instant,
    ) -> Result<HttpAnswer, HttpError> {
        let request = self
            .inner
            .get(self.check_url(url)?)
            .header("accept", "application/json");
        self.send(request, limit_bytes, deadline).await
    }

    /// GET of a page for its headers; the body is not read.
    pub async fn page(&self, url: &str, deadline: Instant) -> Result<PageHeaders, HttpError> {
        let request = self.inner.get(self.check_url(url)?).header("accept", "text/html");
        let response = tokio::time::timeout_at(deadline.into(), request.send())
            .await
            .map_err(|_| HttpError::Timeout)?
            .map_err(|error| classify(&error))?;
        let status = response.status();
        if status.is_redirection() {
            return Err(HttpError::Redirect(status.as_u16()));
        }
        let texts = |name: &str| {
            let values = response.headers().get_all(name).into_iter();
            let texts = values.filter_map(|value| value.to_str().ok());
            texts.map(str::to_owned).collect::<Vec<_>>()
        };
        Ok(PageHeaders {
            status: status.as_u16(),
            content_security_policies: texts("content-security-policy"),
            frame_options: texts("x-frame-options").into_iter().next(),
        })
    }

    /// POST of a form with HTTP Basic credentials already encoded.
    pub(crate) async fn post_form(
        &self,
        url: &str,
        authorization: reqwest::header::HeaderValue,
        form: &[(&str, &str)],
        limit_bytes: usize,
        deadline: Instant,
    ) -> Result<HttpAnswer, HttpError> {
        let request = self
            .inner
            .post(self.check_url(url)?)
            .header("accept", "application/json")
            .header("authorization", authorization)
            .form(form);
        self.send(request, limit_bytes, deadline).await
    }

    /// POST of a message; of the answer only the status is read.
    pub async fn deliver(
        &self,
        url: &str,
        headers: reqwest::header::HeaderMap,
        body: String,
        deadline: Instant,
    ) -> Result<u16, HttpError> {
        let request = self.inner.post(self.check_url(url)?).headers(headers).body(body);
        let exchange = async {
            let status = request.send().await.map_err(|error| classify(&error))?.status();
            if status.is_redirection() {
                Err(HttpError::Redirect(status.as_u16()))
            } else {
                Ok(status.as_u16())
            }
        };
        tokio::time::timeout_at(deadline.into(), exchange)
            .await
            .unwrap_or(Err(HttpError::Timeout))
    }

    async fn send(
        &self,
        request: reqwest::RequestBuilder,
        limit_bytes: usize,
        deadline: Instant,
    ) -> Result<HttpAnswer, HttpError> {
        let exchange = async {
            let mut response = request.send().await.map_err(|error| classify(&error))?;
            let status = response.status();
            if status.is_redirection() {
                return Err(HttpError::Redirect(status.as_u16()));
            }
            let limit = u64::try_from(limit_bytes).unwrap_or(u64::MAX);
            if response.content_length().is_some_and(|length| length > limit) {
                return Err(HttpError::TooLarge { limit_bytes });
            }
            let content_type = media_type(response.headers());
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(|error| classify(&error))? {
                if body.len() + chunk.len() > limit_bytes {
                    return Err(HttpError::TooLarge { limit_bytes });
                }
                body.extend_from_slice(&chunk);
            }
            Ok(HttpAnswer {
                status: status.as_u16(),
                content_type,
                body,
            })
        };
        tokio::time::timeout_at(deadline.into(), exchange)
            .await
            .unwrap_or(Err(HttpError::Timeout))
    }
}

fn media_type(headers: &reqwest::header::HeaderMap) -> Option<String> {
    let value = headers.get(reqwest::header::CONTENT_TYPE)?.to_str().ok()?;
    Some(
        value
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase(),
    )
}

fn tls_config(extra_ca_pem: Option<&str>) -> Result<ClientConfig, ClientBuildError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    if let Some(pem) = extra_ca_pem {
        let mut count = 0;
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            let certificate = certificate.map_err(|_| ClientBuildError::ExtraCa)?;
            roots.add(certificate).map_err(|_| ClientBuildError::ExtraCa)?;
            count += 1;
        }
        if count == 0 {
            return Err(ClientBuildError::ExtraCa);
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| ClientBuildError::Tls)?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Finds the cause in the chain of sources; texts of errors are not read, they may hold the URL.
fn classify(error: &reqwest::Error) -> HttpError {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(current) = next {
        if let Some(ours) = current.downcast_ref::<HttpError>() {
            return *ours;
        }
        if current.is::<rustls::Error>() {
            return HttpError::TlsFailed;
        }
        // `io::Error::source` skips the error it wraps.
        if let Some(wrapped) = current
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
        {
            if wrapped.is::<rustls::Error>() {
                return HttpError::TlsFailed;
            }
            next = Some(wrapped);
            continue;
        }
        next = current.source();
    }
    if error.is_timeout() {
        HttpError::Timeout
    } else if error.is_connect() {
        HttpError::ConnectFailed
    } else {
        HttpError::Interrupted
    }
}
