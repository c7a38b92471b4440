//! The token endpoint.

use super::{Place, find, transport_fault};
use crate::behaviour::{Behaviour, ClientAuth, Fault};
use crate::chance;
use crate::mint::mint;
use crate::state::{Code, CodeRefusal, Community, State, TokenCall};
use actix_web::http::StatusCode;
use actix_web::web::{Data, Form, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, post};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use subtle::ConstantTimeEq;
use url::form_urlencoded;

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(token);
}

/// The form of a token call.
#[derive(Deserialize)]
struct TokenForm {
    grant_type: Option<String>,
    code: Option<String>,
    redirect_uri: Option<String>,
    code_verifier: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
}

/// Name for the record, status, body.
type Refused = (&'static str, StatusCode, String);

fn refused(outcome: &'static str, status: u16, error: &str) -> Refused {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    (outcome, status, error.to_owned())
}

#[post("/oauth2/community/{community}/v1/token")]
async fn token(
    request: HttpRequest,
    state: Data<State>,
    name: Path<String>,
    form: Form<TokenForm>,
) -> HttpResponse {
    let place = Place::of(&request);
    let Some(community) = find(&state, &place, &name) else {
        return HttpResponse::NotFound().json(json!({ "error": "not_found" }));
    };
    let behaviour = community.behaviour();
    let credentials = basic_credentials(&request);
    let claimed = credentials
        .as_ref()
        .map(|(id, _)| id.as_str())
        .or(form.client_id.as_deref());
    let mut call = TokenCall {
        at_unix_s: chance::now_unix_s(),
        tenant: place.host.clone(),
        community: community.name.clone(),
        client_id: claimed.filter(|id| community.has_client(id)).map(str::to_owned),
        outcome: "no_answer".to_owned(),
        status: 0,
        pkce: form.code_verifier.is_some(),
        basic: credentials.is_some(),
    };
    let mut faults = behaviour.faults.clone();
    faults.extend(
        form.code
            .as_deref()
            .and_then(|code| community.peek(code))
            .into_iter()
            .flat_map(|code| code.faults),
    );
    // A call that is never answered must be seen too: it is recorded first.
    if faults.contains(&Fault::Hang) {
        "hang".clone_into(&mut call.outcome);
        state.remember(call.clone());
    }
    if let Some((outcome, answer)) = transport_fault(&faults).await {
        // The provider has seen the code, whatever became of its answer.
        let _ = form.code.as_deref().map(|code| community.redeem(code));
        outcome.clone_into(&mut call.outcome);
        call.status = answer.status().as_u16();
        state.remember(call);
        return answer;
    }
    let result = decide(
        &state,
        &place,
        &community,
        &behaviour,
        credentials,
        &form,
        &faults,
    );
    let (outcome, answer) = match result {
        Ok(body) => (
            "issued",
            HttpResponse::Ok()
                .insert_header(("cache-control", "no-store"))
                .json(body),
        ),
        Err((outcome, status, error)) => {
            let mut answer = HttpResponse::build(status);
            if status == StatusCode::UNAUTHORIZED {
                answer.insert_header(("www-authenticate", "Basic realm=\"blockid-sim\""));
            }
            (
                outcome,
                answer
                    .insert_header(("cache-control", "no-store"))
                    .json(json!({ "error": error })),
            )
        }
    };
    outcome.clone_into(&mut call.outcome);
    call.status = answer.status().as_u16();
    tracing::info!(community = %community.name, outcome, status = call.status, "Token call answered");
    state.remember(call);
    answer
}

fn decide(
    state: &State,
    place: &Place,
    community: &Arc<Community>,
    behaviour: &Behaviour,
    credentials: Option<(String, String)>,
    form: &TokenForm,
    faults: &[Fault],
) -> Result<serde_json::Value, Refused> {
    rate_limit(state, community, behaviour)?;
    let client_id = authenticate(community, behaviour, credentials, form, faults)?;
    if form.grant_type.as_deref() != Some("authorization_code") {
        return Err(refused("unsupported_grant_type", 400, "unsupported_grant_type"));
    }
    for fault in faults {
        match fault {
            Fault::InvalidGrant => return Err(refused("invalid_grant", 400, "invalid_grant")),
            Fault::OauthError(error) => return Err(refused("oauth_error", 400, error)),
            _ => {}
        }
    }
    let code = good_code(community, &client_id, form)?;
    let issuer = place.issuer(community);
    let tokens = mint(state, &place.host, &issuer, community, &code, faults)
        .map_err(|_| refused("server_error", 500, "server_error"))?;
    let mut body = json!({
        "access_token": tokens.access_token,
        "token_type": "Bearer",
        "expires_in": behaviour.id_token_lifetime_s,
        "scope": "openid email profile",
    });
    if !faults.contains(&Fault::NoIdToken) {
        body["id_token"] = tokens.id_token.into();
    }
    Ok(body)
}

fn rate_limit(state: &State, community: &Community, behaviour: &Behaviour) -> Result<(), Refused> {
    let Some(most) = behaviour.token_calls_per_min else {
        return Ok(());
    };
    let since = chance::now_unix_s() - 60;
    let recent = |call: &TokenCall| call.community == community.name && call.at_unix_s > since;
    let count = state.calls().iter().filter(|call| recent(call)).count();
    if u32::try_from(count).unwrap_or(u32::MAX) >= most {
        return Err(refused("rate_limited", 429, "slow_down"));
    }
    Ok(())
}

/// Who calls, as proven by its secret.
fn authenticate(
    community: &Community,
    behaviour: &Behaviour,
    basic: Option<(String, String)>,
    form: &TokenForm,
    faults: &[Fault],
) -> Result<String, Refused> {
    let posted = form.client_id.clone().zip(form.client_secret.clone());
    let presented = match behaviour.client_auth {
        ClientAuth::Basic => basic,
        ClientAuth::Post => posted,
        ClientAuth::Both => basic.or(posted),
    };
    match presented {
        Some((id, secret))
            if community.client_is(&id, &secret) && !faults.contains(&Fault::InvalidClient) =>
        {
            Ok(id)
        }
        _ => Err(refused("invalid_client", 401, "invalid_client")),
    }
}

/// Redeems the code and checks what it is bound to.
fn good_code(community: &Community, client_id: &str, form: &TokenForm) -> Result<Code, Refused> {
    let invalid = |outcome| refused(outcome, 400, "invalid_grant");
    let text = form
        .code
        .as_deref()
        .ok_or_else(|| refused("invalid_request", 400, "invalid_request"))?;
    let code = community.redeem(text).map_err(|refusal| match refusal {
        CodeRefusal::Unknown => invalid("code_unknown"),
        CodeRefusal::Used => invalid("code_used"),
        CodeRefusal::Expired => invalid("code_expired"),
    })?;
    if code.asked.client_id != client_id {
        return Err(invalid("code_of_another_client"));
    }
    if form.redirect_uri.as_deref() != Some(&code.asked.redirect_uri) {
        return Err(invalid("redirect_uri_differs"));
    }
    if let Some(challenge) = &code.asked.code_challenge {
        let verifier = form
            .code_verifier
            .as_deref()
            .ok_or_else(|| invalid("pkce_verifier_missing"))?;
        let derived = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
        if !bool::from(derived.as_bytes().ct_eq(challenge.as_bytes())) {
            return Err(invalid("pkce_verifier_differs"));
        }
    }
    Ok(code)
}

/// `Authorization: Basic`, both parts form-encoded (RFC 6749, section 2.3.1).
fn basic_credentials(request: &HttpRequest) -> Option<(String, String)> {
    let header = request.headers().get("authorization")?.to_str().ok()?;
    let pair = String::from_utf8(STANDARD.decode(header.strip_prefix("Basic ")?).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    // A form parser on "x=<value>" undoes exactly the form encoding of one value.
    let decode = |text: &str| {
        form_urlencoded::parse(format!("x={text}").as_bytes())
            .next()
            .map(|(_, value)| value.into_owned())
    };
    Some((decode(id)?, decode(secret)?))
}
