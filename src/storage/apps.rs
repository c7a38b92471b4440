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
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};

struct Row {
    id: AppId,
    tenant_id: TenantId,
    partner_id: PartnerId,
    name: String,
    settings: Json<AppSettings>,
    client_id: Option<String>,
    policy_version: i64,
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
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
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
                  settings AS "settings: Json<AppSettings>", client_id, policy_version, created_at, updated_at
           FROM apps WHERE id = $1 AND tenant_id = $2 AND ($3::text IS NULL OR partner_id = $3)"#,
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
                  settings AS "settings: Json<AppSettings>", client_id, policy_version, created_at, updated_at
           FROM apps WHERE tenant_id = $1 AND ($2::text IS NULL OR partner_id = $2)
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
