//! `GET /v1/partners/{partner_id}`

use super::Partner;
use crate::{
    Context,
    api::{
        extract::{AsReader, Caller, PathIds},
        respond::{Answer, ok_at},
    },
    ids::PartnerId,
    usecases,
};
use actix_web::{get, web::Data};

/// Get a partner.
///
/// Operators and auditors see every partner; a partner sees itself.
#[utoipa::path(
    operation_id = "getPartner", tag = "partners",
    params(("partner_id" = PartnerId, Path, description = "The partner")),
    responses((status = 200, description = "The partner", body = Partner,
               headers(("ETag" = String, description = "Its revision, for `If-Match`"))))
)]
#[get("/v1/partners/{partner_id}")]
pub(crate) async fn get_partner(
    caller: Caller<AsReader>,
    context: Data<Context>,
    id: PathIds<PartnerId>,
) -> Answer {
    let partner = usecases::partners::get(&context, &caller.request, id.0).await?;
    Ok(ok_at(partner.revision, &Partner::from(partner)))
}
