//! `GET /v1/templates/standalone`

use crate::{
    api::{
        extract::{AsReader, Caller},
        respond::Answer,
    },
    usecases::templates,
};
use actix_web::{HttpResponse, get};

/// Get the standalone template.
///
/// A CloudFormation template that gives one user pool the same triggers without a control plane: it takes tenant DNS,
/// community name, client id and client secret as masked parameters, and where the trigger artifacts lie. Nothing
/// looks after such a stack: no policy versions, no rotation, no drift detection.
#[utoipa::path(
    operation_id = "getStandaloneTemplate", tag = "tenants",
    responses((status = 200, description = "The template, YAML", body = String, content_type = "application/yaml"))
)]
#[get("/v1/templates/standalone")]
pub(crate) async fn get_standalone_template(caller: Caller<AsReader>) -> Answer {
    let body = templates::standalone(&caller.request)?;
    Ok(HttpResponse::Ok().content_type("application/yaml").body(body))
}
