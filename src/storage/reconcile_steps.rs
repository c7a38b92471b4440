//! Steps of operations, as the worker records them. The rules of [`super::reconcile`] hold here too.
//!
//! A pass serves every open operation of its tenant at once: what it records of a step goes into each of them
//! that has the step in its plan.

use crate::{
    Result,
    domain::{
        operation::OperationKind,
        provisioning::{Claim, Observed, StepName},
    },
    ids::{OperationId, TenantId},
};
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};

/// The operations that a pass serves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opened {
    /// Whether one of them was not running before: then something new was asked for since the last pass.
    pub new: bool,
    /// Trace contexts of the requests that asked for them.
    pub traceparents: Vec<String>,
}

/// Sets the tenant's open operations running and gives each its plan, where it has none yet.
pub async fn open(
    db: &mut PgConnection,
    claim: &Claim,
    generation: i64,
    now: DateTime<Utc>,
) -> Result<Opened> {
    let operations = sqlx::query!(
        r#"WITH held AS (
               SELECT id FROM tenants WHERE id = $1 AND lease_owner = $2 AND fencing_token = $3
           )
           UPDATE operations SET state = 'running', started_at = coalesce(started_at, $5)
           FROM held
           WHERE tenant_id = held.id AND target_generation <= $4 AND operations.state IN ('pending', 'running')
           RETURNING operations.id AS "id: OperationId", kind, started_at = $5 AS "new!", traceparent, request_id"#,
        claim.tenant_id as TenantId,
        claim.owner,
        claim.fencing_token,
        generation,
        now
    )
    .fetch_all(&mut *db)
    .await?;
    let opened = Opened {
        new: operations.iter().any(|operation| operation.new),
        traceparents: operations
            .iter()
            .filter_map(|operation| operation.traceparent.clone())
            .collect(),
    };
    for operation in operations {
        if operation.new {
            tracing::info!(
                operation_id = %operation.id, tenant_id = %claim.tenant_id, request_id = operation.request_id,
                traceparent = operation.traceparent, "operation taken up"
            );
        }
        plan(&mut *db, operation.id, operation.kind.parse()?).await?;
    }
    Ok(opened)
}

/// Lists the steps of an operation as pending; those that are listed already stay as they are.
pub async fn plan(db: &mut PgConnection, operation: OperationId, kind: OperationKind) -> Result<()> {
    let names: Vec<String> = StepName::plan(kind)
        .iter()
        .map(|step| step.as_str().to_owned())
        .collect();
    sqlx::query!(
        "INSERT INTO operation_steps (operation_id, position, name, state)
         SELECT $1, position - 1, name, 'pending'
         FROM unnest($2::text[]) WITH ORDINALITY AS steps (name, position)
         ON CONFLICT (operation_id, position) DO NOTHING",
        operation as OperationId,
        &names
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Tries of a step that are kept; with the pauses between passes that is more than an hour of failures.
const TRIES_KEPT: i32 = 20;

/// A step begins, or begins again.
pub async fn begin(
    db: &mut PgConnection,
    claim: &Claim,
    generation: i64,
    step: StepName,
    now: DateTime<Utc>,
    lease_until: DateTime<Utc>,
) -> Result<bool> {
    let held = sqlx::query_scalar!(
        r#"WITH held AS (
               UPDATE tenants SET lease_expires_at = $7
               WHERE id = $1 AND lease_owner = $2 AND fencing_token = $3 RETURNING id
           ), steps AS (
               UPDATE operation_steps
               SET state = 'running', attempts = attempts + 1, started_at = coalesce(operation_steps.started_at, $6),
                   finished_at = NULL,
                   tries = CASE WHEN jsonb_array_length(tries) >= $8 THEN tries - 0 ELSE tries END
                           || jsonb_build_object('number', attempts + 1, 'started_at', $6::timestamptz)
               FROM operations, held
               WHERE operation_id = operations.id AND tenant_id = held.id AND target_generation <= $4
                 AND operations.state = 'running' AND operation_steps.name = $5
           )
           SELECT count(*) AS "held!" FROM held"#,
        claim.tenant_id as TenantId,
        claim.owner,
        claim.fencing_token,
        generation,
        step.as_str(),
        now,
        lease_until,
        TRIES_KEPT
    )
    .fetch_one(db)
    .await?;
    Ok(held == 1)
}

/// What is known of a step that ended, or of one that goes on.
#[derive(Debug, Clone, Copy)]
pub struct StepRecord<'a> {
    /// The step.
    pub step: StepName,
    /// `running`, `succeeded` or `skipped`.
    pub state: crate::domain::operation::StepState,
    /// What it is doing or did.
    pub detail: Option<&'a str>,
    /// Why it failed; it stays `running`, because it is tried again.
    pub error: Option<&'a str>,
    /// AWS's request id of the last call.
    pub aws_request_id: Option<&'a str>,
}

/// Records a step, and with it what was observed in AWS. A try ends with its step, or with an error.
pub async fn record(
    db: &mut PgConnection,
    claim: &Claim,
    generation: i64,
    record: StepRecord<'_>,
    observed: &Observed,
    now: DateTime<Utc>,
) -> Result<bool> {
    let ended = record.state != crate::domain::operation::StepState::Running;
    let held = sqlx::query_scalar!(
        r#"WITH held AS (
               UPDATE tenants SET observed = $6
               WHERE id = $1 AND lease_owner = $2 AND fencing_token = $3 RETURNING id
           ), steps AS (
               UPDATE operation_steps
               SET state = $7, detail = coalesce($8, detail), error = $9,
                   aws_request_id = coalesce($10, aws_request_id), finished_at = CASE WHEN $11 THEN $12::timestamptz END,
                   tries = CASE WHEN ($11 OR $9::text IS NOT NULL) AND jsonb_array_length(tries) > 0
                                THEN jsonb_set(tries, '{-1}', (tries -> -1) || jsonb_strip_nulls(jsonb_build_object(
                                         'finished_at', $12::timestamptz, 'error', $9::text, 'aws_request_id', $10::text)))
                                ELSE tries END
               FROM operations, held
               WHERE operation_id = operations.id AND tenant_id = held.id AND target_generation <= $4
                 AND operations.state = 'running' AND operation_steps.name = $5
           )
           SELECT count(*) AS "held!" FROM held"#,
        claim.tenant_id as TenantId,
        claim.owner,
        claim.fencing_token,
        generation,
        record.step.as_str(),
        Json(observed) as _,
        record.state.as_str(),
        record.detail,
        record.error,
        record.aws_request_id,
        ended,
        now
    )
    .fetch_one(db)
    .await?;
    Ok(held == 1)
}
