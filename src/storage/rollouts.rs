//! Rollouts. They belong to the installation; their tenants' rows are in [`tenants`].
//!
//! One worker at a time works on a rollout: it holds a lease, and every transaction of it begins with [`hold`].

pub mod tenants;

use super::{Cursor, Page, PageRequest};
use crate::{
    Error, Result,
    domain::{
        actor::OperatorScope,
        rollout::{Health, Plan, Rollout, Stopped},
    },
    ids::{CellId, ReleaseId, RolloutId},
};
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};

struct Row {
    id: RolloutId,
    release_name: String,
    plan: Json<Plan>,
    state: String,
    wave: i32,
    waves: i32,
    soaking_since: Option<DateTime<Utc>>,
    health: Option<Json<Health>>,
    stopped: Option<Json<Stopped>>,
    created_by: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
}

impl TryFrom<Row> for Rollout {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id,
            release: row.release_name,
            cells: Vec::new(),
            plan: row.plan.0,
            state: row.state.parse()?,
            wave: u32::try_from(row.wave).map_err(Error::internal)?,
            waves: u32::try_from(row.waves).map_err(Error::internal)?,
            soaking_since: row.soaking_since,
            health: row.health.map(|Json(health)| health),
            stopped: row.stopped.map(|Json(stopped)| stopped),
            created_by: row.created_by,
            created_at: row.created_at,
            updated_at: row.updated_at,
            finished_at: row.finished_at,
        })
    }
}

/// Serializes the beginnings of rollouts, until the transaction ends.
pub async fn lock_beginnings(tx: &mut PgConnection, _scope: &OperatorScope) -> Result<()> {
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtext('begin_rollout'))")
        .fetch_one(tx)
        .await?;
    Ok(())
}

/// Adds a rollout and its cells.
pub async fn insert(tx: &mut PgConnection, _scope: &OperatorScope, rollout: &Rollout) -> Result<()> {
    sqlx::query!(
        "INSERT INTO rollouts (id, release_name, plan, state, waves, created_by, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
        rollout.id as RolloutId,
        rollout.release,
        Json(&rollout.plan) as _,
        rollout.state.as_str(),
        to_i32(rollout.waves),
        rollout.created_by,
        rollout.created_at
    )
    .execute(&mut *tx)
    .await?;
    let cells: Vec<String> = rollout.cells.iter().map(|(cell, _)| cell.to_string()).collect();
    let releases: Vec<String> = rollout
        .cells
        .iter()
        .map(|(_, release)| release.to_string())
        .collect();
    sqlx::query!(
        "INSERT INTO rollout_cells (rollout_id, cell_id, release_id)
         SELECT $1, * FROM unnest($2::text[], $3::text[])",
        rollout.id as RolloutId,
        &cells,
        &releases
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// One rollout.
pub async fn get(db: &mut PgConnection, _scope: &OperatorScope, id: RolloutId) -> Result<Rollout> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: RolloutId", release_name, plan AS "plan: Json<Plan>", state, wave, waves, soaking_since,
                  health AS "health: Json<Health>", stopped AS "stopped: Json<Stopped>", created_by, created_at,
                  updated_at, finished_at
           FROM rollouts WHERE id = $1"#,
        id as RolloutId
    )
    .fetch_optional(&mut *db)
    .await?
    .ok_or_else(|| Error::not_found("rollout"))?;
    let mut rollout = Rollout::try_from(row)?;
    rollout.cells = cells(db, id).await?;
    Ok(rollout)
}

async fn cells(db: &mut PgConnection, id: RolloutId) -> Result<Vec<(CellId, ReleaseId)>> {
    let rows = sqlx::query!(
        r#"SELECT cell_id AS "cell_id: CellId", release_id AS "release_id: ReleaseId"
           FROM rollout_cells WHERE rollout_id = $1 ORDER BY cell_id"#,
        id as RolloutId
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.cell_id, row.release_id))
        .collect())
}

/// One rollout, held against other changes until the transaction ends.
pub async fn lock(tx: &mut PgConnection, scope: &OperatorScope, id: RolloutId) -> Result<Rollout> {
    sqlx::query!(
        "SELECT id FROM rollouts WHERE id = $1 FOR UPDATE",
        id as RolloutId
    )
    .fetch_optional(&mut *tx)
    .await?;
    get(tx, scope, id).await
}

/// Rollouts, oldest first.
pub async fn list(
    db: &mut PgConnection,
    _scope: &OperatorScope,
    request: &PageRequest,
) -> Result<Page<Rollout>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: RolloutId", release_name, plan AS "plan: Json<Plan>", state, wave, waves, soaking_since,
                  health AS "health: Json<Health>", stopped AS "stopped: Json<Stopped>", created_by, created_at,
                  updated_at, finished_at
           FROM rollouts WHERE $1::timestamptz IS NULL OR (created_at, id) > ($1, $2)
           ORDER BY created_at, id LIMIT $3"#,
        request.after_time(),
        request.after_id(),
        request.fetch()
    )
    .fetch_all(&mut *db)
    .await?;
    let mut rollouts = Vec::with_capacity(rows.len());
    for row in rows {
        let mut rollout = Rollout::try_from(row)?;
        rollout.cells = cells(db, rollout.id).await?;
        rollouts.push(rollout);
    }
    Ok(request.page(rollouts, |rollout: &Rollout| Cursor {
        created_at: rollout.created_at,
        id: rollout.id.to_string(),
    }))
}

/// The rollout that works on one of these cells, if there is one.
pub async fn live_in(
    db: &mut PgConnection,
    _scope: &OperatorScope,
    cells: &[(CellId, ReleaseId)],
) -> Result<Option<RolloutId>> {
    let cells: Vec<String> = cells.iter().map(|(cell, _)| cell.to_string()).collect();
    let found = sqlx::query_scalar!(
        r#"SELECT id AS "id: RolloutId" FROM rollouts JOIN rollout_cells ON rollout_id = id
           WHERE finished_at IS NULL AND cell_id = ANY($1) ORDER BY created_at LIMIT 1"#,
        &cells
    )
    .fetch_optional(db)
    .await?;
    Ok(found)
}

/// Leases a rollout that nobody works on until `until`; the one that has waited longest.
pub async fn claim(
    db: &mut PgConnection,
    owner: &str,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
    except: &[RolloutId],
) -> Result<Option<RolloutId>> {
    let except: Vec<String> = except.iter().map(ToString::to_string).collect();
    let claimed = sqlx::query_scalar!(
        r#"WITH due AS (
               SELECT id FROM rollouts
               WHERE finished_at IS NULL AND id <> ALL($4)
                 AND (lease_owner = $1 OR lease_expires_at IS NULL OR lease_expires_at <= $2)
               ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED)
           UPDATE rollouts SET lease_owner = $1, lease_expires_at = $3
           FROM due WHERE rollouts.id = due.id
           RETURNING rollouts.id AS "id: RolloutId""#,
        owner,
        now,
        until,
        &except
    )
    .fetch_optional(db)
    .await?;
    Ok(claimed)
}

/// The rollout, held until the transaction ends, with the lease renewed; `None` when the lease was lost or it has ended.
pub async fn hold(
    tx: &mut PgConnection,
    scope: &OperatorScope,
    (id, owner): (RolloutId, &str),
    until: DateTime<Utc>,
) -> Result<Option<Rollout>> {
    let held = sqlx::query!(
        "UPDATE rollouts SET lease_expires_at = $3 WHERE id = $1 AND lease_owner = $2 AND finished_at IS NULL",
        id as RolloutId,
        owner,
        until
    )
    .execute(&mut *tx)
    .await?;
    if held.rows_affected() == 0 {
        return Ok(None);
    }
    get(tx, scope, id).await.map(Some)
}

/// Writes how far a held or locked rollout is.
pub async fn update(tx: &mut PgConnection, _scope: &OperatorScope, rollout: &Rollout) -> Result<()> {
    sqlx::query!(
        "UPDATE rollouts SET state = $2, wave = $3, waves = $4, soaking_since = $5, health = $6, stopped = $7,
                updated_at = $8, finished_at = $9
         WHERE id = $1",
        rollout.id as RolloutId,
        rollout.state.as_str(),
        to_i32(rollout.wave),
        to_i32(rollout.waves),
        rollout.soaking_since,
        rollout.health.as_ref().map(Json) as _,
        rollout.stopped.as_ref().map(Json) as _,
        rollout.updated_at,
        rollout.finished_at
    )
    .execute(tx)
    .await?;
    Ok(())
}

fn to_i32(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
