//! Tenants as callers see and change them. Their creation is in [`super::reservations`]; what the worker
//! writes has a module of its own.

use super::{Cursor, Page, PageRequest, conditions, name_taken, notify_work};
use crate::{
    Error, Result,
    domain::{
        actor::{OperatorScope, PartnerScope, ReadScope},
        blockid::BlockIdConnection,
        condition::Times,
        connection_check::ConnectionReport,
        deletion::Deletion,
        drift::DriftSummary,
        method::TenantMethods,
        operation::Failure,
        pool::PoolSettings,
        provisioning::Observed,
        tenant::{Labels, Suspension, Tenant, TenantFilter, TenantState},
    },
    ids::{CellId, PartnerId, TenantId},
};
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};
use std::collections::HashMap;

struct Row {
    id: TenantId,
    partner_id: PartnerId,
    cell_id: CellId,
    region: String,
    name: String,
    external_id: Option<String>,
    labels: Json<Labels>,
    state: String,
    blockid_tenant_dns: String,
    blockid_community: String,
    blockid_client_id: String,
    blockid_extra_ca_pem: Option<String>,
    blockid_check: Option<Json<ConnectionReport>>,
    pool: Json<PoolSettings>,
    methods: Json<TenantMethods>,
    credentials_secret_arn: Option<String>,
    deletion: Option<Json<Deletion>>,
    generation: i64,
    observed_generation: i64,
    user_pool_id: Option<String>,
    sandbox: bool,
    suspended_at: Option<DateTime<Utc>>,
    suspension_reason: Option<String>,
    last_error: Option<Json<Failure>>,
    role_arn: Option<String>,
    external_cell_id: Option<String>,
    wanted_release: Option<String>,
    running_release: Option<String>,
    rotation_pending: bool,
    drift_mode: String,
    drift: Json<DriftSummary>,
    conditions: Json<Times>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Row> for Tenant {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id,
            partner_id: row.partner_id,
            cell_id: row.cell_id,
            region: row.region,
            name: row.name,
            external_id: row.external_id,
            labels: row.labels.0,
            state: TenantState::from_columns(
                &row.state,
                row.credentials_secret_arn,
                row.deletion.map(|Json(deletion)| deletion),
            )?,
            blockid: BlockIdConnection {
                tenant_dns: row.blockid_tenant_dns,
                community: row.blockid_community,
                client_id: row.blockid_client_id,
                extra_ca_pem: row.blockid_extra_ca_pem,
            },
            check: row.blockid_check.map(|Json(report)| report),
            pool: row.pool.0,
            methods: row.methods.0,
            generation: row.generation,
            observed_generation: row.observed_generation,
            user_pool_id: row.user_pool_id,
            sandbox: row.sandbox,
            suspension: row
                .suspended_at
                .zip(row.suspension_reason)
                .map(|(since, reason)| Suspension { since, reason }),
            last_error: row.last_error.map(|Json(error)| error),
            access: super::cells::access(row.role_arn, row.external_cell_id),
            wanted_release: row.wanted_release,
            running_release: row.running_release,
            rotation_pending: row.rotation_pending,
            drift_mode: row.drift_mode.parse()?,
            drift: row.drift.0,
            condition_times: row.conditions.0,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// One tenant.
pub async fn get(db: &mut PgConnection, scope: &ReadScope, id: TenantId) -> Result<Tenant> {
    sqlx::query_as!(
        Row,
        r#"SELECT t.id AS "id: TenantId", t.partner_id AS "partner_id: PartnerId", t.cell_id AS "cell_id: CellId",
                  c.region, t.name, t.external_id, t.labels AS "labels: Json<Labels>", t.state, t.blockid_tenant_dns, t.blockid_community, t.blockid_client_id,
                  t.pool AS "pool: Json<PoolSettings>", t.credentials_secret_arn, t.generation, t.observed_generation,
                  t.observed ->> 'user_pool_id' AS user_pool_id, t.last_error AS "last_error: Json<Failure>",
                  t.blockid_extra_ca_pem, t.blockid_check AS "blockid_check: Json<ConnectionReport>",
                  t.sandbox, t.deletion AS "deletion: Json<Deletion>", t.suspended_at, t.suspension_reason, t.methods AS "methods: Json<TenantMethods>", t.created_at, t.updated_at,
                  c.role_arn, c.external_id AS external_cell_id, r.name AS "wanted_release?",
                  t.observed #>> '{release,name}' AS running_release,
                  t.drift_mode, t.drift AS "drift: Json<DriftSummary>", t.conditions AS "conditions: Json<Times>",
                  EXISTS (SELECT FROM connection_changes x WHERE x.tenant_id = t.id AND x.state = 'staged') AS "rotation_pending!"
           FROM tenants t JOIN cells c ON c.id = t.cell_id LEFT JOIN releases r ON r.id = coalesce(t.release_id, c.release_id)
           WHERE t.id = $1 AND ($2::text IS NULL OR t.partner_id = $2)"#,
        id as TenantId,
        scope.partner_id() as Option<PartnerId>
    )
    .fetch_optional(db)
    .await?
    .ok_or_else(|| Error::not_found("tenant"))?
    .try_into()
}

/// Partners of those of `tenants` that are placed in the cell.
pub async fn partners_in_cell(
    db: &mut PgConnection,
    _scope: &OperatorScope,
    cell_id: CellId,
    tenants: &[TenantId],
) -> Result<HashMap<TenantId, PartnerId>> {
    let ids: Vec<String> = tenants.iter().map(ToString::to_string).collect();
    let rows = sqlx::query!(
        r#"SELECT id AS "id: TenantId", partner_id AS "partner_id: PartnerId" FROM tenants
           WHERE id = ANY($1) AND cell_id = $2"#,
        &ids,
        cell_id as CellId
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.partner_id)).collect())
}

/// One tenant, held against other changes until the transaction ends.
pub async fn lock(tx: &mut PgConnection, scope: &PartnerScope, id: TenantId) -> Result<Tenant> {
    sqlx::query!(
        "SELECT id FROM tenants WHERE id = $1 AND partner_id = $2 FOR UPDATE",
        id as TenantId,
        scope.partner_id() as PartnerId
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or_else(|| Error::not_found("tenant"))?;
    get(tx, &(*scope).into(), id).await
}

/// Tenants that pass a filter, oldest first.
pub async fn list(
    db: &mut PgConnection,
    scope: &ReadScope,
    filter: &TenantFilter,
    request: &PageRequest,
) -> Result<Page<Tenant>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT t.id AS "id: TenantId", t.partner_id AS "partner_id: PartnerId", t.cell_id AS "cell_id: CellId",
                  c.region, t.name, t.external_id, t.labels AS "labels: Json<Labels>", t.state, t.blockid_tenant_dns, t.blockid_community, t.blockid_client_id,
                  t.pool AS "pool: Json<PoolSettings>", t.credentials_secret_arn, t.generation, t.observed_generation,
                  t.observed ->> 'user_pool_id' AS user_pool_id, t.last_error AS "last_error: Json<Failure>",
                  t.blockid_extra_ca_pem, t.blockid_check AS "blockid_check: Json<ConnectionReport>",
                  t.sandbox, t.deletion AS "deletion: Json<Deletion>", t.suspended_at, t.suspension_reason, t.methods AS "methods: Json<TenantMethods>", t.created_at, t.updated_at,
                  c.role_arn, c.external_id AS external_cell_id, r.name AS "wanted_release?",
                  t.observed #>> '{release,name}' AS running_release,
                  t.drift_mode, t.drift AS "drift: Json<DriftSummary>", t.conditions AS "conditions: Json<Times>",
                  EXISTS (SELECT FROM connection_changes x WHERE x.tenant_id = t.id AND x.state = 'staged') AS "rotation_pending!"
           FROM tenants t JOIN cells c ON c.id = t.cell_id LEFT JOIN releases r ON r.id = coalesce(t.release_id, c.release_id)
           WHERE ($1::text IS NULL OR t.partner_id = $1) AND t.state <> 'deleted'
             AND ($5::text IS NULL OR starts_with(t.name, $5)) AND ($6::text IS NULL OR t.state = $6)
             AND ($7::text IS NULL OR t.external_id = $7) AND t.labels @> $8
             AND ($9::text IS NULL OR t.conditions -> $9 ->> 'status' = 'True')
             AND ($2::timestamptz IS NULL OR (t.created_at, t.id) > ($2, $3))
           ORDER BY t.created_at, t.id LIMIT $4"#,
        scope.partner_id() as Option<PartnerId>,
        request.after_time(),
        request.after_id(),
        request.fetch(),
        filter.name_prefix.as_deref(),
        filter.state.as_deref(),
        filter.external_id.as_deref(),
        Json(&filter.labels) as _,
        filter.condition.as_deref()
    )
    .fetch_all(db)
    .await?;
    let tenants = rows
        .into_iter()
        .map(Tenant::try_from)
        .collect::<Result<Vec<_>>>()?;
    Ok(request.page(tenants, |tenant| Cursor {
        created_at: tenant.created_at,
        id: tenant.id.to_string(),
    }))
}

/// Turns a broken uniqueness into what is taken.
pub(super) fn unique(error: sqlx::Error) -> Error {
    let taken =
        |db: &dyn sqlx::error::DatabaseError| db.constraint() == Some("tenants_partner_id_external_id_key");
    match &error {
        sqlx::Error::Database(db) if taken(&**db) => Error::new(
            crate::error::Code::ExternalIdTaken,
            "There is already a tenant with this external id.",
        )
        .with_fields(vec![crate::error::FieldError::new(
            "/external_id",
            "taken",
            "is the external id of another tenant",
        )]),
        _ => name_taken(error, "tenants_partner_id_name_key", "tenant"),
    }
}

/// Writes what callers may change of a locked tenant; [`bump_generation`] makes the worker act on it.
pub async fn update(tx: &mut PgConnection, scope: &PartnerScope, tenant: &Tenant) -> Result<()> {
    sqlx::query!(
        "UPDATE tenants SET name = $3, pool = $4, external_id = $5, labels = $6, drift_mode = $7
         WHERE id = $1 AND partner_id = $2",
        tenant.id as TenantId,
        scope.partner_id() as PartnerId,
        tenant.name,
        Json(&tenant.pool) as _,
        tenant.external_id,
        Json(&tenant.labels) as _,
        tenant.drift_mode.as_str()
    )
    .execute(tx)
    .await
    .map_err(unique)?;
    Ok(())
}

/// Writes the methods of a locked tenant; [`bump_generation`] makes the worker act on them.
pub async fn set_methods(
    tx: &mut PgConnection,
    scope: &PartnerScope,
    id: TenantId,
    methods: &TenantMethods,
) -> Result<()> {
    sqlx::query!(
        "UPDATE tenants SET methods = $3 WHERE id = $1 AND partner_id = $2",
        id as TenantId,
        scope.partner_id() as PartnerId,
        Json(methods) as _
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// What the worker found in AWS for a tenant, and the tenant's key.
pub async fn found(db: &mut PgConnection, scope: &PartnerScope, id: TenantId) -> Result<(Observed, Vec<u8>)> {
    let row = sqlx::query!(
        r#"SELECT observed AS "observed: Json<Observed>", event_hash_key FROM tenants WHERE id = $1 AND partner_id = $2"#,
        id as TenantId,
        scope.partner_id() as PartnerId
    )
    .fetch_optional(db)
    .await?
    .ok_or_else(|| Error::not_found("tenant"))?;
    Ok((row.observed.0, row.event_hash_key))
}

/// The key that hides the users of a tenant in its events.
pub async fn event_hash_key(db: &mut PgConnection, scope: &ReadScope, id: TenantId) -> Result<Vec<u8>> {
    sqlx::query_scalar!(
        r#"SELECT event_hash_key FROM tenants WHERE id = $1 AND ($2::text IS NULL OR partner_id = $2)"#,
        id as TenantId,
        scope.partner_id() as Option<PartnerId>
    )
    .fetch_optional(db)
    .await?
    .ok_or_else(|| Error::not_found("tenant"))
}

/// Suspends a locked tenant, or resumes it; [`bump_generation`] makes the worker act on it.
pub async fn set_suspension(
    tx: &mut PgConnection,
    scope: &PartnerScope,
    id: TenantId,
    suspension: Option<&Suspension>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE tenants SET suspended_at = $3, suspension_reason = $4 WHERE id = $1 AND partner_id = $2",
        id as TenantId,
        scope.partner_id() as PartnerId,
        suspension.map(|suspension| suspension.since),
        suspension.map(|suspension| suspension.reason.as_str())
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Says that what is wanted of a tenant has changed: the worker is due at once, and earlier failures no longer
/// hold it back. Returns the new generation.
pub async fn bump_generation(
    tx: &mut PgConnection,
    scope: &PartnerScope,
    id: TenantId,
    now: DateTime<Utc>,
) -> Result<i64> {
    let generation = sqlx::query_scalar!(
        "UPDATE tenants SET generation = generation + 1, next_attempt_at = $3, failed_passes = 0, updated_at = $3
         WHERE id = $1 AND partner_id = $2 RETURNING generation",
        id as TenantId,
        scope.partner_id() as PartnerId,
        now
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or_else(|| Error::not_found("tenant"))?;
    conditions::settle(tx, id, now).await?;
    notify_work(tx).await?;
    Ok(generation)
}

/// What the worker found of a tenant in AWS.
pub async fn observed(db: &mut PgConnection, scope: &ReadScope, id: TenantId) -> Result<Observed> {
    let Json(observed) = sqlx::query_scalar!(
        r#"SELECT observed AS "observed: Json<Observed>" FROM tenants
           WHERE id = $1 AND ($2::text IS NULL OR partner_id = $2)"#,
        id as TenantId,
        scope.partner_id() as Option<PartnerId>
    )
    .fetch_optional(db)
    .await?
    .ok_or_else(|| Error::not_found("tenant"))?;
    Ok(observed)
}

/// DNS names of the providers of those of `tenants` that are visible.
pub async fn providers(
    db: &mut PgConnection,
    scope: &ReadScope,
    tenants: &[TenantId],
) -> Result<HashMap<TenantId, String>> {
    let ids: Vec<String> = tenants.iter().map(ToString::to_string).collect();
    let rows = sqlx::query!(
        r#"SELECT id AS "id: TenantId", blockid_tenant_dns FROM tenants
           WHERE id = ANY($1) AND ($2::text IS NULL OR partner_id = $2)"#,
        &ids,
        scope.partner_id() as Option<PartnerId>
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.id, row.blockid_tenant_dns))
        .collect())
}
