//! Versions of policies.

use super::{Cursor, Page, PageRequest};
use crate::{
    Error, Result,
    domain::{
        actor::{PartnerScope, ReadScope},
        app::AppSettings,
        policy::{PolicyVersion, PolicyVersionHead},
    },
    ids::{AppId, PartnerId, TenantId},
};
use serde_json::Value;
use sqlx::{PgConnection, types::Json};
use step_up::policy::PolicyDocument;

/// Adds a version; its tenant must be locked by this transaction.
pub async fn insert(tx: &mut PgConnection, scope: &PartnerScope, version: &PolicyVersion) -> Result<()> {
    sqlx::query!(
        "INSERT INTO policy_versions (app_id, version, partner_id, document, author, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        version.app_id as AppId,
        version.version,
        scope.partner_id() as PartnerId,
        Json(&version.document) as _,
        version.author,
        version.created_at
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The newest version of an app's policy. It is in force when the tenant was brought at least as far as every
/// operation of the app.
pub async fn current(
    db: &mut PgConnection,
    scope: &ReadScope,
    tenant_id: TenantId,
    app_id: AppId,
) -> Result<PolicyVersion> {
    let row = sqlx::query!(
        r#"SELECT p.version, p.document AS "document: Json<Value>", p.author, p.created_at,
                  (a.client_id IS NOT NULL AND NOT EXISTS (
                      SELECT 1 FROM operations o
                      WHERE o.tenant_id = t.id AND o.resource_id = a.id AND o.target_generation > t.observed_generation
                  )) AS "in_force!"
           FROM apps a
           JOIN tenants t ON t.id = a.tenant_id
           JOIN policy_versions p ON p.app_id = a.id AND p.version = a.policy_version
           WHERE a.id = $1 AND a.tenant_id = $2 AND a.deleted_at IS NULL AND ($3::text IS NULL OR a.partner_id = $3)"#,
        app_id as AppId,
        tenant_id as TenantId,
        scope.partner_id() as Option<PartnerId>
    )
    .fetch_optional(db)
    .await?
    .ok_or_else(|| Error::not_found("app"))?;
    Ok(PolicyVersion {
        app_id,
        version: row.version,
        document: serde_json::from_value(row.document.0)?,
        author: row.author,
        created_at: row.created_at,
        in_force: row.in_force,
    })
}

/// The document of one version, with its head.
pub async fn version(
    db: &mut PgConnection,
    scope: &ReadScope,
    (tenant_id, app_id): (TenantId, AppId),
    version: i64,
) -> Result<(PolicyVersionHead, PolicyDocument)> {
    let row = sqlx::query!(
        r#"SELECT p.version, p.document AS "document: Json<Value>", p.author, p.created_at
           FROM policy_versions p JOIN apps a ON a.id = p.app_id
           WHERE a.id = $1 AND a.tenant_id = $2 AND a.deleted_at IS NULL AND p.version = $3
             AND ($4::text IS NULL OR a.partner_id = $4)"#,
        app_id as AppId,
        tenant_id as TenantId,
        version,
        scope.partner_id() as Option<PartnerId>
    )
    .fetch_optional(db)
    .await?
    .ok_or_else(|| Error::not_found("policy version"))?;
    let head = PolicyVersionHead {
        version: row.version,
        author: row.author,
        created_at: row.created_at,
    };
    Ok((head, serde_json::from_value(row.document.0)?))
}

/// Versions, newest first. Whether the caller may see the app is the caller's to check.
pub async fn list(
    db: &mut PgConnection,
    scope: &ReadScope,
    app_id: AppId,
    request: &PageRequest,
) -> Result<Page<PolicyVersionHead>> {
    // Versions have no gaps and no id of their own: the number stands in for it.
    let before: Option<i64> = request.after_id().map(str::parse).transpose().map_err(|_| {
        Error::new(
            crate::error::Code::InvalidQuery,
            "The cursor is not one that this list gave.",
        )
    })?;
    let heads = sqlx::query_as!(
        PolicyVersionHead,
        "SELECT version, author, created_at FROM policy_versions
         WHERE app_id = $1 AND ($2::text IS NULL OR partner_id = $2) AND ($3::bigint IS NULL OR version < $3)
         ORDER BY version DESC LIMIT $4",
        app_id as AppId,
        scope.partner_id() as Option<PartnerId>,
        before,
        request.fetch()
    )
    .fetch_all(db)
    .await?;
    Ok(request.page(heads, |head: &PolicyVersionHead| Cursor {
        created_at: head.created_at,
        id: head.version.to_string(),
    }))
}

/// Name, settings and policy of every app of a tenant.
pub async fn in_use(
    db: &mut PgConnection,
    scope: &PartnerScope,
    tenant_id: TenantId,
) -> Result<Vec<(String, AppSettings, PolicyDocument)>> {
    let rows = sqlx::query!(
        r#"SELECT apps.name, apps.settings AS "settings: Json<AppSettings>", document AS "document: Json<PolicyDocument>"
           FROM apps JOIN policy_versions ON app_id = apps.id AND version = policy_version
           WHERE tenant_id = $1 AND apps.partner_id = $2 ORDER BY apps.id"#,
        tenant_id as TenantId,
        scope.partner_id() as PartnerId
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.name, row.settings.0, row.document.0))
        .collect())
}
