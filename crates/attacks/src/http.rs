//! One HTTP client for everything: no redirects, no proxy, the trust anchors of the web.

use anyhow::Context as _;
use std::time::Duration;

/// A client. Redirects are answers here, not instructions.
pub fn client() -> anyhow::Result<reqwest::Client> {
    // One TLS provider for the process; an error means that it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    let tls = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(Duration::from_mins(1))
        .build()
        .context("the HTTP client could not be built")
}
