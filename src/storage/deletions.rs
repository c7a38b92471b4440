//! Where a tenant is on its way out: written by requests, ended by the worker. What the worker writes names its claim,
//! as in [`super::reconcile`].
//!
//! A table with rows of tenants or apps that are to go with a purge has its place in [`purged`]; a test names those
//! that stay.

use crate::{
    Result,
    domain::{
        actor::{PartnerScope, ReadScope},
        deletion::{DeletedRows, Deletion, PurgeReport},
        provisioning::Claim,
        tenant::TenantState,
    },
    ids::{OperationId, PartnerId, TenantId},
};
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};

/// Writes the state of a locked tenant; `bump_generation` makes the worker act on it.
pub async fn set_state(
    tx: &mut PgConnection,
    scope: &PartnerScope,
    id: TenantId,
    state: &TenantState,
) -> Result<()> {
    sqlx::query!(
        "UPDATE tenants SET state = $3, deletion = $4 WHERE id = $1 AND partner_id = $2",
        id as TenantId,
        scope.partner_id() as PartnerId,
        state.as_str(),
        state.deletion().map(Json) as _
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Operations of a locked tenant that have not ended.
pub async fn open_operations(
    tx: &mut PgConnection,
    scope: &PartnerScope,
    id: TenantId,
) -> Result<Vec<OperationId>> {
    let ids = sqlx::query_scalar!(
        r#"SELECT id AS "id: OperationId" FROM operations
           WHERE tenant_id = $1 AND partner_id = $2 AND state IN ('pending', 'running')"#,
        id as TenantId,
        scope.partner_id() as PartnerId
    )
    .fetch_all(tx)
    .await?;
    Ok(ids)
}

/// How many apps a tenant has.
pub async fn count_apps(db: &mut PgConnection, scope: &ReadScope, id: TenantId) -> Result<i64> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM apps
           WHERE tenant_id = $1 AND deleted_at IS NULL AND ($2::text IS NULL OR partner_id = $2)"#,
        id as TenantId,
        scope.partner_id() as Option<PartnerId>
    )
    .fetch_one(db)
    .await?;
    Ok(count)
}

/// The tenant has nothing in AWS any more: its rows go, its operations up to `generation` have succeeded, the claim
/// ends. Returns the report with what was deleted here; `None` when the claim is lost.
pub async fn purged(
    tx: &mut PgConnection,
    claim: &Claim,
    generation: i64,
    (deletion, report): (Deletion, PurgeReport),
    now: DateTime<Utc>,
) -> Result<Option<PurgeReport>> {
    let held = sqlx::query!(
        "SELECT id FROM tenants WHERE id = $1 AND lease_owner = $2 AND fencing_token = $3 FOR UPDATE",
        claim.tenant_id as TenantId,
        claim.owner,
        claim.fencing_token
    )
    .fetch_optional(&mut *tx)
    .await?;
    if held.is_none() {
        return Ok(None);
    }
    let report = PurgeReport {
        rows: Some(delete_rows(&mut *tx, claim.tenant_id).await?),
        ..report
    };
    let deletion = Deletion {
        report: Some(report.clone()),
        ..deletion
    };
    // Without its key the users in the tenant's events are nobody any more.
    sqlx::query!(
        "UPDATE tenants
         SET state = 'deleted', deletion = $2, observed = '{}', observed_generation = generation, methods = '{}',
             labels = '{}', drift = '{}', event_hash_key = '', blockid_check = NULL, blockid_extra_ca_pem = NULL,
             suspended_at = NULL, suspension_reason = NULL, last_error = NULL, failed_passes = 0, lease_owner = NULL,
             lease_expires_at = NULL, updated_at = $3
         WHERE id = $1",
        claim.tenant_id as TenantId,
        Json(&deletion) as _,
        now
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "UPDATE operations
         SET state = 'succeeded', finished_at = $3, started_at = coalesce(started_at, $3),
             report = CASE WHEN kind = 'purge_tenant' THEN $4::jsonb END
         WHERE tenant_id = $1 AND target_generation <= $2 AND state IN ('pending', 'running')",
        claim.tenant_id as TenantId,
        generation,
        now,
        Json(&report) as _
    )
    .execute(&mut *tx)
    .await?;
    super::conditions::settle(tx, claim.tenant_id, now).await?;
    Ok(Some(report))
}

async fn delete_rows(tx: &mut PgConnection, id: TenantId) -> Result<DeletedRows> {
    let exemptions = sqlx::query!("DELETE FROM exemptions WHERE tenant_id = $1", id as TenantId)
        .execute(&mut *tx)
        .await?;
    let pilots = sqlx::query!("DELETE FROM blockid_pilots WHERE tenant_id = $1", id as TenantId)
        .execute(&mut *tx)
        .await?;
    let changes = sqlx::query!(
        "DELETE FROM connection_changes WHERE tenant_id = $1",
        id as TenantId
    )
    .execute(&mut *tx)
    .await?;
    // What was found of it and what it was watched for is not worth a figure in the report.
    sqlx::query!("DELETE FROM drift_findings WHERE tenant_id = $1", id as TenantId)
        .execute(&mut *tx)
        .await?;
    sqlx::query!("DELETE FROM alarms WHERE tenant_id = $1", id as TenantId)
        .execute(&mut *tx)
        .await?;
    sqlx::query!("DELETE FROM alarm_settings WHERE tenant_id = $1", id as TenantId)
        .execute(&mut *tx)
        .await?;
    let versions = sqlx::query!(
        "DELETE FROM policy_versions USING apps WHERE app_id = apps.id AND tenant_id = $1",
        id as TenantId
    )
    .execute(&mut *tx)
    .await?;
    let apps = sqlx::query!("DELETE FROM apps WHERE tenant_id = $1", id as TenantId)
        .execute(tx)
        .await?;
    Ok(DeletedRows {
        apps: apps.rows_affected(),
        policy_versions: versions.rows_affected(),
        exemptions: exemptions.rows_affected(),
        connection_changes: changes.rows_affected(),
        pilots: pilots.rows_affected(),
    })
}
