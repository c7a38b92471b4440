//! `GET /v1/tenants/{tenant_id}/exemptions`

use super::Exemption;
use crate::{
    Context,
    api::{
        extract::{AsReader, Caller, PagingParams, PathIds, paging_and},
        problem::ApiError,
        respond::{Answer, ok},
    },
    domain::exemption::ExemptionStage,
    ids::TenantId,
    storage::PageRequest,
    usecases,
};
use actix_web::{FromRequest, HttpRequest, dev::Payload, get, web::Data};
use serde::Serialize;
use std::future::{Ready, ready};

/// Query parameters beside those of every list.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only documents what `Listing` reads")]
pub struct ExemptionFilter {
    /// Only exemptions in this state.
    state: Option<ExemptionStage>,
}

/// The part of the list that was asked for.
#[derive(Debug)]
pub struct Listing {
    page: PageRequest,
    stage: Option<ExemptionStage>,
}

impl FromRequest for Listing {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let mut stage = None;
        let page = paging_and(request.query_string(), |name, value| {
            if name != "state" {
                return None;
            }
            let read = value.parse::<ExemptionStage>().map(|read| stage = Some(read));
            Some(read.map_err(|_| "must be `pending`, `approved`, `revoked` or `expired`".to_owned()))
        });
        ready(page.map(|page| Self { page, stage }).map_err(ApiError::from))
    }
}

/// A page of exemptions.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ExemptionPage {
    /// Oldest first.
    pub items: Vec<Exemption>,
    /// `cursor` of the next page; `null` on the last one.
    pub next_cursor: Option<String>,
}

/// List the exemptions of a tenant.
///
/// Oldest first, those that have ended among them.
#[utoipa::path(
    operation_id = "listExemptions", tag = "exemptions",
    params(("tenant_id" = TenantId, Path, description = "The tenant"), ExemptionFilter, PagingParams),
    responses((status = 200, description = "A page of exemptions", body = ExemptionPage))
)]
#[get("/v1/tenants/{tenant_id}/exemptions")]
pub(crate) async fn list_exemptions(
    caller: Caller<AsReader>,
    context: Data<Context>,
    tenant_id: PathIds<TenantId>,
    listing: Listing,
) -> Answer {
    let Listing { page, stage } = listing;
    let page = usecases::exemptions::list(&context, &caller.request, tenant_id.0, stage, &page).await?;
    Ok(ok(&ExemptionPage {
        items: page.items.into_iter().map(Exemption::from).collect(),
        next_cursor: page.next.map(|cursor| cursor.encode()),
    }))
}
