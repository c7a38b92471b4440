//! Cells, for operators and auditors.

use super::{Request, audit, require_as_read};
use crate::{
    Context, Result,
    domain::{
        audit::{AuditAction, AuditEntry},
        audit_diff,
        cell::{CallLimits, Cell, CellState, HeadRoom, Quotas, Release},
        validation::Problems,
    },
    ids::CellId,
    storage::{self, Page, PageRequest, event_intake::Intake},
};

/// A cell, and how much room it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roomy {
    /// The cell.
    pub cell: Cell,
    /// Its room.
    pub head_room: HeadRoom,
}

/// Cells, oldest first.
#[tracing::instrument(target = "stepgate::trace", name = "cells.list", skip_all)]
pub async fn list(context: &Context, request: &Request, page: &PageRequest) -> Result<Page<Roomy>> {
    let scope = request.actor.installation_reader()?;
    let mut db = context.db.begin(&scope).await?;
    let Page { items, next } = storage::cells::page(&mut db, &scope, page).await?;
    let mut cells = Vec::with_capacity(items.len());
    for cell in items {
        cells.push(with_room(context, &mut db, cell).await?);
    }
    Ok(Page { items: cells, next })
}

/// Every cell.
#[tracing::instrument(target = "stepgate::trace", name = "cells.list_all", skip_all)]
pub async fn list_all(context: &Context, request: &Request) -> Result<Vec<Roomy>> {
    let scope = request.actor.installation_reader()?;
    let mut db = context.db.begin(&scope).await?;
    let mut cells = Vec::new();
    for cell in storage::cells::list(&mut db, &scope).await? {
        cells.push(with_room(context, &mut db, cell).await?);
    }
    Ok(cells)
}

/// One cell.
#[tracing::instrument(target = "stepgate::trace", name = "cells.get", skip_all)]
pub async fn get(context: &Context, request: &Request, id: CellId) -> Result<Roomy> {
    let scope = request.actor.installation_reader()?;
    let mut db = context.db.begin(&scope).await?;
    let cell = storage::cells::get(&mut db, &scope, id).await?;
    with_room(context, &mut db, cell).await
}

async fn with_room(context: &Context, db: &mut sqlx::PgConnection, cell: Cell) -> Result<Roomy> {
    let head_room = storage::cells::head_room(db, &cell, context.clock.now()).await?;
    Ok(Roomy { cell, head_room })
}

/// How far behind the reading of each cell's events is, those that are furthest behind first.
#[tracing::instrument(target = "stepgate::trace", name = "cells.event_lags", skip_all)]
pub async fn event_lags(context: &Context, request: &Request) -> Result<Vec<Intake>> {
    let scope = request.actor.installation_reader()?;
    let mut db = context.db.begin(&scope).await?;
    storage::event_intake::all(&mut db, &scope).await
}

/// What tenants of a cell can run, newest first.
#[tracing::instrument(target = "stepgate::trace", name = "cells.releases", skip_all)]
pub async fn releases(
    context: &Context,
    request: &Request,
    id: CellId,
    page: &PageRequest,
) -> Result<Page<Release>> {
    let scope = request.actor.installation_reader()?;
    let mut db = context.db.begin(&scope).await?;
    storage::cells::get(&mut db, &scope, id).await?;
    storage::releases::page(&mut db, &scope, id, page).await
}

/// What operators may change; what is absent stays.
#[derive(Debug, Default)]
pub struct CellChange {
    /// Whether it takes tenants.
    pub state: Option<CellState>,
    /// All quotas that are not AWS's default.
    pub quotas: Option<Quotas>,
    /// All limits of calls that are not AWS's default.
    pub aws_call_limits: Option<CallLimits>,
}

/// Changes a cell that is at revision `replaces`. What changes nothing leaves no trace.
#[tracing::instrument(target = "stepgate::trace", name = "cells.update", skip_all)]
pub async fn update(
    context: &Context,
    request: &Request,
    id: CellId,
    replaces: i64,
    change: CellChange,
) -> Result<Roomy> {
    let scope = request.actor.operator()?;
    let mut tx = context.db.begin(&scope).await?;
    let before = storage::cells::lock(&mut tx, &scope, id).await?;
    require_as_read("cell", before.revision, replaces)?;
    let mut problems = Problems::new();
    if let Some(quotas) = &change.quotas {
        problems.within("/quotas", |problems| quotas.validate(problems));
    }
    if let Some(limits) = &change.aws_call_limits {
        problems.within("/aws_call_limits", |problems| limits.validate(problems));
    }
    problems.finish()?;
    let after = Cell {
        state: change.state.unwrap_or(before.state),
        quotas: change.quotas.unwrap_or_else(|| before.quotas.clone()),
        aws_call_limits: change
            .aws_call_limits
            .unwrap_or_else(|| before.aws_call_limits.clone()),
        ..before.clone()
    };
    let detail = audit_diff::diff(&before, &after)?;
    if detail.is_null() {
        return with_room(context, &mut tx, before).await;
    }
    let now = context.clock.now();
    storage::cells::update(&mut tx, &scope, &after, now).await?;
    let entry = AuditEntry {
        tenant_id: None,
        resource_id: id.to_string(),
        action: AuditAction::CellChanged,
        reason: String::new(),
        detail,
    };
    audit::record(&mut tx, context, request, &scope, &entry, now).await?;
    let cell = storage::cells::get(&mut tx, &scope, id).await?;
    let roomy = with_room(context, &mut tx, cell).await?;
    tx.commit().await?;
    Ok(roomy)
}
