//! `PATCH /v1/partners/{partner_id}`

use super::Partner;
use crate::{
    Context,
    api::{
        extract::{AsOperator, Body, Caller, PathIds, RequestBody, if_match},
        respond::{Answer, ok_at},
    },
    domain::object::objects_only,
    ids::PartnerId,
    usecases::partners,
};
use actix_web::{HttpRequest, patch, web::Data};
use serde::Deserialize;

/// A change of a partner; what is absent stays.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
#[schema(example = json!({"name": "Acme Identity"}))]
pub struct PartnerChange {
    /// Name for people, unique in the installation.
    #[schema(min_length = 1, max_length = 128)]
    pub name: Option<String>,
}

objects_only!(PartnerChange);

impl RequestBody for PartnerChange {}

/// Change a partner.
///
/// For operators.
#[utoipa::path(
    operation_id = "updatePartner", tag = "partners",
    params(
        ("partner_id" = PartnerId, Path, description = "The partner"),
        ("If-Match" = String, Header, pattern = r#"^"[1-9][0-9]{0,17}"$"#, description = "`ETag` of the partner as it was read", example = "\"1\"")
    ),
    request_body = PartnerChange,
    responses((status = 200, description = "The partner", body = Partner,
               headers(("ETag" = String, description = "The new revision")))),
    extensions(("x-problems" = json!(["name_taken", "precondition_required", "precondition_failed"])))
)]
#[patch("/v1/partners/{partner_id}")]
pub(crate) async fn update_partner(
    caller: Caller<AsOperator>,
    context: Data<Context>,
    request: HttpRequest,
    id: PathIds<PartnerId>,
    body: Body<PartnerChange>,
) -> Answer {
    let replaces = if_match(&request)?;
    let change = partners::PartnerChange { name: body.0.name };
    let partner = partners::update(&context, &caller.request, id.0, replaces, change).await?;
    Ok(ok_at(partner.revision, &Partner::from(partner)))
}
