//! Rows of tenants that were found in AWS when the database was lost.

use super::tenants::unique;
use crate::{
    Result,
    domain::{
        actor::OperatorScope, app::AppSettings, blockid::BlockIdConnection, method::TenantMethods,
        provisioning::Observed, registration::TenantRegistration,
    },
    ids::{AppId, CellId, PartnerId, ReleaseId, TenantId},
};
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};
use step_up::policy::PolicyDocument;

/// A tenant as it was found.
pub struct FoundTenant {
    /// Its id.
    pub id: TenantId,
    /// Whose it is.
    pub partner_id: PartnerId,
    /// Where it lives.
    pub cell_id: CellId,
    /// Names, labels, settings of its pool.
    pub registration: TenantRegistration,
    /// How BlockID knows it.
    pub blockid: BlockIdConnection,
    /// Its methods and what was learned about them.
    pub methods: TenantMethods,
    /// Name and ARN of the secret with the client secret.
    pub credentials_secret: (String, String),
    /// Name of the secret with everything else.
    pub settings_secret_name: String,
    /// Key of the HMAC that hides user ids in events.
    pub event_hash_key: Vec<u8>,
    /// Whether it is for trying out.
    pub sandbox: bool,
    /// Whether its triggers refuse everybody.
    pub suspended: bool,
    /// What the worker will find in AWS.
    pub observed: Observed,
    /// Its apps.
    pub apps: Vec<FoundApp>,
}

/// An app as it was found.
pub struct FoundApp {
    /// Its id.
    pub id: AppId,
    /// Name for people.
    pub name: String,
    /// Its settings.
    pub settings: AppSettings,
    /// Its app client.
    pub client_id: String,
    /// Version of the policy in force.
    pub policy_version: i64,
    /// The policy in force.
    pub policy: PolicyDocument,
    /// Generation of the item that the triggers read.
    pub item_generation: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// Who is named as the author of a policy that was found.
const AUTHOR: &str = "rebuild";
/// Why a tenant is suspended that was found so: the words of who did it are lost.
const SUSPENSION_REASON: &str = "It was suspended, or deleted, when the database was lost.";

/// Whether there is such a tenant.
pub async fn is_there(db: &mut PgConnection, _scope: &OperatorScope, id: TenantId) -> Result<bool> {
    let there = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM tenants WHERE id = $1) AS "there!""#,
        id as TenantId
    )
    .fetch_one(db)
    .await?;
    Ok(there)
}

/// Adds a tenant with its apps and their policies, for the worker to look at everything again. Its partner is added if
/// it is not there, under its id for a name. It stays on its release, whatever new tenants of its cell get.
pub async fn insert(
    tx: &mut PgConnection,
    _scope: &OperatorScope,
    found: &FoundTenant,
    release_id: ReleaseId,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO partners (id, name, created_at) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING",
        found.partner_id as PartnerId,
        found.partner_id.to_string(),
        now
    )
    .execute(&mut *tx)
    .await?;
    let registration = &found.registration;
    sqlx::query!(
        "INSERT INTO tenants (id, partner_id, cell_id, name, state, blockid_tenant_dns, blockid_community,
                              blockid_client_id, pool, credentials_secret_name, credentials_secret_arn,
                              settings_secret_name, event_hash_key, observed, next_attempt_at, created_at, updated_at,
                              external_id, labels, blockid_extra_ca_pem, sandbox, methods, suspended_at, suspension_reason,
                              release_id)
         VALUES ($1, $2, $3, $4, 'active', $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $14, $16, $17, $18, $19, $20,
                 $21, $22, $23)",
        found.id as TenantId,
        found.partner_id as PartnerId,
        found.cell_id as CellId,
        registration.name,
        found.blockid.tenant_dns,
        found.blockid.community,
        found.blockid.client_id,
        Json(&registration.pool) as _,
        found.credentials_secret.0,
        found.credentials_secret.1,
        found.settings_secret_name,
        found.event_hash_key,
        Json(&found.observed) as _,
        now,
        registration.created_at,
        registration.external_id,
        Json(&registration.labels) as _,
        found.blockid.extra_ca_pem,
        found.sandbox,
        Json(&found.methods) as _,
        found.suspended.then_some(now),
        found.suspended.then_some(SUSPENSION_REASON),
        release_id as ReleaseId
    )
    .execute(&mut *tx)
    .await
    .map_err(unique)?;
    for app in &found.apps {
        insert_app(&mut *tx, found, app, now).await?;
    }
    Ok(())
}

async fn insert_app(
    tx: &mut PgConnection,
    found: &FoundTenant,
    app: &FoundApp,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO apps (id, tenant_id, partner_id, name, settings, client_id, policy_version, policy_item_generation,
                           created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        app.id as AppId,
        found.id as TenantId,
        found.partner_id as PartnerId,
        app.name,
        Json(&app.settings) as _,
        app.client_id,
        app.policy_version,
        app.item_generation,
        app.created_at,
        now
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "INSERT INTO policy_versions (app_id, version, partner_id, document, author, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        app.id as AppId,
        app.policy_version,
        found.partner_id as PartnerId,
        Json(&app.policy) as _,
        AUTHOR,
        now
    )
    .execute(tx)
    .await?;
    Ok(())
}
