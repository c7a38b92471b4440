//! `GET /v1/tenants`

use super::Tenant;
use crate::{
    Context,
    api::{
        extract::{AsReader, BadValue, Caller, Filter, Filtered, PagingParams},
        respond::{Answer, ok},
    },
    domain::{
        condition::ConditionType,
        tenant::{TenantFilter, is_label},
    },
    usecases,
};
use actix_web::{get, web::Data};
use serde::Serialize;

/// A page of tenants.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct TenantPage {
    /// Oldest first.
    pub items: Vec<Tenant>,
    /// `cursor` of the next page; `null` on the last one.
    pub next_cursor: Option<String>,
}

/// Query parameters that limit the list.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only documents what `TenantFilter` reads")]
pub struct FilterParams {
    /// Beginning of the name, as it is written.
    #[param(max_length = 128)]
    name_prefix: Option<String>,
    /// `awaiting_secret`, `active`, `deleting` or `purging`.
    state: Option<String>,
    /// Condition that must hold: `Ready`, `Reconciling`, `Failing`, `Drifted`, `RotationPending` or `Suspended`.
    condition: Option<String>,
    /// External id.
    #[param(max_length = 128)]
    external_id: Option<String>,
    /// Labels that it must have: `name=value`, several separated by commas.
    #[param(max_length = 2048, example = "plan=gold,region=eu")]
    labels: Option<String>,
}

impl Filter for TenantFilter {
    fn take(&mut self, name: &str, value: &str) -> Option<Result<(), BadValue>> {
        match name {
            "name_prefix" => self.name_prefix = Some(value.to_owned()),
            "external_id" => self.external_id = Some(value.to_owned()),
            "state" if !matches!(value, "awaiting_secret" | "active" | "deleting" | "purging") => {
                let detail = "must be awaiting_secret, active, deleting or purging";
                return Some(Err(("unknown_value", detail.to_owned())));
            }
            "state" => self.state = Some(value.to_owned()),
            "condition" if value.parse::<ConditionType>().is_err() => {
                let known = ConditionType::ALL.map(ConditionType::as_str).join(", ");
                return Some(Err(("unknown_value", format!("must be one of {known}"))));
            }
            "condition" => self.condition = Some(value.to_owned()),
            "labels" => {
                for term in value.split(',') {
                    match term.split_once('=') {
                        Some((name, value)) if is_label(name) && (value.is_empty() || is_label(value)) => {
                            self.labels.insert(name.to_owned(), value.to_owned());
                        }
                        _ => {
                            let detail = "must be `name=value`, several separated by commas";
                            return Some(Err(("invalid", detail.to_owned())));
                        }
                    }
                }
            }
            _ => return None,
        }
        let max_chars = if name == "labels" { 2048 } else { 128 };
        // What holds a null character does not belong in the database either.
        if value.contains('\0') || value.chars().count() > max_chars {
            return Some(Err((
                "invalid",
                "is too long or holds a null character".to_owned(),
            )));
        }
        Some(Ok(()))
    }
}

/// List tenants.
///
/// A partner's own; every partner's for operators and auditors. Oldest first.
#[utoipa::path(
    operation_id = "listTenants", tag = "tenants",
    params(FilterParams, PagingParams),
    responses((status = 200, description = "A page of tenants", body = TenantPage))
)]
#[get("/v1/tenants")]
pub(crate) async fn list_tenants(
    caller: Caller<AsReader>,
    context: Data<Context>,
    asked: Filtered<TenantFilter>,
) -> Answer {
    let Filtered { filter, page } = asked;
    let page = usecases::tenants::list(&context, &caller.request, &filter, &page).await?;
    Ok(ok(&TenantPage {
        items: page.items.into_iter().map(Tenant::from).collect(),
        next_cursor: page.next.map(|cursor| cursor.encode()),
    }))
}
