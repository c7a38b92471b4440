//! Who looks at a page: recognised by a cookie, sent to the sign-in without one, and shown errors as pages.

use super::layout::{self, Section};
use crate::{
    Context, Error, Result,
    api::{
        middleware::{self, RequestId, TraceParent},
        problem::{ApiError, status},
    },
    domain::console_session::BrowserSecret,
    error::Code,
    usecases::{self, console_sessions, denials},
};
use actix_web::{
    FromRequest, HttpMessage, HttpRequest, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{Payload, ServiceRequest, ServiceResponse},
    http::{Method, StatusCode, header},
    middleware::Next,
    web::Data,
};
use maud::html;
use std::future::{Ready, ready};

/// Cookie of a session. The prefix has browsers keep it to this host, HTTPS and the whole path (RFC 6265bis, section 4.1.3).
const SESSION: &str = "__Host-stepgate";
/// Cookie of somebody who is at an issuer to sign in.
const ATTEMPT: &str = "__Host-stepgate-sign-in";

/// Who looks at a page.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    /// Who asks and under which id, as use cases take it.
    pub(super) request: usecases::Request,
    browser: BrowserSecret,
}

impl Visitor {
    /// What every form of theirs repeats.
    pub(super) fn form_token(&self) -> String {
        self.browser.form_token()
    }

    /// Whether a form is of one of their pages.
    pub(super) fn accepts_form(&self, given: &str) -> bool {
        self.browser.accepts_form(given)
    }

    /// What their browser holds.
    pub(super) fn browser(&self) -> &BrowserSecret {
        &self.browser
    }

    /// Whether they may change what belongs to partners.
    pub(super) fn administers(&self) -> bool {
        self.request.actor.administrator().is_ok()
    }

    /// Whether they may change policies: partners alone.
    pub(super) fn writes_policies(&self) -> bool {
        self.request.actor.partner_admin().is_ok()
    }

    /// Whether they may change the installation.
    pub(super) fn operates(&self) -> bool {
        self.request.actor.operator().is_ok()
    }

    /// Whether they may read the installation.
    pub(super) fn reads_installation(&self) -> bool {
        self.request.actor.installation_reader().is_ok()
    }
}

impl FromRequest for Visitor {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let visitor = request.extensions().get::<Self>().cloned();
        ready(visitor.ok_or_else(|| Error::new(Code::Unauthenticated, "Sign in first.").into()))
    }
}

/// Wraps every page.
pub(super) async fn guard<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    if request.path().starts_with("/console/assets/") {
        return next.call(request).await.map(ServiceResponse::map_into_boxed_body);
    }
    let visitor = match recognise(&request).await {
        Ok(visitor) => visitor,
        Err(error) => {
            middleware::log(&error);
            let page = error_page(&error, None, request.request());
            return Ok(request.into_response(page));
        }
    };
    if let Some(visitor) = &visitor {
        request.extensions_mut().insert(visitor.clone());
    } else if !is_open(request.path()) {
        let page = to_sign_in(request.request());
        return Ok(request.into_response(page));
    }
    let response = next.call(request).await?;
    let Some(error) = response.response().error().map(middleware::into_api_error) else {
        return Ok(response.map_into_boxed_body());
    };
    middleware::log(&error.error);
    if let Some(visitor) = &visitor {
        note_denial(response.request(), visitor, error.error.code()).await;
    }
    let page = error_page(&error.error, visitor.as_ref(), response.request());
    Ok(response.into_response(page))
}

/// What is shown to whoever has not signed in.
fn is_open(path: &str) -> bool {
    let path = path.strip_prefix("/console/").unwrap_or_default();
    path == "sign-in"
        || path == "callback"
        || ["sign-in/", "enter/", "assets/"]
            .iter()
            .any(|open| path.starts_with(open))
}

async fn recognise(request: &ServiceRequest) -> Result<Option<Visitor>> {
    let Some(browser) = browser_of(request.request()) else {
        return Ok(None);
    };
    let context = request
        .app_data::<Data<Context>>()
        .ok_or_else(|| Error::internal(anyhow::anyhow!("the application has no context")))?;
    let Some(actor) = console_sessions::recognise(context, &browser).await? else {
        return Ok(None);
    };
    middleware::count(request, &actor)?;
    let traceparent = request.extensions().get::<TraceParent>().map(ToString::to_string);
    let request = usecases::Request {
        actor,
        id: request_id(request.request()),
        traceparent,
    };
    Ok(Some(Visitor { request, browser }))
}

/// Has a refused attempt written down, as the API does.
async fn note_denial(request: &HttpRequest, visitor: &Visitor, code: Code) {
    let Some(context) = request
        .app_data::<Data<Context>>()
        .filter(|_| denials::is_denial(code))
    else {
        return;
    };
    let pattern = request.match_pattern().unwrap_or_default();
    let operation = format!("{} {pattern}", request.method());
    if let Err(error) = denials::note(context, &visitor.request, &operation, request.path(), code).await {
        tracing::error!(%error, operation, "a refused attempt could not be written down");
    }
}

/// The id of the request, by which the service's log is searched.
pub(super) fn request_id(request: &HttpRequest) -> String {
    let extensions = request.extensions();
    extensions
        .get::<RequestId>()
        .map(|id| id.0.clone())
        .unwrap_or_default()
}

/// To the sign-in, and back to this page after it. What a form wanted is not kept: it was not done.
fn to_sign_in(request: &HttpRequest) -> HttpResponse {
    let asked = request.uri().path_and_query().map_or("", |asked| asked.as_str());
    let query = if request.method() == Method::GET {
        url::form_urlencoded::Serializer::new(String::new())
            .append_pair("return_to", asked)
            .finish()
    } else {
        "ended=1".to_owned()
    };
    redirect(&format!("/console/sign-in?{query}"))
}

/// To another page, by `GET`.
pub(super) fn redirect(to: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, to))
        .finish()
}

/// A page of the console to go to, or its first: nobody is led elsewhere by a parameter.
pub(super) fn own_page(asked: Option<&str>) -> &str {
    let own = |asked: &&str| {
        let plain = asked.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        let rest = asked.strip_prefix("/console");
        plain
            && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
            && asked.len() <= 1000
    };
    asked.filter(own).unwrap_or("/console")
}

/// What nothing else answers.
pub(super) async fn no_such_page() -> Result<HttpResponse, ApiError> {
    Err(Error::not_found("page").into())
}

fn error_page(error: &Error, visitor: Option<&Visitor>, request: &HttpRequest) -> HttpResponse {
    let what_to_do = match error.code() {
        Code::Unauthenticated => "Sign in and try again.",
        Code::Forbidden | Code::SecondPersonRequired => {
            "Go back, or ask whoever gives roles in this installation."
        }
        Code::NotFound | Code::RouteNotFound => {
            "Check the address, or begin at the overview. What belongs to somebody else looks as if it were not there."
        }
        Code::Unavailable | Code::CellUnavailable | Code::RateLimited | Code::RequestTimeout => {
            "Wait a moment and load the page again."
        }
        Code::Internal => "Load the page again; if it stays so, search the service's log for the request id.",
        _ => "Go back and change what you sent.",
    };
    let body = html! {
        h1 { (error.code().title()) }
        p { (error.detail()) }
        @if !error.fields().is_empty() {
            ul { @for field in error.fields() { li { code { (field.pointer) } " " (field.detail) } } }
        }
        p { (what_to_do) }
        p { a class="button" href="/console" { "To the overview" } }
        p class="quiet" { "Request id: " code { (request_id(request)) } }
    };
    let page = layout::page(visitor, error.code().title(), Section::None, &body);
    let mut response = HttpResponse::build(status(error.code()));
    if response_is_for_later(error.code()) {
        response.insert_header((header::RETRY_AFTER, error.retry_after().unwrap_or(5).to_string()));
    }
    response
        .content_type("text/html; charset=utf-8")
        .body(page.into_string())
}

fn response_is_for_later(code: Code) -> bool {
    matches!(
        status(code),
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
    )
}

/// What this browser holds of a session, if it has the form of one.
pub(super) fn browser_of(request: &HttpRequest) -> Option<BrowserSecret> {
    BrowserSecret::parse(&cookie(request, SESSION)?)
}

/// What this browser holds of a sign-in that was begun.
pub(super) fn attempt_of(request: &HttpRequest) -> Option<String> {
    cookie(request, ATTEMPT)
}

fn cookie(request: &HttpRequest, name: &str) -> Option<String> {
    let headers = request.headers().get_all(header::COOKIE);
    let mut pairs = headers
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(';'));
    let found = pairs.find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name).then_some(value)
    });
    found.map(str::to_owned)
}

/// Has the browser hold a session.
pub(super) fn hold_session(browser: &BrowserSecret) -> (header::HeaderName, String) {
    set(SESSION, &browser.reveal(), None)
}

/// Has the browser hold a sign-in that was begun.
pub(super) fn hold_attempt(attempt: &str, max_age_s: i64) -> (header::HeaderName, String) {
    set(ATTEMPT, attempt, Some(max_age_s))
}

/// Has the browser forget its session.
pub(super) fn forget_session() -> (header::HeaderName, String) {
    set(SESSION, "", Some(0))
}

/// Has the browser forget the sign-in that was begun.
pub(super) fn forget_attempt() -> (header::HeaderName, String) {
    set(ATTEMPT, "", Some(0))
}

/// Values are hexadecimal digits, base64url and dots: nothing that a cookie cannot have.
fn set(name: &str, value: &str, max_age_s: Option<i64>) -> (header::HeaderName, String) {
    let age = max_age_s.map_or_else(String::new, |age| format!("; Max-Age={age}"));
    let cookie = format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{age}");
    (header::SET_COOKIE, cookie)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn nobody_is_led_elsewhere_after_signing_in() {
        for own in [
            "/console",
            "/console/",
            "/console?a=b",
            "/console/tenants/tnt_1?range=7d",
        ] {
            assert_eq!(own_page(Some(own)), own);
        }
        for foreign in [
            "https://evil.example/console",
            "//evil.example/console",
            "/console.evil.example",
            "/consolex",
            "/v1/tenants",
            "/console\\@evil.example",
            "/console\r\nset-cookie: a=b",
            "javascript:alert(1)",
            "",
        ] {
            assert_eq!(own_page(Some(foreign)), "/console", "{foreign}");
        }
        assert_eq!(own_page(None), "/console");
    }

    #[test]
    fn only_what_signs_in_is_shown_to_everybody() {
        for open in [
            "/console/sign-in",
            "/console/sign-in/staff",
            "/console/callback",
            "/console/enter/ab",
            "/console/assets/style.css",
        ] {
            assert!(is_open(open), "{open}");
        }
        for closed in [
            "/console",
            "/console/",
            "/console/tenants",
            "/console/sign-inx",
            "/console/callback/x",
            "/console/sign-out",
        ] {
            assert!(!is_open(closed), "{closed}");
        }
    }

    #[test]
    fn a_cookie_is_found_among_others_and_only_in_its_own_name() {
        let request = |text: &str| {
            TestRequest::default()
                .insert_header(("cookie", text))
                .to_http_request()
        };
        let value = "ab".repeat(32);
        let held = |text: String| browser_of(&request(&text)).is_some();
        assert!(held(format!("a=b; {SESSION}={value}; c=d")));
        assert!(!held(format!("stepgate={value}")) && !held(format!("x{SESSION}={value}")));
        assert!(!held(format!("{SESSION}=; a=b")) && !held(format!("{SESSION}={value}00")));
    }
}
