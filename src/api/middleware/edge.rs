//! The outermost layer: request ids, access log, problem documents, panics, time limit, headers.

use super::{TraceParent, authenticate::QuotaSlot, headers, measure::Measured};
use crate::{
    Context, Error,
    api::problem::{ApiError, Problem, status},
    error::Code,
};
use actix_web::{
    HttpMessage, HttpResponse, ResponseError,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{StatusCode, header::HeaderValue},
    middleware::Next,
    web::Data,
};
use futures_util::FutureExt;
use std::{fmt, panic::AssertUnwindSafe, time::Duration};
use tracing::{Instrument, field::Empty};

/// How long a request may take in all.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);
const HEADER: &str = "x-request-id";

/// Id of a request: the caller's own when it is usable, else ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub String);

impl RequestId {
    fn of(request: &ServiceRequest) -> Self {
        let given = request
            .headers()
            .get(HEADER)
            .and_then(|value| value.to_str().ok());
        let usable = |text: &&str| {
            (1..=128).contains(&text.len())
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':'))
        };
        Self(
            given
                .filter(usable)
                .map_or_else(|| Self::generate(request), str::to_owned),
        )
    }

    fn generate(request: &ServiceRequest) -> String {
        request.app_data::<Data<Context>>().map_or_else(
            || "req_unknown".to_owned(),
            |context| format!("req_{}", context.ids.ulid(context.clock.now())).to_ascii_lowercase(),
        )
    }
}

/// What the edge writes on every answer.
#[derive(Debug, Clone)]
struct Marks {
    id: RequestId,
    quota: QuotaSlot,
    /// Whether the caller asked for `202` (RFC 7240), which it gets where there is work to wait for.
    asynchronous: bool,
}

/// An error on its way out of the middleware itself, as actix wants it.
#[derive(Debug)]
struct Rendered {
    error: ApiError,
    id: Marks,
    path: String,
}

impl fmt::Display for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl ResponseError for Rendered {
    fn status_code(&self) -> StatusCode {
        self.error.status_code()
    }

    fn error_response(&self) -> HttpResponse {
        render(&self.error, &self.id, &self.path)
    }
}

/// Wraps everything else.
pub async fn edge(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let measured = Measured::begin(&request);
    let id = RequestId::of(&request);
    let (method, path) = (request.method().clone(), request.path().to_owned());
    let server_span = server_span(measured.operation(), &method, &id);
    let trace = request
        .app_data::<Data<Context>>()
        .map(|context| TraceParent::of(request.headers(), &context.ids, &server_span));
    let quota = QuotaSlot::default();
    let asynchronous = headers::prefers_async(request.headers());
    {
        let mut extensions = request.extensions_mut();
        extensions.insert(id.clone());
        extensions.insert(quota.clone());
        if let Some(trace) = trace.clone() {
            extensions.insert(trace);
        }
    }
    let span = tracing::info_span!(
        "request", request_id = %id.0,
        trace_id = trace.as_ref().map(|trace| trace.trace_id.as_str()),
        span_id = trace.as_ref().map(|trace| trace.span_id.as_str())
    );
    let id = Marks {
        id,
        quota,
        asynchronous,
    };
    let guarded = AssertUnwindSafe(next.call(request)).catch_unwind();
    let outcome = tokio::time::timeout(REQUEST_TIMEOUT, guarded)
        .instrument(server_span.clone())
        .instrument(span.clone())
        .await;
    let _entered = span.entered();
    let result = match outcome {
        Ok(Ok(result)) => result.map(ServiceResponse::map_into_boxed_body),
        Ok(Err(_)) => Err(ApiError::from(Error::internal(anyhow::anyhow!("a handler panicked"))).into()),
        Err(elapsed) => Err(ApiError::from(
            Error::new(Code::Unavailable, "The request took too long.").caused_by(elapsed),
        )
        .into()),
    };
    let mut response = match result {
        Ok(response) => response,
        Err(error) => {
            let error = into_api_error(&error);
            let rendered = Rendered { error, id, path };
            log(&rendered.error.error);
            note_status(&server_span, rendered.status_code());
            access(&method, "", rendered.status_code(), measured);
            return Err(rendered.into());
        }
    };
    if let Some(error) = response.response().error().map(into_api_error) {
        log(&error.error);
        response = response.into_response(render(&error, &id, &path));
    } else {
        finish(response.response_mut(), &id, &path);
    }
    note_status(&server_span, response.status());
    let pattern = response.request().match_pattern().unwrap_or_default();
    access(&method, &pattern, response.status(), measured);
    Ok(response)
}

fn render(error: &ApiError, id: &Marks, path: &str) -> HttpResponse {
    let mut response = Problem::new(&error.error, &id.id.0).into_response();
    if let Some(allow) = error
        .allow
        .as_deref()
        .and_then(|allow| HeaderValue::from_str(allow).ok())
    {
        response
            .headers_mut()
            .insert(actix_web::http::header::ALLOW, allow);
    }
    finish(&mut response, id, path);
    response
}

fn finish(response: &mut HttpResponse, marks: &Marks, path: &str) {
    if marks.asynchronous && response.status() == StatusCode::ACCEPTED {
        headers::add_preference_applied(response.headers_mut());
    }
    if let Some(quota) = marks.quota.0.get() {
        headers::add_quota(response.headers_mut(), quota);
    }
    if let Ok(value) = HeaderValue::from_str(&marks.id.0) {
        response
            .headers_mut()
            .insert(actix_web::http::header::HeaderName::from_static(HEADER), value);
    }
    headers::add(response.headers_mut(), path);
}

/// What an error is to a caller. Ours are as they are; actix's own (a broken request line, a body that stops) by their status.
pub fn into_api_error(error: &actix_web::Error) -> ApiError {
    if let Some(own) = error.as_error::<ApiError>() {
        // The cause was moved into the response; what the log needs of it is its text.
        return ApiError {
            error: own.error.copy(),
            allow: own.allow.clone(),
        };
    }
    let foreign = anyhow::anyhow!("{error}");
    match error.as_response_error().status_code() {
        StatusCode::NOT_FOUND => Error::new(Code::RouteNotFound, "There is no such path."),
        StatusCode::PAYLOAD_TOO_LARGE => Error::new(Code::PayloadTooLarge, "The body is too large."),
        StatusCode::REQUEST_TIMEOUT => {
            Error::new(Code::RequestTimeout, "The request did not arrive in time.")
        }
        status if status.is_client_error() => {
            Error::new(Code::MalformedJson, "The request could not be read.")
        }
        _ => Error::internal(anyhow::anyhow!("unexpected error")),
    }
    .caused_by(foreign)
    .into()
}

/// Writes down what the service is to blame for, and why something was refused.
pub fn log(error: &Error) {
    if status(error.code()).is_server_error() {
        tracing::error!(code = error.code().as_str(), error = %error, "request failed");
    } else if let Some(cause) = error.cause() {
        tracing::info!(code = error.code().as_str(), cause = %format!("{cause:#}"), "request refused");
    }
}

/// The request in its trace, named by the operation of the API document.
fn server_span(operation: &str, method: &actix_web::http::Method, id: &RequestId) -> tracing::Span {
    tracing::info_span!(
        target: "stepgate::trace", "request", otel.name = format!("{method} {operation}"), otel.kind = "server",
        otel.status_code = Empty, http.request.method = method.as_str(), http.response.status_code = Empty,
        request_id = id.0
    )
}

fn note_status(span: &tracing::Span, status: StatusCode) {
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "error");
    }
}

fn access(method: &actix_web::http::Method, route: &str, status: StatusCode, measured: Measured) {
    let duration_ms = measured.end(status);
    let status = status.as_u16();
    // Probes every few seconds would drown the log.
    if matches!(route, "/healthz" | "/readyz") {
        tracing::debug!(%method, route, status, duration_ms, "request");
    } else {
        tracing::info!(%method, route, status, duration_ms, "request");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::{App, middleware::from_fn, test, web};

    async fn panics() -> HttpResponse {
        panic!("with hunter2 inside")
    }

    async fn fails() -> Result<HttpResponse, ApiError> {
        Err(Error::internal(anyhow::anyhow!("hunter2")).into())
    }

    #[actix_web::test]
    async fn panics_and_failures_become_the_same_problem_without_their_text() {
        let app = App::new()
            .wrap(from_fn(edge))
            .route("/panics", web::get().to(panics))
            .route("/fails", web::get().to(fails));
        let app = test::init_service(app).await;
        for path in ["/panics", "/fails"] {
            let request = test::TestRequest::get()
                .uri(path)
                .insert_header((HEADER, "mine-1"))
                .to_request();
            let response = match test::try_call_service(&app, request).await {
                Ok(response) => response.into_parts().1.map_into_boxed_body(),
                Err(error) => error.error_response(),
            };
            assert_eq!(response.status(), 500);
            assert_eq!(response.headers().get(HEADER).unwrap(), "mine-1");
            assert_eq!(
                response.headers().get("content-type").unwrap(),
                "application/problem+json"
            );
            let body = actix_web::body::to_bytes(response.into_body())
                .await
                .unwrap_or_default();
            let text = String::from_utf8(body.to_vec()).unwrap();
            assert!(
                text.contains(r#""code":"internal""#) && text.contains("mine-1"),
                "{text}"
            );
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}
