//! The authorize request: read, checked, completed.

use crate::behaviour::{Fault, Pkce};
use crate::config::ALL_METHODS;
use crate::state::{Asked, Community, State};
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;
use url::Url;

/// Query of an authorize request.
#[derive(Debug, Default, Deserialize)]
pub struct AuthorizeQuery {
    response_type: Option<String>,
    client_id: Option<String>,
    redirect_uri: Option<String>,
    scope: Option<String>,
    state: Option<String>,
    nonce: Option<String>,
    claims: Option<String>,
    acr_values: Option<String>,
    login_hint: Option<String>,
    prompt: Option<String>,
    max_age: Option<String>,
    code_challenge: Option<String>,
    code_challenge_method: Option<String>,
}

/// What is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Shown to the person: it is not sure where a redirect would lead.
    Page(&'static str),
    /// Told to the client by redirect.
    Redirect {
        /// Where.
        redirect_uri: String,
        /// OAuth error.
        error: &'static str,
        /// For developers.
        description: &'static str,
        /// `state`
        state: Option<String>,
    },
}

/// Where a community's codes go. A client may have other addresses registered besides.
pub fn redirect_uri(base: &str, community: &str) -> String {
    format!("{base}/admin/{}/post_stepup", segment(community))
}

/// Percent-encodes a path segment.
pub fn segment(text: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~');
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// Checks a request against a community.
pub fn check(query: AuthorizeQuery, base: &str, community: &Community) -> Result<Asked, Refusal> {
    let client_id = query.client_id.unwrap_or_default();
    if !community.has_client(&client_id) {
        return Err(Refusal::Page("This application is not known here (client_id)."));
    }
    let redirect = query.redirect_uri.unwrap_or_default();
    if redirect != redirect_uri(base, &community.name) && !community.returns_to(&client_id, &redirect) {
        return Err(Refusal::Page(
            "The address to return to is not the registered one (redirect_uri).",
        ));
    }
    let state = query.state;
    let refuse = |error: &'static str, description: &'static str| Refusal::Redirect {
        redirect_uri: redirect.clone(),
        error,
        description,
        state: state.clone(),
    };
    if query.response_type.as_deref() != Some("code") {
        return Err(refuse("unsupported_response_type", "response_type must be code"));
    }
    if !query
        .scope
        .unwrap_or_default()
        .split(' ')
        .any(|scope| scope == "openid")
    {
        return Err(refuse("invalid_scope", "scope must contain openid"));
    }
    let pkce = community.behaviour().pkce;
    let s256 = query.code_challenge_method.as_deref() == Some("S256");
    let code_challenge = query.code_challenge.filter(|_| pkce != Pkce::Unknown);
    if (code_challenge.is_some() && !s256) || (code_challenge.is_none() && pkce == Pkce::Required) {
        return Err(refuse("invalid_request", "PKCE with S256 is needed"));
    }
    let (username, methods) = match query.claims.as_deref() {
        Some(text) => {
            read_claims(text).ok_or_else(|| refuse("invalid_request", "claims is not JSON as documented"))?
        }
        None => (None, Vec::new()),
    };
    let by_values = || {
        query
            .acr_values
            .iter()
            .flat_map(|text| text.split(' '))
            .map(str::to_owned)
            .collect()
    };
    let methods: Vec<String> = if methods.is_empty() { by_values() } else { methods };
    let methods = if methods.is_empty() {
        ALL_METHODS.map(str::to_owned).to_vec()
    } else {
        methods
    };
    let prompts_login = query
        .prompt
        .is_some_and(|prompt| prompt.split(' ').any(|word| word == "login"));
    Ok(Asked {
        client_id,
        redirect_uri: redirect,
        state,
        nonce: query.nonce,
        code_challenge,
        username: username.or(query.login_hint),
        methods,
        fresh: prompts_login || query.max_age.as_deref() == Some("0"),
        session_age_s: None,
    })
}

/// `{"id_token":{"username":"u","acr":{"essential":true,"values":["liveID push"]}}}`. The user name is a bare
/// text at 1Kosmos; the standard's `{"value": "u"}` is taken too, and `value` as well as `values`.
fn read_claims(text: &str) -> Option<(Option<String>, Vec<String>)> {
    let claims: Value = serde_json::from_str(text).ok()?;
    let id_token = claims.get("id_token")?;
    let username = match id_token.get("username") {
        Some(Value::String(name)) => Some(name.clone()),
        Some(Value::Object(wrapped)) => wrapped.get("value").and_then(Value::as_str).map(str::to_owned),
        _ => None,
    };
    let acr = id_token.get("acr");
    let values = acr.and_then(|acr| acr.get("values").or_else(|| acr.get("value")));
    let methods = match values {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::String(one)) => vec![one.clone()],
        _ => Vec::new(),
    };
    Some((username, methods))
}

/// Reads an authorize URL as a browser would have sent it.
pub fn query_of(authorize_url: &str) -> Option<(Url, AuthorizeQuery)> {
    let url = Url::parse(authorize_url).ok()?;
    let pairs: HashMap<String, String> = url.query_pairs().into_owned().collect();
    let query = serde_json::from_value(serde_json::to_value(pairs).ok()?).ok()?;
    Some((url, query))
}

/// Completes a step-up: the code for `{code, state}`.
pub fn complete(
    state: &State,
    community: &Community,
    asked: Asked,
    username: &str,
    method: &str,
    faults: Vec<Fault>,
) -> Result<String, &'static str> {
    let user = state.user(community, username).ok_or("there is no such user")?;
    if !asked.methods.iter().any(|offered| offered == method) {
        return Err("the method is not one the request offers");
    }
    // Proofing and methods that are not in the catalogue are things every user can do here.
    let needs_enrolment = ALL_METHODS.contains(&method);
    if needs_enrolment && !user.methods.iter().any(|enrolled| enrolled == method) {
        return Err("the user has not enrolled the method");
    }
    Ok(community.issue(asked, user, method.to_owned(), faults))
}
