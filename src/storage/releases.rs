//! Releases: trigger artifacts and templates that tenants can run. They belong to the installation and are never changed.

use super::{Cursor, Page, PageRequest};
use crate::{
    Error, Result,
    domain::{
        actor::OperatorScope,
        cell::{Artifacts, Release},
    },
    ids::{CellId, ReleaseId},
};
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};

struct Row {
    id: ReleaseId,
    cell_id: CellId,
    name: String,
    artifacts: Json<Artifacts>,
    template_digest: String,
    created_at: DateTime<Utc>,
}

impl From<Row> for Release {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            cell_id: row.cell_id,
            name: row.name,
            artifacts: row.artifacts.0,
            template_sha256: row.template_digest,
            created_at: row.created_at,
        }
    }
}

/// Every release of a cell, newest first.
pub async fn list(db: &mut PgConnection, _scope: &OperatorScope, cell_id: CellId) -> Result<Vec<Release>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: ReleaseId", cell_id AS "cell_id: CellId", name, artifacts AS "artifacts: Json<Artifacts>",
                  template_digest, created_at
           FROM releases WHERE cell_id = $1 ORDER BY created_at DESC, id DESC"#,
        cell_id as CellId
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(Release::from).collect())
}

/// Part of them, newest first.
pub async fn page(
    db: &mut PgConnection,
    _scope: &OperatorScope,
    cell_id: CellId,
    request: &PageRequest,
) -> Result<Page<Release>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: ReleaseId", cell_id AS "cell_id: CellId", name, artifacts AS "artifacts: Json<Artifacts>",
                  template_digest, created_at
           FROM releases WHERE cell_id = $1 AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3))
           ORDER BY created_at DESC, id DESC LIMIT $4"#,
        cell_id as CellId,
        request.after_time(),
        request.after_id(),
        request.fetch()
    )
    .fetch_all(db)
    .await?;
    let releases = rows.into_iter().map(Release::from).collect();
    Ok(request.page(releases, |release: &Release| Cursor {
        created_at: release.created_at,
        id: release.id.to_string(),
    }))
}

/// A release with the text of its template, for whoever provisions or shows a tenant.
pub async fn with_template(db: &mut PgConnection, id: ReleaseId) -> Result<(Release, String)> {
    let row = sqlx::query!(
        r#"SELECT cell_id AS "cell_id: CellId", name, artifacts AS "artifacts: Json<Artifacts>", template_digest, body,
                  releases.created_at
           FROM releases JOIN templates ON digest = template_digest WHERE id = $1"#,
        id as ReleaseId
    )
    .fetch_optional(db)
    .await?
    .ok_or_else(|| Error::internal(anyhow::anyhow!("release {id} is not there")))?;
    let release = Release {
        id,
        cell_id: row.cell_id,
        name: row.name,
        artifacts: row.artifacts.0,
        template_sha256: row.template_digest,
        created_at: row.created_at,
    };
    Ok((release, row.body))
}

/// Registers a release, unless the cell has it. Returns it as it is there, and whether it is new.
pub async fn register(
    tx: &mut PgConnection,
    _scope: &OperatorScope,
    release: &Release,
    template_body: &str,
) -> Result<(Release, bool)> {
    sqlx::query!(
        "INSERT INTO templates (digest, body, created_at) VALUES ($1, $2, $3) ON CONFLICT (digest) DO NOTHING",
        release.template_sha256,
        template_body,
        release.created_at
    )
    .execute(&mut *tx)
    .await?;
    let inserted = sqlx::query!(
        "INSERT INTO releases (id, cell_id, name, artifacts, template_digest, created_at) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (cell_id, name) DO NOTHING",
        release.id as ReleaseId,
        release.cell_id as CellId,
        release.name,
        Json(&release.artifacts) as _,
        release.template_sha256,
        release.created_at
    )
    .execute(&mut *tx)
    .await?;
    let found = named(tx, release.cell_id, &release.name).await?;
    let found = found.ok_or_else(|| Error::internal(anyhow::anyhow!("a registered release is not there")))?;
    Ok((found, inserted.rows_affected() == 1))
}

/// The release of that name in a cell.
pub async fn named(db: &mut PgConnection, cell_id: CellId, name: &str) -> Result<Option<Release>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: ReleaseId", cell_id AS "cell_id: CellId", name, artifacts AS "artifacts: Json<Artifacts>",
                  template_digest, created_at
           FROM releases WHERE cell_id = $1 AND name = $2"#,
        cell_id as CellId,
        name
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(Release::from))
}

/// Makes a release what new tenants of its cell get. Tenants that followed the cell stay with what it had.
pub async fn make_current(
    tx: &mut PgConnection,
    _scope: &OperatorScope,
    release: &Release,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE tenants SET release_id = c.release_id FROM cells c
         WHERE c.id = tenants.cell_id AND tenants.cell_id = $1 AND tenants.release_id IS NULL",
        release.cell_id as CellId
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "UPDATE cells SET release_id = $2, artifacts = $3, updated_at = $4 WHERE id = $1",
        release.cell_id as CellId,
        release.id as ReleaseId,
        Json(&release.artifacts) as _,
        now
    )
    .execute(tx)
    .await?;
    Ok(())
}
