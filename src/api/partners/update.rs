//! `PATCH /v1/partners/{partner_id}`

use super::Partner;
use crate::{
    Context,
    api::{
        extract::{AsOperator, Body, Caller, PathIds, RequestBody},
        respond::{Answer, ok},
    },
    domain::object::objects_only,
    ids::PartnerId,
    usecases::partners,
};
use actix_web::{patch, web::Data};
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
/// For operators. A partner has nothing that two operators could change past each other, so there is no `If-Match`.
#[utoipa::path(
    operation_id = "updatePartner", tag = "partners",
    params(("partner_id" = PartnerId, Path, description = "The partner")),
    request_body = PartnerChange,
    responses((status = 200, description = "The partner", body = Partner)),
    extensions(("x-problems" = json!(["name_taken"])))
)]
#[patch("/v1/partners/{partner_id}")]
pub(crate) async fn update_partner(
    caller: Caller<AsOperator>,
    context: Data<Context>,
    id: PathIds<PartnerId>,
    body: Body<PartnerChange>,
) -> Answer {
    let change = partners::PartnerChange { name: body.0.name };
    let partner = partners::update(&context, &caller.request, id.0, change).await?;
    Ok(ok(&Partner::from(partner)))
}
