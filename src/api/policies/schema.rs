//! `GET /v1/policy-schema`

use crate::api::{
    extract::{AsReader, Caller},
    respond::Answer,
};
use actix_web::{HttpResponse, get};

/// Get the JSON Schema of policy documents.
///
/// Draft 2020-12. It says what a schema can say: form, names, ranges. What needs knowledge of the app is said by
/// `validatePolicy`.
#[utoipa::path(
    operation_id = "getPolicySchema", tag = "apps",
    responses((status = 200, description = "The schema", body = serde_json::Value, content_type = "application/schema+json"))
)]
#[get("/v1/policy-schema")]
pub(crate) async fn get_policy_schema(_caller: Caller<AsReader>) -> Answer {
    Ok(HttpResponse::Ok()
        .content_type("application/schema+json")
        .body(step_up::policy::json_schema().to_string()))
}
