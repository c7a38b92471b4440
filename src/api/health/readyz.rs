//! `GET /readyz`

use crate::{
    Context, Error,
    api::draining::Draining,
    api::respond::{Answer, ok},
    error::Code,
    storage::Database,
};
use actix_web::{get, web::Data};
use serde_json::json;

/// Can the service work?
///
/// Asks the database and compares its schema with what this binary needs. A service that was asked to stop is not
/// ready, though it still answers.
#[utoipa::path(
    operation_id = "readyz", tag = "service",
    responses((status = 200, description = "It can", body = serde_json::Value,
               example = json!({"status": "ready", "schema_version": 2})))
)]
#[get("/readyz")]
pub(crate) async fn readyz(context: Data<Context>, draining: Data<Draining>) -> Answer {
    if draining.has_begun() {
        return Err(Error::new(Code::Unavailable, "The service is stopping.").into());
    }
    let schema_version = context.db.schema_version().await?;
    if schema_version < Database::expected_schema_version() {
        return Err(Error::new(
            Code::Unavailable,
            "The database schema is older than this binary needs.",
        )
        .into());
    }
    Ok(ok(&json!({"status": "ready", "schema_version": schema_version})))
}
