//! Apps.

use super::{Cursor, Page, PageRequest, name_taken};
use crate::{
    Error, Result,
    domain::{
        actor::{PartnerScope, ReadScope},
        app::{App, AppSettings},
    },
    ids::{AppId, PartnerId, TenantId},
};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgConnection, types::Json};
use std::collections::HashMap;

struct Row {
    id: AppId,
    tenant_id: TenantId,
    partner_id: PartnerId,
    name: String,
    settings: Json<AppSettings>,
    client_id: Option<String>,
    policy_version: i64,
    revision: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Row> for App {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            tenant_id: row.tenant_id,
            partner_id: row.partner_id,
            name: row.name,
            settings: row.settings.0,
            client_id: row.client_id,
            policy_version: row.policy_version,
            revision: row.revision,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// How long sessions of these apps are open; of one that is not there nothing.
pub async fn session_validities(
    db: &mut PgConnection,
    scope: &ReadScope,
    app_ids: &[&str],
) -> Result<HashMap<String, TimeDelta>> {
    if app_ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query!(
        r#"SELECT id, settings AS "settings: Json<AppSettings>" FROM apps
           WHERE id = ANY($1) AND ($2::text IS NULL OR partner_id = $2)"#,
        app_ids as _,
        scope.partner_id() as Option<PartnerId>
    )
    .fetch_all(db)
    .await?;
    let validity = |settings: &AppSettings| TimeDelta::minutes(settings.session_validity_min.into());
    Ok(rows
        .into_iter()
        .map(|row| (row.id, validity(&row.settings)))
        .collect())
}

/// Adds an app; its tenant must be locked by this transaction.
pub async fn insert(tx: &mut PgConnection, scope: &PartnerScope, app: &App) -> Result<()> {
    sqlx::query!(
        "INSERT INTO apps (id, tenant_id, partner_id, name, settings, policy_version, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
        app.id as AppId,
        app.tenant_id as TenantId,
        scope.partner_id() as PartnerId,
        app.name,
        Json(&app.settings) as _,
        app.policy_version,
        app.created_at
    )
    .execute(tx)
    .await
    .map_err(|error| name_taken(error, "apps_tenant_id_name_key", "app"))?;
    Ok(())
}

/// One app of a tenant.
pub async fn get(db: &mut PgConnection, scope: &ReadScope, tenant_id: TenantId, id: AppId) -> Result<App> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: AppId", tenant_id AS "tenant_id: TenantId", partner_id AS "partner_id: PartnerId", name,
                  settings AS "settings: Json<AppSettings>", client_id, policy_version, revision, created_at,
                  updated_at
           FROM apps WHERE id = $1 AND tenant_id = $2 AND deleted_at IS NULL AND ($3::text IS NULL OR partner_id = $3)"#,
        id as AppId,
        tenant_id as TenantId,
        scope.partner_id() as Option<PartnerId>
    )
    .fetch_optional(db)
    .await?;
    row.map(App::from).ok_or_else(|| Error::not_found("app"))
}

/// Apps of a tenant, oldest first. The tenant's own visibility is the caller's to check.
pub async fn list(
    db: &mut PgConnection,
    scope: &ReadScope,
    tenant_id: TenantId,
    request: &PageRequest,
) -> Result<Page<App>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: AppId", tenant_id AS "tenant_id: TenantId", partner_id AS "partner_id: PartnerId", name,
                  settings AS "settings: Json<AppSettings>", client_id, policy_version, revision, created_at,
                  updated_at
           FROM apps WHERE tenant_id = $1 AND deleted_at IS NULL AND ($2::text IS NULL OR partner_id = $2)
             AND ($3::timestamptz IS NULL OR (created_at, id) > ($3, $4))
           ORDER BY created_at, id LIMIT $5"#,
        tenant_id as TenantId,
        scope.partner_id() as Option<PartnerId>,
        request.after_time(),
        request.after_id(),
        request.fetch()
    )
    .fetch_all(db)
    .await?;
    let apps = rows.into_iter().map(App::from).collect();
    Ok(request.page(apps, |app: &App| Cursor {
        created_at: app.created_at,
        id: app.id.to_string(),
    }))
}

/// Writes name and settings of an app; its tenant must be locked by this transaction. Returns the new revision.
pub async fn update(
    tx: &mut PgConnection,
    scope: &PartnerScope,
    app: &App,
    now: DateTime<Utc>,
) -> Result<i64> {
    sqlx::query_scalar!(
        "UPDATE apps SET name = $3, settings = $4, revision = revision + 1, updated_at = $5
         WHERE id = $1 AND partner_id = $2 AND deleted_at IS NULL RETURNING revision",
        app.id as AppId,
        scope.partner_id() as PartnerId,
        app.name,
        Json(&app.settings) as _,
        now
    )
    .fetch_optional(tx)
    .await
    .map_err(|error| name_taken(error, "apps_tenant_id_name_key", "app"))?
    .ok_or_else(|| Error::not_found("app"))
}

/// Says that an app is not to be any more; its tenant must be locked by this transaction.
pub async fn delete(
    tx: &mut PgConnection,
    scope: &PartnerScope,
    id: AppId,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE apps SET deleted_at = $3, updated_at = $3 WHERE id = $1 AND partner_id = $2 AND deleted_at IS NULL",
        id as AppId,
        scope.partner_id() as PartnerId,
        now
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Puts another policy version in force.
pub async fn set_policy_version(
    tx: &mut PgConnection,
    scope: &PartnerScope,
    id: AppId,
    version: i64,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE apps SET policy_version = $3, updated_at = $4 WHERE id = $1 AND partner_id = $2",
        id as AppId,
        scope.partner_id() as PartnerId,
        version,
        now
    )
    .execute(tx)
    .await?;
    Ok(())
}
