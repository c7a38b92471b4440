//! Operations and their steps, as callers read them. The worker writes progress through a module of its own.

use crate::{
    Error, Result,
    domain::{
        actor::{PartnerScope, ReadScope},
        operation::{Failure, Operation, OperationState, Step},
    },
    ids::{OperationId, PartnerId, TenantId},
};
use sqlx::{PgConnection, types::Json};

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
    let row = sqlx::query!(
        r#"SELECT partner_id AS "partner_id: PartnerId", tenant_id AS "tenant_id: TenantId", resource_id, kind,
                  target_generation, state, error AS "error: Json<Failure>", request_id, created_at, started_at, finished_at,
                  traceparent
           FROM operations WHERE id = $1 AND ($2::text IS NULL OR partner_id = $2)"#,
        id as OperationId,
        scope.partner_id() as Option<PartnerId>
    )
    .fetch_optional(&mut *db)
    .await?
    .ok_or_else(|| Error::not_found("operation"))?;
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
        (state, ..) => {
            return Err(Error::internal(anyhow::anyhow!(
                "operation {id} is `{state}` without its data"
            )));
        }
    };
    let operation = Operation {
        id,
        partner_id: row.partner_id,
        tenant_id: row.tenant_id,
        resource_id: row.resource_id,
        kind: row.kind.parse()?,
        target_generation: row.target_generation,
        state,
        request_id: row.request_id,
        traceparent: row.traceparent,
        created_at: row.created_at,
    };
    Ok((operation, steps(db, id).await?))
}

/// Steps of an operation that the caller may see, in order.
pub async fn steps(db: &mut PgConnection, id: OperationId) -> Result<Vec<Step>> {
    let rows = sqlx::query!(
        "SELECT name, state, attempts, detail, error, aws_request_id, started_at, finished_at
         FROM operation_steps WHERE operation_id = $1 ORDER BY position",
        id as OperationId
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Step {
                name: row.name,
                state: row.state.parse()?,
                attempts: row.attempts,
                detail: row.detail,
                error: row.error,
                aws_request_id: row.aws_request_id,
                started_at: row.started_at,
                finished_at: row.finished_at,
            })
        })
        .collect()
}
