//! Development endpoints: what no provider has. See the crate's documentation for the list.

use super::{Place, find};
use crate::authorize::{Refusal, check, complete, query_of};
use crate::behaviour::{Behaviour, Fault};
use crate::state::{Asked, Community, State};
use actix_web::web::{Data, Json, JsonConfig, Path, ServiceConfig, scope};
use actix_web::{HttpRequest, HttpResponse, delete, get, post, put};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;

pub(super) fn configure(config: &mut ServiceConfig) {
    // Unknown members and wrong types are told by serde's message. It quotes a value only where its type is
    // wrong, and goes to the caller who sent it, never to the log.
    let json_errors = JsonConfig::default().limit(64 * 1024).error_handler(|error, _| {
        let answer = HttpResponse::BadRequest().json(json!({ "error": error.to_string() }));
        actix_web::error::InternalError::from_response(error, answer).into()
    });
    config.service(
        scope("/sim")
            .app_data(json_errors)
            .service(step_up)
            .service(read_behaviour)
            .service(write_behaviour)
            .service(reset_behaviour)
            .service(rotate_keys)
            .service(rotate_secret)
            .service(requests)
            .service(forget_requests),
    );
}

fn problem(status: actix_web::http::StatusCode, text: &str) -> HttpResponse {
    HttpResponse::build(status).json(json!({ "error": text }))
}

fn bad(text: &str) -> HttpResponse {
    problem(actix_web::http::StatusCode::BAD_REQUEST, text)
}

fn no_community() -> HttpResponse {
    problem(
        actix_web::http::StatusCode::NOT_FOUND,
        "there is no such community on this host",
    )
}

/// How a step-up ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Ending {
    /// With a code.
    #[default]
    Success,
    /// The person declines, or fails.
    Denied,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepUp {
    authorize_url: String,
    /// Who does it; by default the user the request names.
    username: Option<String>,
    /// How; by default the first method the request offers.
    method: Option<String>,
    #[serde(default)]
    outcome: Ending,
    #[serde(default)]
    faults: Vec<Fault>,
    /// Age of the session that the person has at the provider already, which serves unless a new authentication is demanded.
    session_age_s: Option<u32>,
}

#[post("/step-ups")]
async fn step_up(request: HttpRequest, state: Data<State>, body: Json<StepUp>) -> HttpResponse {
    let body = body.into_inner();
    let Some((url, query)) = query_of(&body.authorize_url) else {
        return bad("authorize_url is not a URL");
    };
    let Some(community) = community_of(&request, &state, &url) else {
        return no_community();
    };
    let base = url.origin().ascii_serialization();
    let asked = match check(query, &base, &community) {
        Ok(asked) => asked,
        Err(Refusal::Page(text)) => return bad(text),
        Err(Refusal::Redirect {
            error,
            description,
            state,
            ..
        }) => {
            return HttpResponse::BadRequest()
                .json(json!({ "error": error, "error_description": description, "state": state }));
        }
    };
    if body.outcome == Ending::Denied {
        return HttpResponse::Ok().json(json!({ "error": "access_denied", "state": asked.state }));
    }
    let Some(username) = body.username.or_else(|| asked.username.clone()) else {
        return bad("neither username nor the request's claims name a user");
    };
    let method = body
        .method
        .or_else(|| asked.methods.first().cloned())
        .unwrap_or_default();
    let sent_state = asked.state.clone();
    let asked = Asked {
        session_age_s: body.session_age_s.map(i64::from),
        ..asked
    };
    match complete(&state, &community, asked, &username, &method, body.faults) {
        Ok(code) => HttpResponse::Ok().json(json!({ "code": code, "state": sent_state })),
        Err(text) => bad(text),
    }
}

/// The community an authorize URL names. The tenant is the URL's host, which must be one this simulator
/// answers to; a tenant without `dns` answers to all.
fn community_of(
    request: &HttpRequest,
    state: &Data<State>,
    url: &url::Url,
) -> Option<std::sync::Arc<Community>> {
    let mut segments = url.path_segments()?;
    let path = [segments.next()?, segments.next()?];
    let name = percent_encoding::percent_decode_str(segments.next()?)
        .decode_utf8()
        .ok()?;
    let rest: Vec<&str> = segments.collect();
    if path != ["oauth2", "community"] || rest != ["v1", "authorize"] {
        return None;
    }
    let host = match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => Place::of(request).host,
    };
    state.community(&host, &name)
}

#[get("/communities/{community}/behaviour")]
async fn read_behaviour(request: HttpRequest, state: Data<State>, name: Path<String>) -> HttpResponse {
    match find(&state, &Place::of(&request), &name) {
        Some(community) => HttpResponse::Ok().json(community.behaviour()),
        None => no_community(),
    }
}

#[put("/communities/{community}/behaviour")]
async fn write_behaviour(
    request: HttpRequest,
    state: Data<State>,
    name: Path<String>,
    behaviour: Json<Behaviour>,
) -> HttpResponse {
    let Some(community) = find(&state, &Place::of(&request), &name) else {
        return no_community();
    };
    community.set_behaviour(Some(behaviour.into_inner()));
    HttpResponse::Ok().json(community.behaviour())
}

#[delete("/communities/{community}/behaviour")]
async fn reset_behaviour(request: HttpRequest, state: Data<State>, name: Path<String>) -> HttpResponse {
    let Some(community) = find(&state, &Place::of(&request), &name) else {
        return no_community();
    };
    community.set_behaviour(None);
    HttpResponse::Ok().json(community.behaviour())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyRotation {
    /// Whether the old key stays in the key set.
    #[serde(default)]
    keep_old: bool,
}

#[post("/communities/{community}/keys")]
async fn rotate_keys(
    request: HttpRequest,
    state: Data<State>,
    name: Path<String>,
    body: Json<KeyRotation>,
) -> HttpResponse {
    let Some(community) = find(&state, &Place::of(&request), &name) else {
        return no_community();
    };
    match community.keys.rotate(body.keep_old) {
        Ok(key) => HttpResponse::Created().json(json!({ "kid": key.kid() })),
        Err(error) => problem(
            actix_web::http::StatusCode::INTERNAL_SERVER_ERROR,
            &error.to_string(),
        ),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretRotation {
    secret: String,
    /// How long the old secret stays valid, s.
    #[serde(default)]
    overlap_s: i64,
    /// Community; all of the host that have the client, when left out.
    community: Option<String>,
}

#[post("/clients/{client_id}/secret")]
async fn rotate_secret(
    request: HttpRequest,
    state: Data<State>,
    client_id: Path<String>,
    body: Json<SecretRotation>,
) -> HttpResponse {
    if body.secret.is_empty() {
        return bad("secret is empty");
    }
    let here = state.communities(&Place::of(&request).host);
    let chosen = here
        .iter()
        .filter(|one| body.community.as_ref().is_none_or(|name| *name == one.name));
    let count = chosen
        .filter(|one| one.rotate_secret(&client_id, &body.secret, body.overlap_s))
        .count();
    if count == 0 {
        return problem(
            actix_web::http::StatusCode::NOT_FOUND,
            "there is no such client on this host",
        );
    }
    HttpResponse::NoContent().finish()
}

#[get("/requests")]
async fn requests(state: Data<State>) -> HttpResponse {
    let calls = state.calls();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for call in &calls {
        *counts.entry(&call.outcome).or_default() += 1;
    }
    HttpResponse::Ok().json(json!({ "total": calls.len(), "outcomes": counts, "token_calls": calls }))
}

#[delete("/requests")]
async fn forget_requests(state: Data<State>) -> HttpResponse {
    state.forget_calls();
    HttpResponse::NoContent().finish()
}
