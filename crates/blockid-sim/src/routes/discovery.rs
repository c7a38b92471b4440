//! Metadata, keys, service directory.

use super::{Place, find, transport_fault};
use crate::authorize::segment;
use crate::behaviour::{Behaviour, ClientAuth, MetadataPlace, Pkce};
use crate::state::{Community, State};
use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, get};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(at_community)
        .service(at_community_without_version)
        .service(well_known_first)
        .service(at_root)
        .service(behind_service_directory)
        .service(jwks)
        .service(service_directory);
}

#[get("/oauth2/community/{community}/v1/.well-known/openid-configuration")]
async fn at_community(request: HttpRequest, state: Data<State>, name: Path<String>) -> HttpResponse {
    metadata(&request, &state, Some(&name), MetadataPlace::Community).await
}

#[get("/oauth2/community/{community}/.well-known/openid-configuration")]
async fn at_community_without_version(
    request: HttpRequest,
    state: Data<State>,
    name: Path<String>,
) -> HttpResponse {
    metadata(
        &request,
        &state,
        Some(&name),
        MetadataPlace::CommunityWithoutVersion,
    )
    .await
}

#[get("/.well-known/openid-configuration/oauth2/community/{community}/v1")]
async fn well_known_first(request: HttpRequest, state: Data<State>, name: Path<String>) -> HttpResponse {
    metadata(&request, &state, Some(&name), MetadataPlace::WellKnownFirst).await
}

#[get("/.well-known/openid-configuration")]
async fn at_root(request: HttpRequest, state: Data<State>) -> HttpResponse {
    metadata(&request, &state, None, MetadataPlace::Root).await
}

#[get("/services/oauth2/community/{community}/v1/.well-known/openid-configuration")]
async fn behind_service_directory(
    request: HttpRequest,
    state: Data<State>,
    name: Path<String>,
) -> HttpResponse {
    metadata(&request, &state, Some(&name), MetadataPlace::ServiceDirectory).await
}

async fn metadata(
    request: &HttpRequest,
    state: &Data<State>,
    name: Option<&str>,
    asked_at: MetadataPlace,
) -> HttpResponse {
    let place = Place::of(request);
    // At the root no community is named; the first whose document is there answers.
    let community = if let Some(name) = name {
        find(state, &place, name)
    } else {
        let mut all = state.communities(&place.host).into_iter();
        all.find(|community| community.behaviour().metadata_place == MetadataPlace::Root)
    };
    let Some(community) = community.filter(|community| community.behaviour().metadata_place == asked_at)
    else {
        return super::web_application(request.clone()).await;
    };
    let behaviour = community.behaviour();
    if let Some((_, answer)) = transport_fault(&behaviour.metadata_faults).await {
        return answer;
    }
    HttpResponse::Ok().json(document(&place, &community, behaviour))
}

fn document(place: &Place, community: &Arc<Community>, behaviour: Behaviour) -> Value {
    let path = format!("{}/oauth2/community/{}/v1", place.base, segment(&community.name));
    let algorithms = behaviour.listed_algorithms.unwrap_or_else(|| {
        vec![
            community.keys.algorithm().name().to_owned(),
            "HS256".to_owned(),
            "none".to_owned(),
        ]
    });
    let auth_methods: &[&str] = match behaviour.client_auth {
        ClientAuth::Basic => &["client_secret_basic"],
        ClientAuth::Post => &["client_secret_post"],
        ClientAuth::Both => &["client_secret_basic", "client_secret_post"],
    };
    let mut document = json!({
        "issuer": place.issuer(community),
        "authorization_endpoint": format!("{path}/authorize"),
        "token_endpoint": behaviour.listed_token_endpoint.unwrap_or_else(|| format!("{path}/token")),
        "jwks_uri": behaviour.listed_jwks_uri.unwrap_or_else(|| format!("{path}/jwks")),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": algorithms,
        "scopes_supported": ["openid", "email", "profile"],
        "token_endpoint_auth_methods_supported": auth_methods,
        "claims_parameter_supported": true,
    });
    if behaviour.pkce != Pkce::Unknown {
        document["code_challenge_methods_supported"] = json!(["S256"]);
    }
    document
}

#[get("/oauth2/community/{community}/v1/jwks")]
async fn jwks(request: HttpRequest, state: Data<State>, name: Path<String>) -> HttpResponse {
    let Some(community) = find(&state, &Place::of(&request), &name) else {
        return HttpResponse::NotFound().json(json!({ "error": "not_found" }));
    };
    match transport_fault(&community.behaviour().jwks_faults).await {
        Some((_, answer)) => answer,
        None => HttpResponse::Ok().json(community.keys.jwks()),
    }
}

#[get("/caas/sd")]
async fn service_directory(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let place = Place::of(&request);
    let behaviours: Vec<Behaviour> = state
        .communities(&place.host)
        .iter()
        .map(|c| c.behaviour())
        .collect();
    if behaviours.iter().any(|behaviour| !behaviour.service_directory) {
        return super::web_application(request).await;
    }
    let moved = behaviours
        .iter()
        .any(|b| b.metadata_place == MetadataPlace::ServiceDirectory);
    let base = &place.base;
    let oauth2 = if moved {
        format!("{base}/services/oauth2")
    } else {
        format!("{base}/oauth2")
    };
    HttpResponse::Ok().json(json!({ "oauth2": oauth2, "adminconsole": format!("{base}/admin") }))
}
