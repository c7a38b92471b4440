//! `GET /v1/operations`

use super::Operation;
use crate::{
    Context,
    api::{
        extract::{AsReader, BadValue, Caller, Filter, Filtered, parse_filter},
        respond::{Answer, ok},
    },
    domain::operation::{OperationKind, OperationStateName},
    ids::TenantId,
    storage::operations::OperationFilter,
    usecases,
};
use actix_web::{get, web::Data};
use serde::Serialize;

/// A page of operations.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct OperationPage {
    /// Newest first.
    pub items: Vec<Operation>,
    /// `cursor` of the next page; `null` on the last one.
    pub next_cursor: Option<String>,
}

/// Query parameters of the list of operations.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only documents what `Filtered` reads")]
pub struct OperationParams {
    /// Only those of this tenant.
    tenant_id: Option<TenantId>,
    /// Only those that are as far as this.
    state: Option<OperationStateName>,
    /// Only those that ask for this.
    kind: Option<OperationKind>,
}

impl Filter for OperationFilter {
    fn take(&mut self, name: &str, value: &str) -> Option<Result<(), BadValue>> {
        Some(match name {
            "tenant_id" => parse_filter(value, "must be the id of a tenant", &mut self.tenant_id),
            "state" => parse_filter(value, "must be a state of operations", &mut self.state),
            "kind" => parse_filter(value, "must be a kind of operations", &mut self.kind),
            _ => return None,
        })
    }
}

/// List operations.
///
/// A partner's own; every partner's for operators and auditors. Newest first.
#[utoipa::path(
    operation_id = "listOperations", tag = "operations",
    params(OperationParams, crate::api::extract::PagingParams),
    responses((status = 200, description = "A page of operations", body = OperationPage)),
    extensions(("x-problems" = json!(["not_found"])))
)]
#[get("/v1/operations")]
pub(crate) async fn list_operations(
    caller: Caller<AsReader>,
    context: Data<Context>,
    filtered: Filtered<OperationFilter>,
) -> Answer {
    let Filtered { filter, page } = filtered;
    let page = usecases::operations::list(&context, &caller.request, &filter, &page).await?;
    let items = page.items.into_iter();
    Ok(ok(&OperationPage {
        items: items
            .map(|(operation, steps)| Operation::new(operation, steps))
            .collect(),
        next_cursor: page.next.map(|cursor| cursor.encode()),
    }))
}
