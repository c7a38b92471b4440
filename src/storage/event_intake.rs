//! How events come in: what could not be stored, and how far behind the reading is. Written by the worker.

use crate::{Result, domain::actor::OperatorScope, ids::CellId};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// Something that came through a queue and could not be stored.
#[derive(Debug, Clone)]
pub struct Quarantined {
    /// An id for the row.
    pub id: String,
    /// Why.
    pub reason: &'static str,
    /// How many events it was.
    pub count: i64,
    /// What the first of them looked like.
    pub sample: String,
    /// The events themselves, as many as a row may hold.
    pub bodies: Vec<String>,
}

/// Puts aside what cannot be stored.
pub async fn quarantine(
    tx: &mut PgConnection,
    _scope: &OperatorScope,
    cell_id: CellId,
    what: &Quarantined,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO quarantined_events (id, cell_id, reason, count, sample, bodies, received_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        what.id,
        cell_id as CellId,
        what.reason,
        what.count,
        what.sample,
        &what.bodies,
        now
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Forgets what was put aside before a time; returns how many rows that was.
pub async fn forget_quarantined(
    tx: &mut PgConnection,
    _scope: &OperatorScope,
    before: DateTime<Utc>,
) -> Result<u64> {
    let deleted = sqlx::query!("DELETE FROM quarantined_events WHERE received_at < $1", before)
        .execute(tx)
        .await?;
    Ok(deleted.rows_affected())
}

/// How far behind the reading of a cell's events is.
#[derive(Debug, Clone, PartialEq)]
pub struct Intake {
    /// The cell.
    pub cell_id: CellId,
    /// When its queue was last read.
    pub looked_at: DateTime<Utc>,
    /// Age of the oldest event that was found then, s; 0 when there was none.
    pub lag_s: f64,
}

/// Notes what a look into a cell's queue found. Of two workers that note at once the later look counts.
pub async fn note(db: &mut PgConnection, _scope: &OperatorScope, intake: &Intake) -> Result<()> {
    sqlx::query!(
        "INSERT INTO event_intake AS known (cell_id, looked_at, lag_s) VALUES ($1, $2, $3)
         ON CONFLICT (cell_id) DO UPDATE SET looked_at = excluded.looked_at, lag_s = excluded.lag_s
         WHERE known.looked_at <= excluded.looked_at",
        intake.cell_id as CellId,
        intake.looked_at,
        intake.lag_s
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Every cell's, those that are furthest behind first.
pub async fn all(db: &mut PgConnection, _scope: &OperatorScope) -> Result<Vec<Intake>> {
    let rows = sqlx::query_as!(
        Intake,
        r#"SELECT cell_id AS "cell_id: CellId", looked_at, lag_s FROM event_intake ORDER BY lag_s DESC, cell_id"#
    )
    .fetch_all(db)
    .await?;
    Ok(rows)
}
