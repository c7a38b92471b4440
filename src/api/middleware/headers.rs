//! Headers of every answer: security, the caller's quota, preferences that were followed.

use crate::api::rate_limit::{Quota, WINDOW_S};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

/// Nothing of the API is a page: no browser may run, frame or guess anything from it.
const API_CSP: &str = "default-src 'none'; frame-ancestors 'none'";
/// The documentation runs its own files and talks to its own origin.
const DOCS_CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                        font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The console's pages have their style and one script from the binary, and send forms to themselves.
const CONSOLE_CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                           base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Adds them to the answer of `path`.
pub(super) fn add(headers: &mut HeaderMap, path: &str) {
    let under = |folder: &str| {
        path.strip_prefix(folder)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let csp = if under("/docs") {
        DOCS_CSP
    } else if under("/console") {
        CONSOLE_CSP
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
    // What names its own rule keeps it: files of the console that never change.
    let cached = headers.contains_key("cache-control");
    if path.starts_with("/v1/") || (under("/console") && !cached) {
        headers.insert(
            HeaderName::from_static("cache-control"),
            HeaderValue::from_static("no-store"),
        );
    }
}

/// Says how many requests are left (draft-ietf-httpapi-ratelimit-headers: `RateLimit-Policy`, `RateLimit`).
pub(super) fn add_quota(headers: &mut HeaderMap, quota: Quota) {
    let policy = format!("\"requests\";q={};w={WINDOW_S}", quota.limit);
    let left = format!(
        "\"requests\";r={};t={}",
        quota.remaining.unwrap_or(0),
        quota.reset_s
    );
    for (name, value) in [("ratelimit-policy", policy), ("ratelimit", left)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

/// Whether the caller prefers `202` over waiting (RFC 7240, section 4.1).
pub(super) fn prefers_async(headers: &HeaderMap) -> bool {
    let named = |preference: &str| preference.trim().eq_ignore_ascii_case("respond-async");
    headers
        .get_all("prefer")
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|preference| named(preference.split(';').next().unwrap_or_default()))
}

/// Says that it was followed.
pub(super) fn add_preference_applied(headers: &mut HeaderMap) {
    headers.insert(
        HeaderName::from_static("preference-applied"),
        HeaderValue::from_static("respond-async"),
    );
}
