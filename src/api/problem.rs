//! The one error envelope: problem documents (RFC 9457), and which code has which status.

use crate::error::{Code, Confirmation, Error, FieldError};
use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use serde::Serialize;
use std::fmt;

/// Media type of problem documents.
pub const CONTENT_TYPE: &str = "application/problem+json";

/// A problem document (RFC 9457).
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// URI of the kind of problem, relative to this service, which explains it there; the same for every occurrence.
    #[serde(rename = "type")]
    #[schema(format = "uri-reference", example = "/problems/name-taken")]
    pub kind: String,
    /// Short title of the kind of problem.
    pub title: String,
    /// HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// Stable code of the kind of problem; clients branch on it.
    pub code: String,
    /// What happened this time.
    pub detail: String,
    /// Every field at fault.
    pub errors: Vec<ProblemField>,
    /// What to send to have it done all the same, when it has to be asked for twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline)]
    pub confirmation: Option<Confirmation>,
    /// Id of the request, by which the service's log is searched.
    pub request_id: String,
    /// `Retry-After`, not part of the document.
    #[serde(skip)]
    pub retry_after_s: Option<u64>,
}

/// One field at fault.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ProblemField {
    /// JSON pointer (RFC 6901) into the body; `query:name` and `header:name` for parameters.
    pub pointer: String,
    /// What is wrong with it.
    pub detail: String,
    /// Stable code of the rule it breaks.
    pub code: String,
}

impl From<&FieldError> for ProblemField {
    fn from(field: &FieldError) -> Self {
        Self {
            pointer: field.pointer.clone(),
            detail: field.detail.clone(),
            code: field.code.clone(),
        }
    }
}

impl Problem {
    /// The public side of an error.
    pub fn new(error: &Error, request_id: &str) -> Self {
        let code = error.code();
        Self {
            kind: type_uri(code),
            title: code.title().to_owned(),
            status: status(code).as_u16(),
            code: code.as_str().to_owned(),
            detail: error.detail().to_owned(),
            errors: error.fields().iter().map(ProblemField::from).collect(),
            confirmation: error.confirmation().cloned(),
            request_id: request_id.to_owned(),
            retry_after_s: error.retry_after().or_else(|| default_retry_after_s(code)),
        }
    }

    /// The answer that carries it.
    pub fn into_response(self) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponse::build(status);
        if status == StatusCode::UNAUTHORIZED {
            response.insert_header(("www-authenticate", "Bearer realm=\"stepgate\""));
        }
        if let Some(seconds) = self.retry_after_s {
            response.insert_header(("retry-after", seconds.to_string()));
        }
        response.content_type(CONTENT_TYPE).json(self)
    }
}

/// URI of a kind of problem: a path of this service (RFC 9457, section 3.1.1), where it is explained.
pub fn type_uri(code: Code) -> String {
    format!("/problems/{}", code.as_str().replace('_', "-"))
}

/// After how long a repeat makes sense when nothing is known about it, s.
fn default_retry_after_s(code: Code) -> Option<u64> {
    match code {
        Code::CellUnavailable | Code::Unavailable => Some(5),
        Code::IdempotencyInProgress | Code::RateLimited => Some(1),
        _ => None,
    }
}

/// HTTP status of a kind of problem.
pub fn status(code: Code) -> StatusCode {
    match code {
        Code::MalformedJson | Code::InvalidQuery | Code::InvalidHeader => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::Forbidden | Code::SecondPersonRequired => StatusCode::FORBIDDEN,
        Code::NotFound | Code::RouteNotFound => StatusCode::NOT_FOUND,
        Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Code::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
        Code::NameTaken
        | Code::NoCellAvailable
        | Code::CellFull
        | Code::RolloutState
        | Code::TenantState
        | Code::OperationState
        | Code::KeyState
        | Code::IdempotencyInProgress
        | Code::ExternalIdTaken
        | Code::ConfirmationRequired
        | Code::ExportRequired
        | Code::ConnectionChanging
        | Code::NothingToRevert
        | Code::ExemptionState
        | Code::LinkTaken
        | Code::PilotClosed
        | Code::PilotFailed
        | Code::LimitReached
        | Code::NotConfigured
        | Code::WebhookDisabled => StatusCode::CONFLICT,
        Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Code::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        Code::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::ValidationFailed | Code::IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
        Code::PreconditionRequired => StatusCode::PRECONDITION_REQUIRED,
        Code::CellUnavailable | Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// An [`Error`] on its way out of a handler or extractor. The edge middleware turns it into a [`Problem`],
/// because only there the request id is known.
#[derive(Debug)]
pub struct ApiError {
    /// What went wrong.
    pub error: Error,
    /// Methods that the path has, for a 405.
    pub allow: Option<String>,
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        Self { error, allow: None }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        status(self.error.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_an_internal_cause_is_not_shown() {
        let uris: std::collections::BTreeSet<_> = Code::ALL.iter().map(|code| type_uri(*code)).collect();
        assert_eq!(uris.len(), Code::ALL.len());
        let error = Error::internal(anyhow::anyhow!("password=hunter2"));
        let shown = serde_json::to_string(&Problem::new(&error, "req_1")).unwrap();
        assert!(shown.contains("req_1") && !shown.contains("hunter2"), "{shown}");
        assert!(
            error.to_string().contains("hunter2"),
            "the log must have the cause"
        );
    }
}
