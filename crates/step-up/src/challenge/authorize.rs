//! The address that the browser opens, and the list of methods in 1Kosmos's own form.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// Everything but RFC 3986's unreserved characters is encoded: a user name can hold anything.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What goes into an authorize URL.
#[derive(Debug, Clone, Copy)]
pub struct AuthorizeRequest<'a> {
    /// The provider's `authorization_endpoint`.
    pub authorization_endpoint: &'a str,
    /// OAuth client id.
    pub client_id: &'a str,
    /// The page that posts `{code, state}` to the parent frame.
    pub redirect_uri: &'a str,
    /// Name by which BlockID is asked for the user.
    pub username: &'a str,
    /// ACR values, in order.
    pub methods: &'a [String],
    /// OAuth `state`.
    pub state: &'a str,
    /// OIDC `nonce`; `None` when the rule binds by state only.
    pub nonce: Option<&'a str>,
    /// PKCE verifier, when the provider offers S256. Only its hash enters the URL.
    pub pkce_verifier: Option<&'a str>,
    /// Asks for the user's current identity assurance level beside the step-up.
    pub min_ial: Option<u8>,
}

/// OpenID Connect's `claims` parameter as BlockID reads it: `username` is a bare string there.
#[derive(Serialize)]
struct Claims<'a> {
    id_token: IdTokenClaims<'a>,
}

#[derive(Serialize)]
struct IdTokenClaims<'a> {
    username: &'a str,
    acr: AcrClaim<'a>,
}

/// BlockID documents the list as `values` for methods and as `value` for proofing.
#[derive(Serialize)]
struct AcrClaim<'a> {
    essential: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<&'a [String]>,
}

/// Builds the complete authorize URL, every value percent-encoded.
///
/// `prompt=login` and `max_age=0` keep an older session at the provider from answering.
pub fn authorize_url(request: &AuthorizeRequest<'_>) -> String {
    let only_proofing = !request.methods.is_empty()
        && request
            .methods
            .iter()
            .all(|acr| acr.starts_with("/assurance/ial/"));
    let (value, values) = if only_proofing {
        (Some(request.methods), None)
    } else {
        (None, Some(request.methods))
    };
    let claims = Claims {
        id_token: IdTokenClaims {
            username: request.username,
            acr: AcrClaim {
                essential: true,
                value,
                values,
            },
        },
    };
    let claims = serde_json::to_string(&claims).unwrap_or_default();
    let scope = match request.min_ial {
        Some(level) => format!("openid email profile /assurance/ial/{level}"),
        None => "openid email profile".to_owned(),
    };
    let code_challenge = request.pkce_verifier.map(pkce_challenge_s256);
    let parameters = [
        ("response_type", Some("code")),
        ("client_id", Some(request.client_id)),
        ("redirect_uri", Some(request.redirect_uri)),
        ("scope", Some(scope.as_str())),
        ("state", Some(request.state)),
        ("nonce", request.nonce),
        ("claims", Some(claims.as_str())),
        ("prompt", Some("login")),
        ("max_age", Some("0")),
        ("code_challenge", code_challenge.as_deref()),
        ("code_challenge_method", code_challenge.as_ref().map(|_| "S256")),
    ];

    // A fragment would swallow the query; an endpoint may have a query of its own (RFC 6749, 3.1).
    let endpoint = request
        .authorization_endpoint
        .split('#')
        .next()
        .unwrap_or_default();
    let mut url = endpoint.to_owned();
    let mut separator = if endpoint.contains('?') { '&' } else { '?' };
    for (name, value) in parameters {
        if let Some(value) = value {
            url.push(separator);
            url.push_str(name);
            url.push('=');
            url.extend(utf8_percent_encode(value, RESERVED));
            separator = '&';
        }
    }
    url
}

/// The S256 code challenge of a verifier (RFC 7636, section 4.2).
pub fn pkce_challenge_s256(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

/// Methods as 1Kosmos's script takes them: `'liveID push','otp sms'`.
pub fn acr_list(methods: &[String]) -> String {
    methods
        .iter()
        .map(|acr| format!("'{acr}'"))
        .collect::<Vec<_>>()
        .join(",")
}
