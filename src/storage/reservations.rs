//! The first and second transaction of a tenant's creation.
//!
//! Between them `serve` writes the client secret into the tenant's cell. A reservation is a tenant in state
//! `awaiting_secret`, leased by the request that makes it (`lease_owner`, `lease_expires_at`): a repeat of the
//! request takes over a reservation whose lease has ended, or that is its own, never one that is under way elsewhere. What nobody repeats is
//! swept by the worker ([`stale`], [`delete`]).

use super::{conditions, notify_work, tenants::unique};
use crate::{
    Error, Result,
    domain::{
        actor::{OperatorScope, PartnerScope},
        blockid::BlockIdConnection,
        cell::CellAccess,
        pool::PoolSettings,
        tenant::{Labels, Reservation},
    },
    error::{Code, FieldError},
    ids::{CellId, PartnerId, TenantId},
};
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};

/// What is reserved.
pub struct NewTenant<'a> {
    /// Id, names and key, used unless a reservation of this name is taken over.
    pub reservation: Reservation,
    /// Where the tenant goes.
    pub cell_id: CellId,
    /// Name.
    pub name: &'a str,
    /// What the partner's own system calls it.
    pub external_id: Option<&'a str>,
    /// Names and values to select tenants by.
    pub labels: &'a Labels,
    /// How BlockID knows it.
    pub blockid: &'a BlockIdConnection,
    /// Pool settings.
    pub pool: &'a PoolSettings,
    /// Whether it is for trying out.
    pub sandbox: bool,
    /// Whoever makes it.
    pub lease_owner: &'a str,
    /// Until when nobody else may take it over.
    pub lease_expires_at: DateTime<Utc>,
    /// Now.
    pub now: DateTime<Utc>,
}

/// A reservation that was taken.
pub struct Taken {
    /// Id, names and key.
    pub reservation: Reservation,
    /// Where the tenant goes; an older reservation keeps its cell.
    pub cell_id: CellId,
}

/// Reserves a tenant, or takes over an abandoned reservation of the same name.
pub async fn reserve(tx: &mut PgConnection, scope: &PartnerScope, new: NewTenant<'_>) -> Result<Taken> {
    match take_over(tx, scope, &new).await? {
        Some(taken) => Ok(taken),
        None => insert(tx, scope, new).await,
    }
}

async fn take_over(
    tx: &mut PgConnection,
    scope: &PartnerScope,
    new: &NewTenant<'_>,
) -> Result<Option<Taken>> {
    let found = sqlx::query!(
        r#"SELECT id AS "id: TenantId", cell_id AS "cell_id: CellId", state, credentials_secret_name,
                  settings_secret_name, event_hash_key,
                  COALESCE(lease_expires_at > $3 AND lease_owner <> $4, false) AS "leased!"
           FROM tenants WHERE partner_id = $1 AND name = $2 AND state <> 'deleted' FOR UPDATE"#,
        scope.partner_id() as PartnerId,
        new.name,
        new.now,
        new.lease_owner
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(row) = found else { return Ok(None) };
    if row.state != "awaiting_secret" {
        return Err(taken("There is already a tenant of this name."));
    }
    if row.leased {
        return Err(taken(
            "Another request is creating a tenant of this name; repeat this one in a minute.",
        ));
    }
    sqlx::query!(
        "UPDATE tenants SET blockid_tenant_dns = $2, blockid_community = $3, blockid_client_id = $4, pool = $5,
                lease_owner = $6, lease_expires_at = $7, updated_at = $8, external_id = $9, labels = $10,
                blockid_extra_ca_pem = $11, sandbox = $12
         WHERE id = $1",
        row.id as TenantId,
        new.blockid.tenant_dns,
        new.blockid.community,
        new.blockid.client_id,
        Json(new.pool) as _,
        new.lease_owner,
        new.lease_expires_at,
        new.now,
        new.external_id,
        Json(new.labels) as _,
        new.blockid.extra_ca_pem,
        new.sandbox
    )
    .execute(tx)
    .await
    .map_err(unique)?;
    let event_hash_key = row
        .event_hash_key
        .try_into()
        .map_err(|_| Error::internal(anyhow::anyhow!("event hash key of {} has a wrong length", row.id)))?;
    let reservation = Reservation {
        id: row.id,
        credentials_secret_name: row.credentials_secret_name,
        settings_secret_name: row.settings_secret_name,
        event_hash_key,
    };
    Ok(Some(Taken {
        reservation,
        cell_id: row.cell_id,
    }))
}

async fn insert(tx: &mut PgConnection, scope: &PartnerScope, new: NewTenant<'_>) -> Result<Taken> {
    sqlx::query!(
        "INSERT INTO tenants (id, partner_id, cell_id, name, state, blockid_tenant_dns, blockid_community,
                              blockid_client_id, pool, credentials_secret_name, settings_secret_name, event_hash_key,
                              next_attempt_at, lease_owner, lease_expires_at, created_at, updated_at, external_id, labels,
                              blockid_extra_ca_pem, sandbox, release_id)
         VALUES ($1, $2, $3, $4, 'awaiting_secret', $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $12, $12, $15, $16, $17, $18,
                 (SELECT release_id FROM cells WHERE id = $3))",
        new.reservation.id as TenantId,
        scope.partner_id() as PartnerId,
        new.cell_id as CellId,
        new.name,
        new.blockid.tenant_dns,
        new.blockid.community,
        new.blockid.client_id,
        Json(new.pool) as _,
        new.reservation.credentials_secret_name,
        new.reservation.settings_secret_name,
        &new.reservation.event_hash_key[..],
        new.now,
        new.lease_owner,
        new.lease_expires_at,
        new.external_id,
        Json(new.labels) as _,
        new.blockid.extra_ca_pem,
        new.sandbox
    )
    .execute(tx)
    .await
    .map_err(unique)?;
    Ok(Taken {
        reservation: new.reservation,
        cell_id: new.cell_id,
    })
}

/// The secret is in the cell: the tenant is wanted from now on. Refused when the lease was lost meanwhile.
pub async fn activate(
    tx: &mut PgConnection,
    scope: &PartnerScope,
    id: TenantId,
    lease_owner: &str,
    credentials_secret_arn: &str,
    now: DateTime<Utc>,
) -> Result<i64> {
    let generation = sqlx::query_scalar!(
        "UPDATE tenants SET state = 'active', credentials_secret_arn = $4, lease_owner = NULL, lease_expires_at = NULL,
                next_attempt_at = $5, updated_at = $5
         WHERE id = $1 AND partner_id = $2 AND lease_owner = $3 AND state = 'awaiting_secret' RETURNING generation",
        id as TenantId,
        scope.partner_id() as PartnerId,
        lease_owner,
        credentials_secret_arn,
        now
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or_else(|| taken("Another request took over the creation of this tenant."))?;
    conditions::settle(tx, id, now).await?;
    notify_work(tx).await?;
    Ok(generation)
}

/// Gives a reservation up for a repeat of the request, at once instead of at the lease's end.
pub async fn release(
    db: &mut PgConnection,
    scope: &PartnerScope,
    id: TenantId,
    lease_owner: &str,
) -> Result<()> {
    sqlx::query!(
        "UPDATE tenants SET lease_owner = NULL, lease_expires_at = NULL
         WHERE id = $1 AND partner_id = $2 AND lease_owner = $3 AND state = 'awaiting_secret'",
        id as TenantId,
        scope.partner_id() as PartnerId,
        lease_owner
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A reservation that nobody completed.
pub struct Stale {
    /// Tenant.
    pub id: TenantId,
    /// Whose it was to be.
    pub partner_id: PartnerId,
    /// Name it was to have.
    pub name: String,
    /// Region of its cell.
    pub region: String,
    /// Role by which the cell is reached.
    pub role_arn: Option<String>,
    /// External id of that role.
    pub external_id: Option<String>,
    /// Secret that may or may not be there.
    pub credentials_secret_name: String,
}

impl Stale {
    /// How the account of its cell is reached.
    pub fn access(&self) -> Option<CellAccess> {
        super::cells::access(self.role_arn.clone(), self.external_id.clone())
    }
}

/// Reservations untouched since `before`, oldest first, leased to `lease_owner` until `lease_expires_at` so that
/// neither a repeated request nor another sweep meets them. Remove the secret, then call [`delete`].
pub async fn stale(
    db: &mut PgConnection,
    _scope: &OperatorScope,
    before: DateTime<Utc>,
    lease_owner: &str,
    now: DateTime<Utc>,
    lease_expires_at: DateTime<Utc>,
) -> Result<Vec<Stale>> {
    let rows = sqlx::query_as!(
        Stale,
        r#"WITH due AS (
               SELECT id FROM tenants
               WHERE state = 'awaiting_secret' AND updated_at < $1 AND COALESCE(lease_expires_at, $3) <= $3
               ORDER BY updated_at LIMIT 20 FOR UPDATE SKIP LOCKED)
           UPDATE tenants t SET lease_owner = $2, lease_expires_at = $4
           FROM due, cells c WHERE t.id = due.id AND c.id = t.cell_id
           RETURNING t.id AS "id: TenantId", t.partner_id AS "partner_id: PartnerId", t.name, c.region, c.role_arn, c.external_id,
                     t.credentials_secret_name"#,
        before,
        lease_owner,
        now,
        lease_expires_at
    )
    .fetch_all(db)
    .await?;
    Ok(rows)
}

/// Removes a swept reservation; false when the lease was lost.
pub async fn delete(
    db: &mut PgConnection,
    _scope: &OperatorScope,
    id: TenantId,
    lease_owner: &str,
) -> Result<bool> {
    let done = sqlx::query!(
        "DELETE FROM tenants WHERE id = $1 AND lease_owner = $2 AND state = 'awaiting_secret'",
        id as TenantId,
        lease_owner
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

fn taken(detail: &str) -> Error {
    Error::new(Code::NameTaken, detail).with_fields(vec![FieldError::new(
        "/name",
        "taken",
        "is the name of another tenant",
    )])
}
