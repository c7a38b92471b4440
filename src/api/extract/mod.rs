//! What handlers take: each reads one part of the request and fails with a problem document.
//!
//! Handlers take [`Caller`] first. Actix asks extractors in order and stops at the first refusal, so nobody
//! without the right role learns how a body would have been judged.

mod caller;
pub mod json;
mod paging;
mod path;
pub mod repeatable;

pub use caller::{AsAdministrator, AsInstallationReader, AsOperator, AsPartnerAdmin, AsReader, Caller, Door};
pub use json::{Body, RequestBody, given};
pub use paging::{BadValue, Filter, Filtered, Paging, PagingParams, parse_filter, read_query, unusable};
pub use path::PathIds;
pub use repeatable::{IdempotencyParams, Repeatable};

use crate::{Error, error::Code, error::FieldError};
use actix_web::HttpRequest;

/// The version in an `If-Match` header, as `GET` gave it in `ETag`: `"3"`. Every `PUT` and `PATCH` asks for it.
pub fn if_match(request: &HttpRequest) -> Result<i64, Error> {
    let refused = |code, detail: &str, rule: &str| {
        Error::new(code, detail).with_fields(vec![FieldError::new("header:If-Match", rule, detail)])
    };
    let Some(value) = request.headers().get("if-match") else {
        return Err(refused(
            Code::PreconditionRequired,
            "Send the ETag of the version to be replaced in `If-Match`.",
            "missing",
        ));
    };
    let version = value
        .to_str()
        .ok()
        .and_then(|text| text.strip_prefix('"')?.strip_suffix('"')?.parse().ok());
    version.filter(|version| *version > 0).ok_or_else(|| {
        refused(
            Code::InvalidHeader,
            "`If-Match` must be one strong ETag as given by this resource, for example `\"3\"`.",
            "invalid",
        )
    })
}
