//! `GET /v1/partners/{partner_id}/keys`, `GET /v1/keys`

use super::ApiKey;
use crate::{
    Context,
    api::{
        extract::{AsInstallationReader, AsReader, Caller, Paging, PagingParams, PathIds},
        respond::{Answer, ok},
    },
    domain::api_key,
    ids::PartnerId,
    storage::{Page, api_keys::Owner},
    usecases::api_keys,
};
use actix_web::{get, web::Data};
use serde::Serialize;

/// A page of keys.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ApiKeyPage {
    /// Oldest first.
    pub items: Vec<ApiKey>,
    /// `cursor` of the next page; `null` on the last one.
    pub next_cursor: Option<String>,
}

impl From<Page<api_key::ApiKey>> for ApiKeyPage {
    fn from(page: Page<api_key::ApiKey>) -> Self {
        Self {
            items: page.items.into_iter().map(ApiKey::from).collect(),
            next_cursor: page.next.map(|cursor| cursor.encode()),
        }
    }
}

/// List the API keys of a partner.
///
/// Oldest first, also those that no longer work.
#[utoipa::path(
    operation_id = "listPartnerKeys", tag = "partners",
    params(("partner_id" = PartnerId, Path, description = "The partner"), PagingParams),
    responses((status = 200, description = "A page of keys", body = ApiKeyPage))
)]
#[get("/v1/partners/{partner_id}/keys")]
pub(crate) async fn list_keys(
    caller: Caller<AsReader>,
    context: Data<Context>,
    partner_id: PathIds<PartnerId>,
    paging: Paging,
) -> Answer {
    let owner = Owner::Partner(partner_id.0);
    let page = api_keys::list(&context, &caller.request, owner, &paging.0).await?;
    Ok(ok(&ApiKeyPage::from(page)))
}

/// List the API keys of operators and auditors.
///
/// For operators and auditors. Oldest first, also those that no longer work.
#[utoipa::path(
    operation_id = "listKeys", tag = "keys",
    params(PagingParams),
    responses((status = 200, description = "A page of keys", body = ApiKeyPage))
)]
#[get("/v1/keys")]
pub(crate) async fn list_installation_keys(
    caller: Caller<AsInstallationReader>,
    context: Data<Context>,
    paging: Paging,
) -> Answer {
    let page = api_keys::list(&context, &caller.request, Owner::Installation, &paging.0).await?;
    Ok(ok(&ApiKeyPage::from(page)))
}
