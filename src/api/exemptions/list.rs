//! `GET /v1/tenants/{tenant_id}/exemptions`

use super::Exemption;
use crate::{
    Context,
    api::{
        extract::{AsReader, BadValue, Caller, Filter, Filtered, PagingParams, PathIds},
        respond::{Answer, ok},
    },
    domain::exemption::ExemptionStage,
    ids::TenantId,
    usecases,
};
use actix_web::{get, web::Data};
use serde::Serialize;

/// Query parameters beside those of every list.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only documents what `InState` reads")]
pub struct ExemptionFilter {
    /// Only exemptions in this state.
    state: Option<ExemptionStage>,
}

/// What the list is limited to.
#[derive(Debug, Default)]
pub struct InState(Option<ExemptionStage>);

impl Filter for InState {
    fn take(&mut self, name: &str, value: &str) -> Option<Result<(), BadValue>> {
        if name != "state" {
            return None;
        }
        let read = value.parse::<ExemptionStage>();
        let detail = "must be `pending`, `approved`, `revoked` or `expired`";
        Some(match read {
            Ok(stage) => {
                self.0 = Some(stage);
                Ok(())
            }
            Err(_) => Err(("unknown_value", detail.to_owned())),
        })
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
    listing: Filtered<InState>,
) -> Answer {
    let Filtered {
        filter: InState(stage),
        page,
    } = listing;
    let page = usecases::exemptions::list(&context, &caller.request, tenant_id.0, stage, &page).await?;
    Ok(ok(&ExemptionPage {
        items: page.items.into_iter().map(Exemption::from).collect(),
        next_cursor: page.next.map(|cursor| cursor.encode()),
    }))
}
