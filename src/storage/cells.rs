//! Cells. They belong to the installation.

use crate::{
    Error, Result,
    domain::{
        actor::OperatorScope,
        cell::{Artifacts, Cell},
    },
    ids::CellId,
};
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};

struct Row {
    id: CellId,
    account_id: String,
    region: String,
    architecture: String,
    state: String,
    artifact_bucket: String,
    log_group_name: String,
    artifacts: Json<Artifacts>,
    allowed_provider_networks: Vec<String>,
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
            artifacts: row.artifacts.0,
            allowed_provider_networks: networks
                .map_err(|error: ipnet::AddrParseError| Error::internal(anyhow::Error::from(error)))?,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// Every cell, oldest first.
pub async fn list(db: &mut PgConnection, _scope: &OperatorScope) -> Result<Vec<Cell>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: CellId", account_id, region, architecture, state, artifact_bucket, log_group_name,
                  artifacts AS "artifacts: Json<Artifacts>", allowed_provider_networks, created_at, updated_at
           FROM cells ORDER BY created_at, id"#
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Cell::try_from).collect()
}

/// One cell.
pub async fn get(db: &mut PgConnection, _scope: &OperatorScope, id: CellId) -> Result<Cell> {
    sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: CellId", account_id, region, architecture, state, artifact_bucket, log_group_name,
                  artifacts AS "artifacts: Json<Artifacts>", allowed_provider_networks, created_at, updated_at
           FROM cells WHERE id = $1"#,
        id as CellId
    )
    .fetch_optional(db)
    .await?
    .ok_or_else(|| Error::not_found("cell"))?
    .try_into()
}

/// Cells that take new tenants, the one with the fewest tenants first. Needs no operator: partners place tenants.
pub async fn open_for_placement(db: &mut PgConnection) -> Result<Vec<Cell>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: CellId", account_id, region, architecture, state, artifact_bucket, log_group_name,
                  artifacts AS "artifacts: Json<Artifacts>", allowed_provider_networks, created_at, updated_at
           FROM cells WHERE state = 'ready'
           ORDER BY tenants_in_cell(cells.id), created_at, id"#
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Cell::try_from).collect()
}

/// Registers a cell, or brings the row of its account and region to these values (keeping id, state and
/// creation time). Returns the row as it is now.
pub async fn upsert(db: &mut PgConnection, scope: &OperatorScope, cell: &Cell) -> Result<Cell> {
    let networks: Vec<String> = cell
        .allowed_provider_networks
        .iter()
        .map(ToString::to_string)
        .collect();
    let id = sqlx::query_scalar!(
        r#"INSERT INTO cells (id, account_id, region, architecture, state, artifact_bucket, log_group_name, artifacts,
                              allowed_provider_networks, created_at, updated_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
           ON CONFLICT (account_id, region) DO UPDATE SET
               architecture = excluded.architecture, artifact_bucket = excluded.artifact_bucket,
               log_group_name = excluded.log_group_name, artifacts = excluded.artifacts,
               allowed_provider_networks = excluded.allowed_provider_networks, updated_at = excluded.updated_at
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
        cell.updated_at
    )
    .fetch_one(&mut *db)
    .await?;
    get(db, scope, id).await
}
