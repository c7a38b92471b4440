//! Cells, for operators and auditors.

use super::Request;
use crate::{Context, Result, domain::cell::Cell, ids::CellId, storage};

/// Every cell.
#[tracing::instrument(target = "stepgate::trace", name = "cells.list", skip_all)]
pub async fn list(context: &Context, request: &Request) -> Result<Vec<Cell>> {
    let scope = request.actor.installation_reader()?;
    storage::cells::list(&mut *context.db.begin(&scope).await?, &scope).await
}

/// One cell.
#[tracing::instrument(target = "stepgate::trace", name = "cells.get", skip_all)]
pub async fn get(context: &Context, request: &Request, id: CellId) -> Result<Cell> {
    let scope = request.actor.installation_reader()?;
    storage::cells::get(&mut *context.db.begin(&scope).await?, &scope, id).await
}
