//! What the worker reads and writes of tenants: claims, leases, observations, outcomes.
//!
//! Every write names a [`Claim`] and does nothing when a later claim exists: a worker that was thought dead
//! cannot write over the one that took its place. Such functions return whether the claim still held. One that
//! holds is renewed by each write. None of this is bound to a partner: the worker serves all of them.

use crate::{
    Error, Result,
    domain::{
        actor::{OperatorScope, ReadScope},
        blockid::BlockIdConnection,
        deletion::Deletion,
        method::TenantMethods,
        operation::{Failure, OperationKind},
        pool::PoolSettings,
        provisioning::{Claim, DeletedApp, Desired, DesiredApp, DesiredRelease, Observed, StepName},
        registration::TenantRegistration,
        tenant::Labels,
    },
    ids::{AppId, CellId, PartnerId, ReleaseId, TenantId},
};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgConnection, types::Json};
use step_up::policy::PolicyDocument;

/// Claims up to `limit` tenants that are due, for `lease`. Tenants that another worker is just claiming are passed over.
pub async fn claim_due(
    db: &mut PgConnection,
    owner: &str,
    limit: i64,
    lease: TimeDelta,
    now: DateTime<Utc>,
) -> Result<Vec<Claim>> {
    let rows = sqlx::query!(
        r#"WITH due AS (
               SELECT id FROM tenants
               WHERE state IN ('active', 'deleting', 'purging') AND generation > observed_generation AND next_attempt_at <= $1
                 AND (lease_expires_at IS NULL OR lease_expires_at <= $1)
               ORDER BY next_attempt_at
               LIMIT $2
               FOR UPDATE SKIP LOCKED
           )
           UPDATE tenants SET lease_owner = $3, lease_expires_at = $4, fencing_token = fencing_token + 1
           FROM due WHERE tenants.id = due.id
           RETURNING tenants.id AS "id: TenantId", fencing_token"#,
        now,
        limit,
        owner,
        now + lease
    )
    .fetch_all(db)
    .await?;
    let claim = |id, fencing_token| Claim {
        tenant_id: id,
        owner: owner.to_owned(),
        fencing_token,
    };
    Ok(rows
        .into_iter()
        .map(|row| claim(row.id, row.fencing_token))
        .collect())
}

/// Keeps a claim until `until`.
pub async fn renew(db: &mut PgConnection, claim: &Claim, until: DateTime<Utc>) -> Result<bool> {
    let renewed = sqlx::query!(
        "UPDATE tenants SET lease_expires_at = $4 WHERE id = $1 AND lease_owner = $2 AND fencing_token = $3",
        claim.tenant_id as TenantId,
        claim.owner,
        claim.fencing_token,
        until
    )
    .execute(db)
    .await?;
    Ok(renewed.rows_affected() == 1)
}

/// Gives a claim up without an outcome, so that another worker can take the tenant at once.
pub async fn release(db: &mut PgConnection, claim: &Claim) -> Result<()> {
    sqlx::query!(
        "UPDATE tenants SET lease_owner = NULL, lease_expires_at = NULL
         WHERE id = $1 AND lease_owner = $2 AND fencing_token = $3",
        claim.tenant_id as TenantId,
        claim.owner,
        claim.fencing_token
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Everything a pass needs to know; `None` when the claim is lost.
pub async fn load(db: &mut PgConnection, claim: &Claim) -> Result<Option<Desired>> {
    load_where(db, claim.tenant_id, Some(claim)).await
}

/// What a pass would be told of a tenant at this moment. For showing: nothing may be written on its strength. That the
/// caller may see the tenant is the caller's to check.
pub async fn look(db: &mut PgConnection, _scope: &ReadScope, tenant_id: TenantId) -> Result<Desired> {
    load_where(db, tenant_id, None)
        .await?
        .ok_or_else(|| Error::not_found("tenant"))
}

async fn load_where(
    db: &mut PgConnection,
    tenant_id: TenantId,
    claim: Option<&Claim>,
) -> Result<Option<Desired>> {
    let row = sqlx::query!(
        r#"SELECT partner_id AS "partner_id: PartnerId", cell_id AS "cell_id: CellId", blockid_tenant_dns,
                  blockid_community, blockid_client_id, blockid_extra_ca_pem, pool AS "pool: Json<PoolSettings>", credentials_secret_arn,
                  settings_secret_name, event_hash_key, generation, observed_generation, failed_passes,
                  suspended_at IS NOT NULL OR state <> 'active' AS "suspended!", state, credentials_secret_name,
                  deletion AS "deletion: Json<Deletion>", methods AS "methods: Json<TenantMethods>", sandbox,
                  observed AS "observed: Json<Observed>", release_id AS "release_id: ReleaseId",
                  name, external_id, labels AS "labels: Json<Labels>", created_at
           FROM tenants
           WHERE id = $1 AND ($2::text IS NULL OR (lease_owner = $2 AND fencing_token = $3))"#,
        tenant_id as TenantId,
        claim.map(|claim| claim.owner.as_str()),
        claim.map(|claim| claim.fencing_token)
    )
    .fetch_optional(&mut *db)
    .await?;
    let Some(row) = row else { return Ok(None) };
    // Apps are read after the generation: what is newer than it is brought about early, and again in its turn.
    let apps = load_apps(&mut *db, tenant_id).await?;
    let deleted_apps = load_deleted_apps(&mut *db, tenant_id).await?;
    let steps = match row.state.as_str() {
        // Nothing but shutting it is done for a deleted tenant, whatever did not come about before.
        "deleting" => StepName::plan(OperationKind::DeleteTenant).to_vec(),
        "purging" => StepName::REMOVAL.to_vec(),
        _ => steps_needed(&mut *db, tenant_id, row.observed_generation, row.generation).await?,
    };
    let purging = row.deletion.filter(|_| row.state == "purging");
    let mut cell = super::cells::get(&mut *db, &OperatorScope::worker(), row.cell_id).await?;
    let release = match row.release_id.or(cell.release_id) {
        None => None,
        Some(id) => {
            let (release, template_body) = super::releases::with_template(&mut *db, id).await?;
            cell.artifacts = release.artifacts;
            Some(DesiredRelease {
                id,
                name: release.name,
                template_body,
            })
        }
    };
    let no_secret = || {
        Error::internal(anyhow::anyhow!(
            "active tenant {tenant_id} has no credentials secret"
        ))
    };
    Ok(Some(Desired {
        tenant_id,
        partner_id: row.partner_id,
        cell,
        release,
        connection: BlockIdConnection {
            tenant_dns: row.blockid_tenant_dns,
            community: row.blockid_community,
            client_id: row.blockid_client_id,
            extra_ca_pem: row.blockid_extra_ca_pem,
        },
        registration: TenantRegistration {
            name: row.name,
            external_id: row.external_id,
            labels: row.labels.0,
            pool: row.pool.0.clone(),
            created_at: row.created_at,
        },
        pool: row.pool.0,
        methods: row.methods.0,
        credentials_secret_arn: row.credentials_secret_arn.ok_or_else(no_secret)?,
        settings_secret_name: row.settings_secret_name,
        event_hash_key: row.event_hash_key,
        generation: row.generation,
        suspended: row.suspended,
        deleted: row.state != "active",
        purging: purging.map(|Json(deletion)| deletion),
        credentials_secret_name: row.credentials_secret_name,
        sandbox: row.sandbox,
        failed_passes: row.failed_passes,
        observed: row.observed.0,
        apps,
        deleted_apps,
        steps,
    }))
}

async fn load_apps(db: &mut PgConnection, tenant_id: TenantId) -> Result<Vec<DesiredApp>> {
    let rows = sqlx::query!(
        r#"SELECT apps.id AS "id: AppId", apps.name, apps.created_at,
                  settings AS "settings: Json<crate::domain::app::AppSettings>", client_id,
                  client_asked_at IS NOT NULL AS "client_in_doubt!", policy_version, document AS "document: Json<PolicyDocument>"
           FROM apps JOIN policy_versions ON app_id = apps.id AND version = policy_version
           WHERE tenant_id = $1 AND deleted_at IS NULL ORDER BY apps.id"#,
        tenant_id as TenantId
    )
    .fetch_all(&mut *db)
    .await?;
    let mut exemptions = super::exemptions::approved(db, tenant_id).await?;
    Ok(rows
        .into_iter()
        .map(|row| DesiredApp {
            exemptions: exemptions.remove(&row.id.to_string()).unwrap_or_default(),
            id: row.id,
            name: row.name,
            created_at: row.created_at,
            settings: row.settings.0,
            client_id: row.client_id,
            client_in_doubt: row.client_in_doubt,
            policy_version: row.policy_version,
            policy: row.document.0,
        })
        .collect())
}

async fn load_deleted_apps(db: &mut PgConnection, tenant_id: TenantId) -> Result<Vec<DeletedApp>> {
    let apps = sqlx::query_as!(
        DeletedApp,
        r#"SELECT id AS "id: AppId", client_id FROM apps
           WHERE tenant_id = $1 AND deleted_at IS NOT NULL AND removed_at IS NULL ORDER BY id"#,
        tenant_id as TenantId
    )
    .fetch_all(db)
    .await?;
    Ok(apps)
}

/// The steps between two generations: those of the open operations when they account for every generation in
/// between, else all.
async fn steps_needed(
    db: &mut PgConnection,
    tenant_id: TenantId,
    from: i64,
    to: i64,
) -> Result<Vec<StepName>> {
    let rows = sqlx::query!(
        "SELECT kind, target_generation FROM operations
         WHERE tenant_id = $1 AND state IN ('pending', 'running') AND target_generation > $2 AND target_generation <= $3",
        tenant_id as TenantId,
        from,
        to
    )
    .fetch_all(&mut *db)
    .await?;
    let generations: std::collections::BTreeSet<i64> = rows.iter().map(|row| row.target_generation).collect();
    let accounted_for = i64::try_from(generations.len()).unwrap_or(i64::MAX) == to - from;
    let kinds = rows
        .iter()
        .map(|row| row.kind.parse())
        .collect::<Result<Vec<OperationKind>>>()?;
    let all = from == 0 || !accounted_for;
    // A whole pass reads back what somebody may have changed by hand: where that is to be healed, it is.
    let whole = all
        || kinds
            .iter()
            .any(|kind| StepName::plan(*kind).contains(&StepName::TenantStack));
    let heals = whole
        && sqlx::query_scalar!(
            r#"SELECT drift_mode = 'heal' AS "heals!" FROM tenants WHERE id = $1"#,
            tenant_id as TenantId
        )
        .fetch_one(&mut *db)
        .await?;
    let wanted = |step: &StepName| {
        (all && StepName::ALL.contains(step))
            || (heals && *step == StepName::DriftRepair)
            || kinds.iter().any(|kind| StepName::plan(*kind).contains(step))
    };
    Ok(StepName::ORDER.into_iter().filter(wanted).collect())
}

/// A deleted app has nothing in AWS any more.
pub async fn app_removed(
    db: &mut PgConnection,
    claim: &Claim,
    app: AppId,
    now: DateTime<Utc>,
) -> Result<bool> {
    let held = sqlx::query_scalar!(
        r#"WITH held AS (
               SELECT id FROM tenants WHERE id = $1 AND lease_owner = $2 AND fencing_token = $3 FOR UPDATE
           ), removed AS (
               UPDATE apps SET removed_at = $5
               FROM held WHERE apps.id = $4 AND tenant_id = held.id AND deleted_at IS NOT NULL
           )
           SELECT count(*) AS "held!" FROM held"#,
        claim.tenant_id as TenantId,
        claim.owner,
        claim.fencing_token,
        app as AppId,
        now
    )
    .fetch_one(db)
    .await?;
    Ok(held == 1)
}

/// Takes the next generation of an app's policy item, higher than `at_least`; `None` when the claim is lost.
pub async fn next_item_generation(
    db: &mut PgConnection,
    claim: &Claim,
    app: AppId,
    at_least: i64,
) -> Result<Option<i64>> {
    let generation = sqlx::query_scalar!(
        r#"WITH held AS (
               SELECT id FROM tenants WHERE id = $1 AND lease_owner = $2 AND fencing_token = $3 FOR UPDATE
           )
           UPDATE apps SET policy_item_generation = greatest(policy_item_generation, $5) + 1
           FROM held WHERE apps.id = $4 AND tenant_id = held.id
           RETURNING policy_item_generation"#,
        claim.tenant_id as TenantId,
        claim.owner,
        claim.fencing_token,
        app as AppId,
        at_least
    )
    .fetch_optional(db)
    .await?;
    Ok(generation)
}

/// The tenant is as `generation` asked: its operations up to there succeeded, the claim ends. Where something was found to
/// differ, it is looked at anew.
pub async fn converged(
    db: &mut PgConnection,
    claim: &Claim,
    generation: i64,
    now: DateTime<Utc>,
) -> Result<bool> {
    let held = sqlx::query_scalar!(
        r#"WITH held AS (
               UPDATE tenants
               SET observed_generation = $4, last_error = NULL, failed_passes = 0, lease_owner = NULL,
                   lease_expires_at = NULL, next_attempt_at = $5,
                   drift_due_at = CASE WHEN EXISTS (SELECT FROM drift_findings f WHERE f.tenant_id = tenants.id)
                                       THEN $5 ELSE drift_due_at END
               WHERE id = $1 AND lease_owner = $2 AND fencing_token = $3
               RETURNING id
           ), done AS (
               UPDATE operations
               SET state = 'succeeded', finished_at = $5, started_at = coalesce(started_at, $5)
               FROM held
               WHERE tenant_id = held.id AND target_generation <= $4 AND operations.state IN ('pending', 'running')
           )
           SELECT count(*) AS "held!" FROM held"#,
        claim.tenant_id as TenantId,
        claim.owner,
        claim.fencing_token,
        generation,
        now
    )
    .fetch_one(&mut *db)
    .await?;
    if held == 1 {
        super::conditions::settle(db, claim.tenant_id, now).await?;
    }
    Ok(held == 1)
}

/// How a pass failed.
#[derive(Debug)]
pub struct FailedPass<'a> {
    /// Generation it tried to reach.
    pub generation: i64,
    /// Why.
    pub failure: &'a Failure,
    /// Whether the operations are given up (the tenant itself is tried again, slowly).
    pub gives_up: bool,
    /// Passes that failed for what is asked now, this one among them.
    pub failed_passes: i32,
    /// When the next pass is due.
    pub next_attempt_at: DateTime<Utc>,
}

/// The pass failed; the claim ends.
pub async fn failed(
    db: &mut PgConnection,
    claim: &Claim,
    pass: &FailedPass<'_>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let held = sqlx::query_scalar!(
        r#"WITH held AS (
               UPDATE tenants
               SET last_error = $6, failed_passes = $9,
                   lease_owner = NULL, lease_expires_at = NULL, next_attempt_at = $8
               WHERE id = $1 AND lease_owner = $2 AND fencing_token = $3
               RETURNING id
           ), given_up AS (
               UPDATE operations
               SET state = 'failed', error = $6, finished_at = $5, started_at = coalesce(started_at, $5)
               FROM held
               WHERE $7 AND tenant_id = held.id AND target_generation <= $4
                 AND operations.state IN ('pending', 'running')
               RETURNING operations.id
           ), steps AS (
               UPDATE operation_steps SET state = 'failed', finished_at = $5
               FROM given_up WHERE operation_id = given_up.id AND state = 'running'
           )
           SELECT count(*) AS "held!" FROM held"#,
        claim.tenant_id as TenantId,
        claim.owner,
        claim.fencing_token,
        pass.generation,
        now,
        Json(pass.failure) as _,
        pass.gives_up,
        pass.next_attempt_at,
        pass.failed_passes
    )
    .fetch_one(&mut *db)
    .await?;
    if held == 1 {
        super::conditions::settle(db, claim.tenant_id, now).await?;
    }
    Ok(held == 1)
}
