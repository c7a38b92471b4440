//! Cells. They belong to the installation.

use super::{Cursor, Page, PageRequest};
use crate::{
    Error, Result,
    domain::{
        actor::{OperatorScope, PartnerScope},
        cell::{Artifacts, CallLimits, Candidate, Cell, CellAccess, HeadRoom, Quotas, Use},
    },
    ids::{CellId, PartnerId, ReleaseId},
};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgConnection, types::Json};

struct Row {
    id: CellId,
    account_id: String,
    region: String,
    architecture: String,
    state: String,
    artifact_bucket: String,
    log_group_name: String,
    event_queue_url: Option<String>,
    artifacts: Json<Artifacts>,
    release_id: Option<ReleaseId>,
    quotas: Json<Quotas>,
    aws_call_limits: Json<CallLimits>,
    role_arn: Option<String>,
    external_id: Option<String>,
    allowed_provider_networks: Vec<String>,
    revision: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Row> for Cell {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let networks = row
            .allowed_provider_networks
            .iter()
            .map(|text| text.parse())
            .collect::<Result<_, _>>();
        Ok(Self {
            id: row.id,
            account_id: row.account_id,
            region: row.region,
            architecture: row.architecture.parse()?,
            state: row.state.parse()?,
            artifact_bucket: row.artifact_bucket,
            log_group_name: row.log_group_name,
            event_queue_url: row.event_queue_url,
            artifacts: row.artifacts.0,
            release_id: row.release_id,
            quotas: row.quotas.0,
            aws_call_limits: row.aws_call_limits.0,
            access: access(row.role_arn, row.external_id),
            allowed_provider_networks: networks
                .map_err(|error: ipnet::AddrParseError| Error::internal(anyhow::Error::from(error)))?,
            revision: row.revision,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// How an account is reached, from the columns of its cell.
pub(super) fn access(role_arn: Option<String>, external_id: Option<String>) -> Option<CellAccess> {
    role_arn.map(|role_arn| CellAccess {
        role_arn,
        external_id,
    })
}

/// Every cell, oldest first.
pub async fn list(db: &mut PgConnection, _scope: &OperatorScope) -> Result<Vec<Cell>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: CellId", account_id, region, architecture, state, artifact_bucket, log_group_name,
                  event_queue_url, artifacts AS "artifacts: Json<Artifacts>", release_id AS "release_id: ReleaseId",
                  quotas AS "quotas: Json<Quotas>", aws_call_limits AS "aws_call_limits: Json<CallLimits>", role_arn, external_id, allowed_provider_networks, revision, created_at, updated_at
           FROM cells ORDER BY created_at, id"#
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Cell::try_from).collect()
}

/// Part of them, oldest first.
pub async fn page(
    db: &mut PgConnection,
    _scope: &OperatorScope,
    request: &PageRequest,
) -> Result<Page<Cell>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: CellId", account_id, region, architecture, state, artifact_bucket, log_group_name,
                  event_queue_url, artifacts AS "artifacts: Json<Artifacts>", release_id AS "release_id: ReleaseId",
                  quotas AS "quotas: Json<Quotas>", aws_call_limits AS "aws_call_limits: Json<CallLimits>", role_arn, external_id, allowed_provider_networks, revision, created_at, updated_at
           FROM cells WHERE $1::timestamptz IS NULL OR (created_at, id) > ($1, $2)
           ORDER BY created_at, id LIMIT $3"#,
        request.after_time(),
        request.after_id(),
        request.fetch()
    )
    .fetch_all(db)
    .await?;
    let cells = rows.into_iter().map(Cell::try_from).collect::<Result<Vec<_>>>()?;
    Ok(request.page(cells, |cell| Cursor {
        created_at: cell.created_at,
        id: cell.id.to_string(),
    }))
}

/// One cell.
pub async fn get(db: &mut PgConnection, _scope: &OperatorScope, id: CellId) -> Result<Cell> {
    sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: CellId", account_id, region, architecture, state, artifact_bucket, log_group_name,
                  event_queue_url, artifacts AS "artifacts: Json<Artifacts>", release_id AS "release_id: ReleaseId",
                  quotas AS "quotas: Json<Quotas>", aws_call_limits AS "aws_call_limits: Json<CallLimits>", role_arn, external_id, allowed_provider_networks, revision, created_at, updated_at
           FROM cells WHERE id = $1"#,
        id as CellId
    )
    .fetch_optional(db)
    .await?
    .ok_or_else(|| Error::not_found("cell"))?
    .try_into()
}

/// Cells that take new tenants, oldest first, with their room. Needs no operator: partners place tenants. Placements wait
/// for each other until their transactions end, so that the last place is given away once.
pub async fn open_for_placement(tx: &mut PgConnection, now: DateTime<Utc>) -> Result<Vec<Candidate>> {
    lock_placement(tx).await?;
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: CellId", account_id, region, architecture, state, artifact_bucket, log_group_name,
                  event_queue_url, artifacts AS "artifacts: Json<Artifacts>", release_id AS "release_id: ReleaseId",
                  quotas AS "quotas: Json<Quotas>", aws_call_limits AS "aws_call_limits: Json<CallLimits>", role_arn, external_id, allowed_provider_networks, revision, created_at, updated_at
           FROM cells WHERE state = 'ready' ORDER BY created_at, id"#
    )
    .fetch_all(&mut *tx)
    .await?;
    let mut candidates = Vec::with_capacity(rows.len());
    for row in rows {
        let cell = Cell::try_from(row)?;
        let head_room = head_room(tx, &cell, now).await?;
        candidates.push(Candidate { cell, head_room });
    }
    Ok(candidates)
}

/// Has every other placement wait until the transaction ends.
pub async fn lock_placement(tx: &mut PgConnection) -> Result<()> {
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtext('place_tenant'))")
        .fetch_one(tx)
        .await?;
    Ok(())
}

/// How long back sign-ins are looked at, minutes.
const BUSY_MIN: i64 = 60;

/// The room that a cell has.
pub async fn head_room(db: &mut PgConnection, cell: &Cell, now: DateTime<Utc>) -> Result<HeadRoom> {
    let used = sqlx::query!(
        r#"SELECT tenants_in_cell($1) AS "tenants!", busiest_minute_of_cell($1, $2) AS "busiest_minute!""#,
        cell.id as CellId,
        now - TimeDelta::minutes(BUSY_MIN)
    )
    .fetch_one(db)
    .await?;
    let count = |value: i64| u64::try_from(value).unwrap_or_default();
    let used = Use {
        tenants: count(used.tenants),
        busiest_minute: count(used.busiest_minute),
    };
    Ok(HeadRoom::new(&cell.quotas, used))
}

/// The cell in which an unfinished tenant of this name is reserved: it is counted there already.
pub async fn of_reservation(tx: &mut PgConnection, scope: &PartnerScope, name: &str) -> Result<Option<Cell>> {
    sqlx::query_as!(
        Row,
        r#"SELECT c.id AS "id: CellId", c.account_id, c.region, c.architecture, c.state, c.artifact_bucket, c.log_group_name,
                  c.event_queue_url, c.artifacts AS "artifacts: Json<Artifacts>", c.release_id AS "release_id: ReleaseId",
                  c.quotas AS "quotas: Json<Quotas>", c.aws_call_limits AS "aws_call_limits: Json<CallLimits>", c.role_arn, c.external_id, c.allowed_provider_networks, c.revision, c.created_at, c.updated_at
           FROM tenants t JOIN cells c ON c.id = t.cell_id
           WHERE t.partner_id = $1 AND t.name = $2 AND t.state = 'awaiting_secret'"#,
        scope.partner_id() as PartnerId,
        name
    )
    .fetch_optional(tx)
    .await?
    .map(Cell::try_from)
    .transpose()
}

/// One cell, held against other changes until the transaction ends.
pub async fn lock(tx: &mut PgConnection, scope: &OperatorScope, id: CellId) -> Result<Cell> {
    sqlx::query!("SELECT id FROM cells WHERE id = $1 FOR UPDATE", id as CellId)
        .fetch_optional(&mut *tx)
        .await?;
    get(tx, scope, id).await
}

/// Writes what operators may change of a locked cell: state, quotas and limits of calls.
pub async fn update(
    tx: &mut PgConnection,
    _scope: &OperatorScope,
    cell: &Cell,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE cells SET state = $2, quotas = $3, aws_call_limits = $4, updated_at = $5 WHERE id = $1",
        cell.id as CellId,
        cell.state.as_str(),
        Json(&cell.quotas) as _,
        Json(&cell.aws_call_limits) as _,
        now
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Registers a cell, or brings the row of its account and region to these values (keeping id, state, quotas,
/// limits of calls and creation time). Returns the row as it is now.
pub async fn upsert(db: &mut PgConnection, scope: &OperatorScope, cell: &Cell) -> Result<Cell> {
    let networks: Vec<String> = cell
        .allowed_provider_networks
        .iter()
        .map(ToString::to_string)
        .collect();
    let id = sqlx::query_scalar!(
        r#"INSERT INTO cells (id, account_id, region, architecture, state, artifact_bucket, log_group_name, artifacts,
                              allowed_provider_networks, created_at, updated_at, event_queue_url, role_arn, external_id)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11, $12, $13)
           ON CONFLICT (account_id, region) DO UPDATE SET
               architecture = excluded.architecture, artifact_bucket = excluded.artifact_bucket,
               log_group_name = excluded.log_group_name, event_queue_url = excluded.event_queue_url, artifacts = excluded.artifacts,
               allowed_provider_networks = excluded.allowed_provider_networks, updated_at = excluded.updated_at,
               role_arn = excluded.role_arn, external_id = excluded.external_id
           RETURNING id AS "id: CellId""#,
        cell.id as CellId,
        cell.account_id,
        cell.region,
        cell.architecture.as_str(),
        cell.state.as_str(),
        cell.artifact_bucket,
        cell.log_group_name,
        Json(&cell.artifacts) as _,
        &networks,
        cell.updated_at,
        cell.event_queue_url,
        cell.access.as_ref().map(|access| access.role_arn.as_str()),
        cell.access.as_ref().and_then(|access| access.external_id.as_deref())
    )
    .fetch_one(&mut *db)
    .await?;
    get(db, scope, id).await
}
