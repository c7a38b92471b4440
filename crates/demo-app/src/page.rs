//! The page and the SDK, compiled in: what is served is what was built.

use crate::settings::Settings;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpResponse, get};
use serde_json::json;

const INDEX: &str = include_str!("../page/index.html");

/// Every other file, by its address.
pub const FILES: [(&str, &str); 16] = [
    ("page/style.css", include_str!("../page/style.css")),
    ("page/main.js", include_str!("../page/main.js")),
    ("page/account.js", include_str!("../page/account.js")),
    ("page/dom.js", include_str!("../page/dom.js")),
    ("page/timeline.js", include_str!("../page/timeline.js")),
    ("page/views.js", include_str!("../page/views.js")),
    ("page/words.js", include_str!("../page/words.js")),
    ("sdk/index.js", include_str!("../../../sdk/web/src/index.js")),
    ("sdk/action.js", include_str!("../../../sdk/web/src/action.js")),
    (
        "sdk/challenge.js",
        include_str!("../../../sdk/web/src/challenge.js"),
    ),
    ("sdk/cognito.js", include_str!("../../../sdk/web/src/cognito.js")),
    ("sdk/errors.js", include_str!("../../../sdk/web/src/errors.js")),
    (
        "sdk/redirect.js",
        include_str!("../../../sdk/web/src/redirect.js"),
    ),
    ("sdk/rfc9470.js", include_str!("../../../sdk/web/src/rfc9470.js")),
    ("sdk/step-up.js", include_str!("../../../sdk/web/src/step-up.js")),
    (
        "sdk/adapters/amazon-cognito-identity-js.js",
        include_str!("../../../sdk/web/src/adapters/amazon-cognito-identity-js.js"),
    ),
];

pub(crate) fn configure(config: &mut ServiceConfig) {
    config
        .service(index)
        .service(callback)
        .service(library)
        .service(app_settings)
        .service(file);
}

#[get("/")]
async fn index(settings: Data<Settings>) -> HttpResponse {
    document(&settings)
}

/// Where a full-page step-up returns to.
#[get("/callback")]
async fn callback(settings: Data<Settings>) -> HttpResponse {
    document(&settings)
}

fn document(settings: &Settings) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CONTENT_SECURITY_POLICY, content_security_policy(settings)))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(INDEX)
}

/// What such a page needs and no more: BlockID to frame. On AWS `connect-src` names Cognito besides.
pub fn content_security_policy(settings: &Settings) -> String {
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; frame-src {blockid}; \
         form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
        blockid = settings.blockid_url.origin().ascii_serialization(),
    )
}

/// What the API's `integration` tells an app developer, and who may be signed in with.
#[get("/settings.json")]
async fn app_settings(settings: Data<Settings>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(json!({
            "region": settings.region,
            "userPoolId": settings.user_pool_id,
            "clientId": settings.client_id,
            "endpoint": "/cognito",
            "user": settings.user,
        }))
}

#[get("/vendor/amazon-cognito-identity.js")]
async fn library(settings: Data<Settings>) -> HttpResponse {
    match tokio::fs::read(&settings.cognito_library).await {
        Ok(bytes) => script(bytes),
        Err(_) => HttpResponse::NotFound().finish(),
    }
}

#[get("/{folder:page|sdk}/{path:.*}")]
async fn file(path: Path<(String, String)>) -> HttpResponse {
    let (folder, rest) = path.into_inner();
    let name = format!("{folder}/{rest}");
    match FILES.iter().find(|(known, _)| *known == name) {
        Some((_, text)) if is_style(&name) => HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, "text/css; charset=utf-8"))
            .insert_header((CACHE_CONTROL, "no-cache"))
            .body(*text),
        Some((_, text)) => script(*text),
        None => HttpResponse::NotFound().finish(),
    }
}

/// Whether a file is a style sheet; all others are scripts.
pub fn is_style(name: &str) -> bool {
    std::path::Path::new(name)
        .extension()
        .is_some_and(|extension| extension == "css")
}

fn script(body: impl actix_web::body::MessageBody + 'static) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/javascript; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .body(body)
}
