//! `POST /v1/partners`

use super::Partner;
use crate::{
    Context, Error,
    api::{
        extract::{AsOperator, Body, Caller, IdempotencyParams, Repeatable, RequestBody},
        respond::{Answer, Reply},
    },
    domain::{object::objects_only, partner},
    usecases,
};
use actix_web::{post, web::Data};
use serde::Deserialize;

/// A new partner.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
#[schema(example = json!({"name": "Acme Identity"}))]
pub struct NewPartner {
    /// Name for people, unique in the installation.
    #[schema(min_length = 1, max_length = 128)]
    pub name: String,
}

objects_only!(NewPartner);

impl RequestBody for NewPartner {}

fn reply(partner: &partner::Partner) -> Result<Reply, Error> {
    Reply::created(&Partner::from(partner.clone()))
}

/// Add a partner.
///
/// For operators.
#[utoipa::path(
    operation_id = "createPartner", tag = "partners",
    params(IdempotencyParams),
    request_body = NewPartner,
    responses((status = 201, description = "The partner", body = Partner)),
    extensions(("x-problems" = json!(["name_taken"])))
)]
#[post("/v1/partners")]
pub(crate) async fn create_partner(
    caller: Caller<AsOperator>,
    context: Data<Context>,
    once: Repeatable,
    body: Body<NewPartner>,
) -> Answer {
    let request = &caller.request;
    once.run(&context, request, reply, async |once| {
        usecases::partners::create_once(&context, request, body.0.name, once).await
    })
    .await
}
