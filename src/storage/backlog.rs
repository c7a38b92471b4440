//! What waits in the database: read by the worker for its metrics. Nothing of a partner is read but counts.

use crate::{Result, domain::actor::OperatorScope, ids::CellId};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// How much waits, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backlog {
    /// Tenants that are due and that nobody has claimed, and since when the first of them is.
    pub work: Waiting,
    /// Operations that no worker has taken up.
    pub pending_operations: i64,
    /// Operations that a worker is at.
    pub running_operations: i64,
    /// When the oldest operation that is not over was asked for.
    pub oldest_operation_at: Option<DateTime<Utc>>,
    /// Deliveries to webhooks that are not over, and since when the first of them is due.
    pub deliveries: Waiting,
    /// Entries of the audit log that are not sealed, and when the first of them was written.
    pub unsealed: Waiting,
}

/// How many things wait, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// How many.
    pub count: i64,
    /// Since when the first of them does; `None` when none does.
    pub since: Option<DateTime<Utc>>,
}

/// Reads it.
pub async fn read(db: &mut PgConnection, _scope: &OperatorScope, now: DateTime<Utc>) -> Result<Backlog> {
    // What is due is what `reconcile::claim_due` would claim.
    let row = sqlx::query!(
        r#"SELECT work.count AS "work!", work.since AS work_since, open.pending AS "pending!", open.running AS "running!",
                  open.oldest, due.count AS "deliveries!", due.since AS deliveries_since, unsealed.count AS "unsealed!",
                  unsealed.since AS unsealed_since
           FROM (SELECT count(*), min(next_attempt_at) AS since FROM tenants
                 WHERE state = 'active' AND generation > observed_generation AND next_attempt_at <= $1
                   AND (lease_expires_at IS NULL OR lease_expires_at <= $1)) AS work,
                (SELECT count(*) FILTER (WHERE state = 'pending') AS pending,
                        count(*) FILTER (WHERE state = 'running') AS running, min(created_at) AS oldest
                 FROM operations WHERE state IN ('pending', 'running')) AS open,
                (SELECT count(*), min(next_attempt_at) FILTER (WHERE next_attempt_at <= $1) AS since
                 FROM webhook_deliveries WHERE state = 'pending') AS due,
                (SELECT count(*), min(a.at) AS since FROM audit_commits c JOIN audit_log a ON a.position = c.position
                 WHERE c.commit_order > coalesce((SELECT max(commit_order) FROM audit_seals), 0)) AS unsealed"#,
        now
    )
    .fetch_one(db)
    .await?;
    let waiting = |count, since| Waiting { count, since };
    Ok(Backlog {
        work: waiting(row.work, row.work_since),
        pending_operations: row.pending,
        running_operations: row.running,
        oldest_operation_at: row.oldest,
        deliveries: waiting(row.deliveries, row.deliveries_since),
        unsealed: waiting(row.unsealed, row.unsealed_since),
    })
}

/// The conditions that tenants are counted by.
pub const CONDITIONS: [&str; 8] = [
    "awaiting_secret",
    "deleting",
    "purging",
    "deleted",
    "failing",
    "in_progress",
    "suspended",
    "ready",
];

/// How many tenants of a cell are in a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenants {
    /// The cell.
    pub cell_id: CellId,
    /// One of [`CONDITIONS`]; the first that applies.
    pub condition: String,
    /// How many.
    pub count: i64,
}

/// Counts the tenants of every cell.
pub async fn tenants(db: &mut PgConnection, _scope: &OperatorScope) -> Result<Vec<Tenants>> {
    let rows = sqlx::query_as!(
        Tenants,
        r#"SELECT cell_id AS "cell_id: CellId",
                  CASE WHEN state <> 'active' THEN state WHEN failed_passes > 0 THEN 'failing'
                       WHEN generation > observed_generation THEN 'in_progress'
                       WHEN suspended_at IS NOT NULL THEN 'suspended' ELSE 'ready' END AS "condition!",
                  count(*) AS "count!"
           FROM tenants GROUP BY 1, 2"#
    )
    .fetch_all(db)
    .await?;
    Ok(rows)
}
