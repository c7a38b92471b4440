//! What a cell's tenants can run: registered when the cell is applied.

use crate::{
    Context, Result,
    domain::{
        actor::OperatorScope,
        audit::{AuditAction, AuditEntry},
        audit_diff,
        cell::{Artifacts, Cell, Release, release_name},
    },
    ids::{CellId, ReleaseId},
    provisioning::template::Template,
    storage::{self, Tx, audit_log::Author},
    usecases::audit,
};
use chrono::{DateTime, Utc};

/// The release of these artifacts and this template.
pub(super) fn made_of(
    context: &Context,
    cell_id: CellId,
    artifacts: &Artifacts,
    template_sha256: &str,
    now: DateTime<Utc>,
) -> Release {
    Release {
        id: ReleaseId::generate(&context.ids, now),
        cell_id,
        name: release_name(artifacts, template_sha256),
        artifacts: artifacts.clone(),
        template_sha256: template_sha256.to_owned(),
        created_at: now,
    }
}

/// Registers a release that may be there already, and makes it what new tenants get where nobody runs anything else.
/// Returns release and cell as they are then.
pub(super) async fn register(
    context: &Context,
    tx: &mut Tx,
    scope: &OperatorScope,
    release: Release,
    template: &Template,
    cell: &Cell,
) -> Result<(Release, Cell)> {
    let now = release.created_at;
    let (release, is_new) = storage::releases::register(tx, scope, &release, &template.body).await?;
    let tenants = storage::cells::head_room(tx, cell, now).await?.tenants;
    if becomes_current(cell, &release, tenants) {
        storage::releases::make_current(tx, scope, &release, now).await?;
    }
    if is_new {
        let entry = AuditEntry {
            tenant_id: None,
            resource_id: release.id.to_string(),
            action: AuditAction::ReleaseRegistered,
            reason: String::new(),
            detail: audit_diff::made(&release)?,
        };
        audit::record_by(tx, context, Author::COMMAND_LINE, None, &entry, now).await?;
    }
    let cell = storage::cells::get(tx, scope, cell.id).await?;
    Ok((release, cell))
}

/// Whether a release that is registered becomes what new tenants get at once.
pub(super) fn becomes_current(cell: &Cell, release: &Release, tenants: u64) -> bool {
    cell.release_id.is_none() || (tenants == 0 && cell.release_id != Some(release.id))
}
