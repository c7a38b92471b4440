//! `GET /v1/audit`

use super::{AuditEntry, AuditParams};
use crate::{
    Context,
    api::{
        extract::{AsReader, Caller, Filtered, PagingParams},
        respond::{Answer, ok},
    },
    storage::audit_log::AuditFilter,
    usecases::audit_trail,
};
use actix_web::{get, web::Data};
use serde::Serialize;

/// A page of the audit log.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AuditPage {
    /// Newest first.
    pub items: Vec<AuditEntry>,
    /// `cursor` of the next page; `null` on the last one.
    pub next_cursor: Option<String>,
}

/// List the audit log.
///
/// Partners see their own chain; operators and auditors every chain, with that of the installation. Newest first.
#[utoipa::path(
    operation_id = "listAudit", tag = "audit",
    params(AuditParams, PagingParams),
    responses((status = 200, description = "A page of entries", body = AuditPage))
)]
#[get("/v1/audit")]
pub(crate) async fn list_audit(
    caller: Caller<AsReader>,
    context: Data<Context>,
    asked: Filtered<AuditFilter>,
) -> Answer {
    let page = audit_trail::list(&context, &caller.request, &asked.filter, &asked.page).await?;
    Ok(ok(&AuditPage {
        items: page.items.into_iter().map(AuditEntry::from).collect(),
        next_cursor: page.next.map(|cursor| cursor.encode()),
    }))
}
