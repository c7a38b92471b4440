//! `GET /healthz`

use crate::api::respond::{Answer, ok};
use actix_web::get;
use serde_json::json;

/// Is the process alive?
///
/// Touches nothing else: a database that is away is no reason to restart the process.
#[utoipa::path(
    operation_id = "healthz", tag = "service",
    responses((status = 200, description = "It lives", body = serde_json::Value, example = json!({"status": "ok"})))
)]
#[get("/healthz")]
pub(crate) async fn healthz() -> Answer {
    Ok(ok(&json!({"status": "ok"})))
}
