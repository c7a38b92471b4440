//! Security headers of every answer.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

/// Nothing of the API is a page: no browser may run, frame or guess anything from it.
const API_CSP: &str = "default-src 'none'; frame-ancestors 'none'";
/// The documentation runs its own files and talks to its own origin.
const DOCS_CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                        font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Adds them to the answer of `path`.
pub(super) fn add(headers: &mut HeaderMap, path: &str) {
    let csp = if path == "/docs" || path.starts_with("/docs/") {
        DOCS_CSP
    } else {
        API_CSP
    };
    for (name, value) in [
        ("content-security-policy", csp),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if path.starts_with("/v1/") {
        headers.insert(
            HeaderName::from_static("cache-control"),
            HeaderValue::from_static("no-store"),
        );
    }
}
