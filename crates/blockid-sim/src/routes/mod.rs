//! HTTP: one file a group of endpoints.

pub mod authorize;
pub mod development;
pub mod discovery;
pub mod token;

use crate::behaviour::Fault;
use crate::chance;
use crate::pages::Page;
use crate::state::{Community, State};
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, LOCATION};
use actix_web::web::{self, Bytes, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use std::sync::Arc;
use std::time::Duration;

/// Registers everything.
pub fn configure(config: &mut ServiceConfig) {
    authorize::configure(config);
    token::configure(config);
    development::configure(config);
    discovery::configure(config);
    config.default_service(web::to(web_application));
}

/// Host and base URL of the tenant as this request names it.
pub(crate) struct Place {
    pub(crate) host: String,
    pub(crate) base: String,
}

impl Place {
    pub(crate) fn of(request: &HttpRequest) -> Self {
        let config = request.app_config();
        let host = request
            .headers()
            .get("host")
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
            .or_else(|| request.uri().authority().map(ToString::to_string))
            .unwrap_or_else(|| config.host().to_owned());
        let scheme = if config.secure() { "https" } else { "http" };
        Self {
            base: format!("{scheme}://{host}"),
            host,
        }
    }

    pub(crate) fn issuer(&self, community: &Community) -> String {
        use crate::behaviour::IssuerForm;
        match community.behaviour().issuer {
            IssuerForm::Community => {
                format!(
                    "{}/oauth2/community/{}/v1",
                    self.base,
                    crate::authorize::segment(&community.name)
                )
            }
            IssuerForm::Host => self.base.clone(),
            IssuerForm::Foreign => "https://another.example.com".to_owned(),
        }
    }
}

pub(crate) fn find(state: &Data<State>, place: &Place, name: &str) -> Option<Arc<Community>> {
    state.community(&place.host, name)
}

pub(crate) fn html(page: Page, status: StatusCode) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header(("content-security-policy", page.csp))
        .insert_header(("cache-control", "no-store"))
        .insert_header(("referrer-policy", "no-referrer"))
        .insert_header(("x-content-type-options", "nosniff"))
        .body(page.html)
}

pub(crate) fn notice(title: &str, text: &str, status: StatusCode) -> HttpResponse {
    html(crate::pages::notice(title, text, &chance::token()), status)
}

pub(crate) fn redirect(location: &str) -> HttpResponse {
    HttpResponse::Found()
        .insert_header((LOCATION, location))
        .insert_header(("cache-control", "no-store"))
        .finish()
}

/// The tenant's host answers unknown paths with its web application and status 200.
async fn web_application(request: HttpRequest) -> HttpResponse {
    let path = request.path();
    let is_page = request.method() == actix_web::http::Method::GET
        && !["/sim/", "/oauth2/", "/services/"]
            .iter()
            .any(|prefix| path.starts_with(prefix));
    if is_page {
        notice(
            "AdminX",
            "This is where the web application of the tenant would be.",
            StatusCode::OK,
        )
    } else {
        HttpResponse::NotFound().json(serde_json::json!({ "error": "not_found" }))
    }
}

/// The answer that the first fault of transport gives instead of the right one; waits where it is to wait.
pub(crate) async fn transport_fault(faults: &[Fault]) -> Option<(&'static str, HttpResponse)> {
    for fault in faults {
        match fault {
            Fault::SlowMs(delay_ms) => {
                tokio::time::sleep(Duration::from_millis(*delay_ms)).await;
            }
            Fault::Hang => {
                // An hour: longer than any client waits, and the connection's end drops the future.
                tokio::time::sleep(Duration::from_hours(1)).await;
                return Some(("hang", HttpResponse::GatewayTimeout().finish()));
            }
            Fault::Status(code) => {
                let status = StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                return Some(("status", HttpResponse::build(status).finish()));
            }
            Fault::Html => {
                return Some(("html", notice("AdminX", "An application page.", StatusCode::OK)));
            }
            Fault::Redirect(target) => {
                let answer = HttpResponse::TemporaryRedirect()
                    .insert_header((LOCATION, target.as_str()))
                    .finish();
                return Some(("redirect", answer));
            }
            Fault::HugeBody(size_bytes) => return Some(("huge_body", huge_body(*size_bytes))),
            Fault::CutOff => return Some(("cut_off", cut_off())),
            Fault::BrokenJson => {
                let answer = HttpResponse::Ok()
                    .content_type("application/json")
                    .body("{\"id_token\":");
                return Some(("broken_json", answer));
            }
            _ => {}
        }
    }
    None
}

fn huge_body(size_bytes: usize) -> HttpResponse {
    const CHUNK: usize = 16 * 1024;
    let chunks = (0..size_bytes.div_ceil(CHUNK)).map(|index| {
        let mut chunk = vec![b' '; CHUNK];
        if index == 0 {
            chunk[0] = b'{';
        }
        Ok::<Bytes, actix_web::Error>(Bytes::from(chunk))
    });
    HttpResponse::Ok()
        .content_type("application/json")
        .streaming(futures(chunks))
}

fn cut_off() -> HttpResponse {
    let parts = [
        Ok(Bytes::from_static(b"{\"id_token\":\"")),
        Err(actix_web::error::ErrorInternalServerError(
            "the connection breaks here",
        )),
    ];
    HttpResponse::Ok()
        .content_type("application/json")
        .streaming(futures(parts.into_iter()))
}

fn futures<I: Iterator>(items: I) -> impl futures_util::Stream<Item = I::Item> {
    futures_util::stream::iter(items)
}
