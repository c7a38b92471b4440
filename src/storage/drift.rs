//! Checks for drift: which tenants are due, and what was found.
//!
//! A worker claims a check by moving its due time to when it is taken for lost; the outcome is recorded under the
//! claim's number and does nothing when a later check was begun. All workers together begin so many checks a minute in
//! a cell: claims are counted under one lock ([`try_lock`]).

use crate::{
    Result,
    domain::{
        actor::{OperatorScope, PartnerScope, ReadScope},
        drift::{CheckClaim, DriftSummary, Finding, KnownFinding},
    },
    ids::{OperationId, PartnerId, TenantId},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sqlx::{PgConnection, types::Json};

/// Whether this transaction may claim; held until it ends.
pub async fn try_lock(tx: &mut PgConnection, _scope: &OperatorScope) -> Result<bool> {
    let locked = sqlx::query_scalar!(
        r#"SELECT pg_try_advisory_xact_lock(hashtextextended('stepgate.drift_checks', 0)) AS "locked!""#
    )
    .fetch_one(tx)
    .await?;
    Ok(locked)
}

/// How many checks may begin.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// In a cell within a minute, by all workers together.
    pub per_min: i64,
    /// Now, by this worker.
    pub at_once: i64,
}

/// Claims checks of ready tenants that are due, the longest due first. Tenants that are being changed are not compared:
/// what differs there is what is being done.
pub async fn claim_due(
    tx: &mut PgConnection,
    _scope: &OperatorScope,
    budget: Budget,
    lease: TimeDelta,
    now: DateTime<Utc>,
) -> Result<Vec<CheckClaim>> {
    let until = now + lease;
    let rows = sqlx::query!(
        r#"WITH spent AS (
               SELECT cell_id, count(*) AS checks FROM tenants WHERE drift_claimed_at > $1 GROUP BY cell_id
           ), due AS (
               SELECT t.id, t.drift_due_at,
                      row_number() OVER (PARTITION BY t.cell_id ORDER BY t.drift_due_at NULLS FIRST, t.id)
                          + coalesce(s.checks, 0) AS place
               FROM tenants t LEFT JOIN spent s ON s.cell_id = t.cell_id
               WHERE t.state = 'active' AND t.observed_generation >= t.generation
                 AND coalesce(t.drift_due_at <= $2, true)
           ), picked AS (
               SELECT id FROM due WHERE place <= $3 ORDER BY drift_due_at NULLS FIRST, id LIMIT $4
           )
           UPDATE tenants SET drift_claim = drift_claim + 1, drift_claimed_at = $2, drift_due_at = $5
           FROM picked WHERE tenants.id = picked.id
           RETURNING tenants.id AS "id: TenantId", partner_id AS "partner_id: PartnerId", drift_claim"#,
        now - TimeDelta::minutes(1),
        now,
        budget.per_min,
        budget.at_once,
        until
    )
    .fetch_all(tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| CheckClaim {
            tenant_id: row.id,
            partner_id: row.partner_id,
            number: row.drift_claim,
            until,
        })
        .collect())
}

/// Holds the tenant until the transaction ends, if the claim still stands and the tenant is still as it was compared.
pub async fn hold(
    tx: &mut PgConnection,
    scope: &PartnerScope,
    claim: &CheckClaim,
    generation: i64,
) -> Result<bool> {
    let held = sqlx::query!(
        "SELECT id FROM tenants
         WHERE id = $1 AND partner_id = $2 AND drift_claim = $3 AND generation = $4 AND observed_generation >= $4
           AND state = 'active' FOR UPDATE",
        claim.tenant_id as TenantId,
        scope.partner_id() as PartnerId,
        claim.number,
        generation
    )
    .fetch_optional(tx)
    .await?;
    Ok(held.is_some())
}

/// Writes down what a check came to, and when the next one is due unless somebody asked for one meanwhile.
pub async fn record(
    tx: &mut PgConnection,
    scope: &PartnerScope,
    claim: &CheckClaim,
    summary: &DriftSummary,
    next_at: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE tenants
         SET drift = $4, drift_due_at = CASE WHEN drift_due_at < $5 THEN drift_due_at ELSE $6::timestamptz END
         WHERE id = $1 AND partner_id = $2 AND drift_claim = $3",
        claim.tenant_id as TenantId,
        scope.partner_id() as PartnerId,
        claim.number,
        Json(summary) as _,
        claim.until,
        next_at
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Gives a check up without an outcome; the next one is due at `next_at` unless somebody asked for an earlier one.
pub async fn give_up(
    tx: &mut PgConnection,
    _scope: &OperatorScope,
    claim: &CheckClaim,
    next_at: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE tenants SET drift_due_at = $3 WHERE id = $1 AND drift_claim = $2 AND drift_due_at > $3",
        claim.tenant_id as TenantId,
        claim.number,
        next_at
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Has a tenant checked as soon as the budget allows, and what could not be written back tried again.
pub async fn ask(
    tx: &mut PgConnection,
    scope: &PartnerScope,
    id: TenantId,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE tenants SET drift_due_at = $3 WHERE id = $1 AND partner_id = $2",
        id as TenantId,
        scope.partner_id() as PartnerId,
        now
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "UPDATE drift_findings f SET operation_id = NULL
         WHERE f.tenant_id = $1 AND f.partner_id = $2
           AND NOT EXISTS (SELECT FROM operations o WHERE o.id = f.operation_id AND o.state IN ('pending', 'running'))",
        id as TenantId,
        scope.partner_id() as PartnerId
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// When the next check of a tenant is due; `None` when at once.
pub async fn next_at(
    db: &mut PgConnection,
    scope: &ReadScope,
    id: TenantId,
) -> Result<Option<DateTime<Utc>>> {
    let due = sqlx::query_scalar!(
        "SELECT drift_due_at FROM tenants WHERE id = $1 AND ($2::text IS NULL OR partner_id = $2)",
        id as TenantId,
        scope.partner_id() as Option<PartnerId>
    )
    .fetch_optional(db)
    .await?;
    Ok(due.flatten())
}

/// What is known to differ of a tenant.
pub async fn findings(db: &mut PgConnection, scope: &ReadScope, id: TenantId) -> Result<Vec<KnownFinding>> {
    let rows = sqlx::query!(
        r#"SELECT path, severity, wanted AS "wanted: Value", observed AS "observed: Value", healable, found_at,
                  f.operation_id AS "operation_id: OperationId",
                  coalesce(o.state IN ('pending', 'running'), false) AS "healing!"
           FROM drift_findings f LEFT JOIN operations o ON o.id = f.operation_id
           WHERE f.tenant_id = $1 AND ($2::text IS NULL OR f.partner_id = $2)
           ORDER BY array_position(ARRAY['critical', 'high', 'medium'], severity), path"#,
        id as TenantId,
        scope.partner_id() as Option<PartnerId>
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(KnownFinding {
                finding: Finding {
                    path: row.path,
                    severity: row.severity.parse()?,
                    wanted: row.wanted,
                    observed: row.observed,
                    healable: row.healable,
                },
                found_at: row.found_at,
                operation_id: row.operation_id,
                healing: row.healing,
            })
        })
        .collect()
}

/// Puts these in the place of what was known to differ.
pub async fn replace(
    tx: &mut PgConnection,
    scope: &PartnerScope,
    id: TenantId,
    findings: &[KnownFinding],
) -> Result<()> {
    sqlx::query!(
        "DELETE FROM drift_findings WHERE tenant_id = $1 AND partner_id = $2",
        id as TenantId,
        scope.partner_id() as PartnerId
    )
    .execute(&mut *tx)
    .await?;
    for known in findings {
        let finding = &known.finding;
        sqlx::query!(
            "INSERT INTO drift_findings (tenant_id, path, partner_id, severity, wanted, observed, healable, operation_id,
                                         found_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            id as TenantId,
            finding.path,
            scope.partner_id() as PartnerId,
            finding.severity.as_str(),
            finding.wanted,
            finding.observed,
            finding.healable,
            known.operation_id as Option<OperationId>,
            known.found_at
        )
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}
