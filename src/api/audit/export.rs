//! `GET /v1/audit:export`

use super::{AuditEntry, AuditParams};
use crate::{
    Context, Error, Result,
    api::{
        extract::{AsReader, Caller, Filtered},
        respond::Answer,
    },
    error::{Code, FieldError},
    storage::{PageRequest, audit_log::AuditFilter},
    usecases::audit_trail::Export,
};
use actix_web::{HttpResponse, get, web::Bytes, web::Data};
use futures_util::stream;

/// Media type of an export: one JSON object a line.
const NDJSON: &str = "application/x-ndjson";

/// Export the audit log.
///
/// Oldest first, in the order of commits, one JSON object a line (NDJSON), as a stream. If the service fails on the
/// way the connection is broken off: an answer that ends properly is complete.
#[utoipa::path(
    operation_id = "exportAudit", tag = "audit",
    params(AuditParams),
    responses((status = 200, description = "Entries, one a line", content_type = "application/x-ndjson", body = AuditEntry))
)]
#[get("/v1/audit:export")]
pub(crate) async fn export_audit(
    caller: Caller<AsReader>,
    context: Data<Context>,
    asked: Filtered<AuditFilter>,
) -> Answer {
    refuse_paging(&asked)?;
    let mut export = Export::begin(&context, &caller.request, asked.filter)?;
    // The first part is read before the answer begins: what fails there is told as a problem.
    let first = lines(&mut export).await?;
    let rest = stream::try_unfold((first, export), |(part, mut export)| async move {
        let Some(part) = part else { return Ok(None) };
        let next = lines(&mut export).await.inspect_err(|error| {
            tracing::error!(%error, "an export of the audit log broke off");
        })?;
        Ok::<_, Error>(Some((part, (next, export))))
    });
    Ok(HttpResponse::Ok().content_type(NDJSON).streaming(rest))
}

/// Entries as lines; `None` at the end.
async fn lines(export: &mut Export) -> Result<Option<Bytes>> {
    let batch = export.next().await?;
    if batch.is_empty() {
        return Ok(None);
    }
    let mut text = Vec::new();
    for entry in batch {
        serde_json::to_writer(&mut text, &AuditEntry::from(entry))?;
        text.push(b'\n');
    }
    Ok(Some(text.into()))
}

/// An export is everything: a limit that is silently ignored would look like a complete answer.
fn refuse_paging(asked: &Filtered<AuditFilter>) -> Result<()> {
    if asked.page == PageRequest::default() {
        return Ok(());
    }
    let detail = "An export has no pages: `limit` and `cursor` are parameters of the list.";
    Err(
        Error::new(Code::InvalidQuery, detail).with_fields(vec![FieldError::new(
            "query:limit",
            "unknown_parameter",
            detail,
        )]),
    )
}
