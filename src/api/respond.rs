//! Answers of handlers that succeeded.

use super::problem::ApiError;
use actix_web::{HttpResponse, http::header};
use serde::Serialize;

/// What handlers return.
pub type Answer = Result<HttpResponse, ApiError>;

/// 200 with a body.
pub fn ok(body: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().json(body)
}

/// 201 with a body.
pub fn created(body: &impl Serialize) -> HttpResponse {
    HttpResponse::Created().json(body)
}

/// 204.
pub fn no_content() -> HttpResponse {
    HttpResponse::NoContent().finish()
}

/// 202 with a body and the path of the operation that tells how far the work is.
pub fn accepted(operation_id: &crate::ids::OperationId, body: &impl Serialize) -> HttpResponse {
    HttpResponse::Accepted()
        .insert_header((header::LOCATION, format!("/v1/operations/{operation_id}")))
        .json(body)
}
