//! Answers of handlers that succeeded.

use super::problem::ApiError;
use crate::{Error, storage::idempotency_keys};
use actix_web::{HttpResponse, http::StatusCode, http::header};
use serde::Serialize;

/// What handlers return.
pub type Answer = Result<HttpResponse, ApiError>;

/// 200 with a body.
pub fn ok(body: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().json(body)
}

/// 200 with a body and its `ETag`.
pub fn ok_at(version: i64, body: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::ETAG, etag(version)))
        .json(body)
}

/// The strong `ETag` of a version.
pub fn etag(version: i64) -> String {
    format!("\"{version}\"")
}

/// 201 with a body.
pub fn created(body: &impl Serialize) -> HttpResponse {
    HttpResponse::Created().json(body)
}

/// 202 with a body and the path of the operation that tells how far the work is.
pub fn accepted(operation_id: &crate::ids::OperationId, body: &impl Serialize) -> HttpResponse {
    HttpResponse::Accepted()
        .insert_header((header::LOCATION, format!("/v1/operations/{operation_id}")))
        .json(body)
}

/// An answer that can be given again: to a request that is repeated under its `Idempotency-Key`.
#[derive(Debug, Clone)]
pub struct Reply {
    status: StatusCode,
    location: Option<String>,
    body: String,
    /// Body for repeats, where the first has a secret.
    repeated_body: Option<String>,
}

impl Reply {
    /// 201 with a body.
    pub fn created(body: &impl Serialize) -> Result<Self, Error> {
        Ok(Self {
            status: StatusCode::CREATED,
            location: None,
            body: serde_json::to_string(body)?,
            repeated_body: None,
        })
    }

    /// 202 with a body and the path of the operation that tells how far the work is.
    pub fn accepted(operation_id: &crate::ids::OperationId, body: &impl Serialize) -> Result<Self, Error> {
        Ok(Self {
            status: StatusCode::ACCEPTED,
            location: Some(format!("/v1/operations/{operation_id}")),
            ..Self::created(body)?
        })
    }

    /// What repeats are shown instead: the same without its secret. Only this is kept.
    pub fn but_repeats_get(self, body: &impl Serialize) -> Result<Self, Error> {
        Ok(Self {
            repeated_body: Some(serde_json::to_string(body)?),
            ..self
        })
    }

    pub(super) fn to_stored(&self) -> idempotency_keys::Answer {
        idempotency_keys::Answer {
            status: i32::from(self.status.as_u16()),
            location: self.location.clone(),
            body: self.repeated_body.as_ref().unwrap_or(&self.body).clone(),
        }
    }

    pub(super) fn into_response(self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if let Some(location) = self.location {
            response.insert_header((header::LOCATION, location));
        }
        response.content_type("application/json").body(self.body)
    }
}
