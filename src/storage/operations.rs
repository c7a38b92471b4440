//! Operations and their steps, as callers read, watch and cancel them. The worker writes progress through a module of
//! its own.

use super::{Cursor, Page, PageRequest};
use crate::{
    Error, Result,
    domain::{
        actor::{OperatorScope, PartnerScope, ReadScope},
        deletion::PurgeReport,
        operation::{
            Failure, Operation, OperationKind, OperationState, OperationStateName, Step, StepState, Try,
        },
    },
    ids::{OperationId, PartnerId, TenantId},
};
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};
use std::collections::HashMap;

struct Row {
    id: OperationId,
    partner_id: PartnerId,
    tenant_id: TenantId,
    resource_id: String,
    kind: String,
    target_generation: i64,
    state: String,
    error: Option<Json<Failure>>,
    request_id: Option<String>,
    revision: i64,
    traceparent: Option<String>,
    report: Option<Json<PurgeReport>>,
    created_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
}

impl TryFrom<Row> for Operation {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let state = match (row.state.as_str(), row.started_at, row.finished_at, row.error) {
            ("pending", ..) => OperationState::Pending,
            ("running", Some(started_at), ..) => OperationState::Running { started_at },
            ("succeeded", started_at, Some(finished_at), _) => OperationState::Succeeded {
                started_at: started_at.unwrap_or(finished_at),
                finished_at,
            },
            ("failed", started_at, Some(finished_at), Some(Json(error))) => OperationState::Failed {
                started_at,
                finished_at,
                error,
            },
            ("cancelled", started_at, Some(finished_at), _) => OperationState::Cancelled {
                started_at,
                finished_at,
            },
            (state, ..) => {
                return Err(Error::internal(anyhow::anyhow!(
                    "operation {} is `{state}` without its data",
                    row.id
                )));
            }
        };
        Ok(Self {
            id: row.id,
            partner_id: row.partner_id,
            tenant_id: row.tenant_id,
            resource_id: row.resource_id,
            kind: row.kind.parse()?,
            target_generation: row.target_generation,
            state,
            revision: row.revision,
            request_id: row.request_id,
            traceparent: row.traceparent,
            report: row.report.map(|Json(report)| report),
            created_at: row.created_at,
        })
    }
}

/// Opens an operation.
pub async fn insert(tx: &mut PgConnection, scope: &PartnerScope, operation: &Operation) -> Result<()> {
    sqlx::query!(
        "INSERT INTO operations (id, partner_id, tenant_id, resource_id, kind, target_generation, state, request_id, created_at,
                                 traceparent)
         VALUES ($1, $2, $3, $4, $5, $6, 'pending', $7, $8, $9)",
        operation.id as OperationId,
        scope.partner_id() as PartnerId,
        operation.tenant_id as TenantId,
        operation.resource_id,
        operation.kind.as_str(),
        operation.target_generation,
        operation.request_id,
        operation.created_at,
        operation.traceparent
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// One operation with its steps in order.
pub async fn get(
    db: &mut PgConnection,
    scope: &ReadScope,
    id: OperationId,
) -> Result<(Operation, Vec<Step>)> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: OperationId", partner_id AS "partner_id: PartnerId", tenant_id AS "tenant_id: TenantId",
                  resource_id, kind, target_generation, state, error AS "error: Json<Failure>", request_id, revision,
                  traceparent, report AS "report: Json<PurgeReport>", created_at, started_at, finished_at
           FROM operations WHERE id = $1 AND ($2::text IS NULL OR partner_id = $2)"#,
        id as OperationId,
        scope.partner_id() as Option<PartnerId>
    )
    .fetch_optional(&mut *db)
    .await?
    .ok_or_else(|| Error::not_found("operation"))?;
    Ok((row.try_into()?, steps(db, id).await?))
}

/// Which operations a list is about.
#[derive(Debug, Clone, Default)]
pub struct OperationFilter {
    /// Of this tenant.
    pub tenant_id: Option<TenantId>,
    /// As far as this.
    pub state: Option<OperationStateName>,
    /// That ask for this.
    pub kind: Option<OperationKind>,
}

/// Operations with their steps, newest first.
pub async fn list(
    db: &mut PgConnection,
    scope: &ReadScope,
    filter: &OperationFilter,
    request: &PageRequest,
) -> Result<Page<(Operation, Vec<Step>)>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: OperationId", partner_id AS "partner_id: PartnerId", tenant_id AS "tenant_id: TenantId",
                  resource_id, kind, target_generation, state, error AS "error: Json<Failure>", request_id, revision,
                  traceparent, report AS "report: Json<PurgeReport>", created_at, started_at, finished_at
           FROM operations
           WHERE ($1::text IS NULL OR partner_id = $1) AND ($2::text IS NULL OR tenant_id = $2)
             AND ($3::text IS NULL OR state = $3) AND ($4::text IS NULL OR kind = $4)
             AND ($5::timestamptz IS NULL OR (created_at, id) < ($5, $6))
           ORDER BY created_at DESC, id DESC LIMIT $7"#,
        scope.partner_id() as Option<PartnerId>,
        filter.tenant_id as Option<TenantId>,
        filter.state.map(OperationStateName::as_str),
        filter.kind.map(OperationKind::as_str),
        request.after_time(),
        request.after_id(),
        request.fetch()
    )
    .fetch_all(&mut *db)
    .await?;
    let operations = rows
        .into_iter()
        .map(Operation::try_from)
        .collect::<Result<Vec<_>>>()?;
    let page = request.page(operations, |operation: &Operation| Cursor {
        created_at: operation.created_at,
        id: operation.id.to_string(),
    });
    let mut steps = steps_of_all(db, &page.items).await?;
    let with_steps = |operation: Operation| {
        let its = steps.remove(&operation.id).unwrap_or_default();
        (operation, its)
    };
    Ok(Page {
        items: page.items.into_iter().map(with_steps).collect(),
        next: page.next,
    })
}

struct StepRow {
    operation_id: OperationId,
    name: String,
    state: String,
    attempts: i32,
    detail: Option<String>,
    error: Option<String>,
    aws_request_id: Option<String>,
    revision: i64,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
    tries: Json<Vec<TryRow>>,
}

/// A try as it is kept in the row of its step.
#[derive(serde::Deserialize)]
struct TryRow {
    number: i32,
    started_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    error: Option<String>,
    aws_request_id: Option<String>,
}

impl From<TryRow> for Try {
    fn from(row: TryRow) -> Self {
        Self {
            number: row.number,
            started_at: row.started_at,
            finished_at: row.finished_at,
            duration_ms: row
                .finished_at
                .map(|at| (at - row.started_at).num_milliseconds().max(0)),
            error: row.error,
            aws_request_id: row.aws_request_id,
        }
    }
}

impl TryFrom<StepRow> for Step {
    type Error = Error;

    fn try_from(row: StepRow) -> Result<Self> {
        Ok(Self {
            name: row.name,
            state: row.state.parse()?,
            attempts: row.attempts,
            detail: row.detail,
            error: row.error,
            aws_request_id: row.aws_request_id,
            started_at: row.started_at,
            finished_at: row.finished_at,
            duration_ms: row
                .started_at
                .zip(row.finished_at)
                .map(|(from, to)| (to - from).num_milliseconds().max(0)),
            tries: row.tries.0.into_iter().map(Try::from).collect(),
        })
    }
}

async fn steps_of_all(
    db: &mut PgConnection,
    operations: &[Operation],
) -> Result<HashMap<OperationId, Vec<Step>>> {
    let ids: Vec<String> = operations
        .iter()
        .map(|operation| operation.id.to_string())
        .collect();
    let rows = sqlx::query_as!(
        StepRow,
        r#"SELECT operation_id AS "operation_id: OperationId", name, state, attempts, detail, error, aws_request_id,
                  revision, started_at, finished_at, tries AS "tries: Json<Vec<TryRow>>"
           FROM operation_steps WHERE operation_id = ANY($1) ORDER BY operation_id, position"#,
        &ids
    )
    .fetch_all(db)
    .await?;
    let mut by_operation: HashMap<OperationId, Vec<Step>> = HashMap::new();
    for row in rows {
        by_operation
            .entry(row.operation_id)
            .or_default()
            .push(row.try_into()?);
    }
    Ok(by_operation)
}

/// Steps of an operation that the caller may see, in order.
pub async fn steps(db: &mut PgConnection, id: OperationId) -> Result<Vec<Step>> {
    Ok(changed_steps(db, id, 0)
        .await?
        .into_iter()
        .map(|changed| changed.step)
        .collect())
}

/// A step and the revision of its last change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedStep {
    /// The step.
    pub step: Step,
    /// Revision of its last change.
    pub revision: i64,
}

/// Steps of an operation that the caller may see and that changed after a revision, in the order of the plan.
pub async fn changed_steps(
    db: &mut PgConnection,
    id: OperationId,
    after_revision: i64,
) -> Result<Vec<ChangedStep>> {
    let rows = sqlx::query_as!(
        StepRow,
        r#"SELECT operation_id AS "operation_id: OperationId", name, state, attempts, detail, error, aws_request_id,
                  revision, started_at, finished_at, tries AS "tries: Json<Vec<TryRow>>"
           FROM operation_steps WHERE operation_id = $1 AND revision > $2 ORDER BY position"#,
        id as OperationId,
        after_revision
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(ChangedStep {
                revision: row.revision,
                step: row.try_into()?,
            })
        })
        .collect()
}

/// The newest revision of each of these operations, steps included. For the one poller that serves every watcher:
/// numbers only, so that it needs nobody's scope.
pub async fn newest_revisions(
    db: &mut PgConnection,
    _scope: &OperatorScope,
    ids: &[OperationId],
) -> Result<Vec<(OperationId, i64)>> {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let rows = sqlx::query!(
        r#"SELECT o.id AS "id: OperationId",
                  greatest(o.revision, (SELECT max(s.revision) FROM operation_steps s WHERE s.operation_id = o.id)) AS "newest!"
           FROM operations o WHERE o.id = ANY($1)"#,
        &ids
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.newest)).collect())
}

/// Marks an open operation as cancelled, and with it what it had not begun. The tenant must be locked by this
/// transaction.
pub async fn cancel(
    tx: &mut PgConnection,
    scope: &PartnerScope,
    id: OperationId,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE operations SET state = 'cancelled', finished_at = $3
         WHERE id = $1 AND partner_id = $2 AND state IN ('pending', 'running')",
        id as OperationId,
        scope.partner_id() as PartnerId,
        now
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "UPDATE operation_steps SET state = $2, finished_at = $3, detail = coalesce(detail, 'cancelled')
         WHERE operation_id = $1 AND state IN ('pending', 'running')",
        id as OperationId,
        StepState::Skipped.as_str(),
        now
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Takes a locked tenant from the worker that has it, unless other operations of it are open: nothing more is done
/// for it until something is asked anew. Returns whether it was taken.
pub async fn stop_work(tx: &mut PgConnection, scope: &PartnerScope, tenant_id: TenantId) -> Result<bool> {
    let stopped = sqlx::query!(
        "UPDATE tenants
         SET lease_owner = NULL, lease_expires_at = NULL, fencing_token = fencing_token + 1, next_attempt_at = 'infinity'
         WHERE id = $1 AND partner_id = $2 AND state = 'active'
           AND NOT EXISTS (SELECT FROM operations WHERE tenant_id = $1 AND operations.state IN ('pending', 'running'))",
        tenant_id as TenantId,
        scope.partner_id() as PartnerId
    )
    .execute(tx)
    .await?;
    Ok(stopped.rows_affected() == 1)
}
