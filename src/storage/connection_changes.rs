//! Changes of BlockID connections: reserved and staged by requests, ended by the worker.
//!
//! A request first reserves the change (`staging`, leased to it), writes the secret into the cell, then stages it. A
//! repeat takes over a reservation whose lease has ended. There is one open change of a tenant at most. What the
//! worker writes names its claim, as in [`super::reconcile`].

use crate::{
    Error, Result,
    domain::{
        actor::{PartnerScope, ReadScope},
        blockid::BlockIdConnection,
        connection_change::ConnectionChange,
        connection_check::ConnectionReport,
        operation::Failure,
        provisioning::{Claim, Observed},
    },
    error::Code,
    ids::{ChangeId, OperationId, PartnerId, TenantId},
};
use chrono::{DateTime, Utc};
use ipnet::IpNet;
use sqlx::{PgConnection, types::Json};

struct Row {
    id: ChangeId,
    tenant_id: TenantId,
    state: String,
    connection: Json<BlockIdConnection>,
    previous: Json<BlockIdConnection>,
    issuer: Option<String>,
    version_id: Option<String>,
    operation_id: Option<OperationId>,
    failure: Option<Json<Failure>>,
    created_at: DateTime<Utc>,
    staged_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
}

impl TryFrom<Row> for ConnectionChange {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id,
            tenant_id: row.tenant_id,
            state: row.state.parse()?,
            connection: row.connection.0,
            previous: row.previous.0,
            issuer: row.issuer,
            version_id: row.version_id,
            operation_id: row.operation_id,
            failure: row.failure.map(|Json(failure)| failure),
            created_at: row.created_at,
            staged_at: row.staged_at,
            finished_at: row.finished_at,
        })
    }
}

/// What a connection is checked and changed with, beside the tenant's row.
pub struct Ground {
    /// Networks of the cell in which providers may be, beside the public internet.
    pub allowed_networks: Vec<IpNet>,
    /// The tenant's key.
    pub event_hash_key: Vec<u8>,
    /// What the worker found in AWS.
    pub observed: Observed,
}

/// The ground of a tenant.
pub async fn ground(db: &mut PgConnection, scope: &ReadScope, id: TenantId) -> Result<Ground> {
    let row = sqlx::query!(
        r#"SELECT c.allowed_provider_networks, t.event_hash_key, t.observed AS "observed: Json<Observed>"
           FROM tenants t JOIN cells c ON c.id = t.cell_id
           WHERE t.id = $1 AND ($2::text IS NULL OR t.partner_id = $2)"#,
        id as TenantId,
        scope.partner_id() as Option<PartnerId>
    )
    .fetch_optional(db)
    .await?
    .ok_or_else(|| Error::not_found("tenant"))?;
    let networks = row.allowed_provider_networks.iter().map(|text| text.parse());
    Ok(Ground {
        allowed_networks: networks
            .collect::<Result<_, _>>()
            .map_err(|error: ipnet::AddrParseError| Error::internal(anyhow::Error::from(error)))?,
        event_hash_key: row.event_hash_key,
        observed: row.observed.0,
    })
}

/// What is reserved.
pub struct NewChange<'a> {
    /// Id, used unless a reservation is taken over.
    pub id: ChangeId,
    /// The tenant, which the caller has locked.
    pub tenant_id: TenantId,
    /// What is to be in force.
    pub connection: &'a BlockIdConnection,
    /// What is in force.
    pub previous: &'a BlockIdConnection,
    /// Issuer that is expected.
    pub issuer: Option<&'a str>,
    /// The request.
    pub lease_owner: &'a str,
    /// Until when nobody else may take it over.
    pub lease_expires_at: DateTime<Utc>,
    /// Now.
    pub now: DateTime<Utc>,
}

/// Reserves a change, or takes over one that its request abandoned.
pub async fn reserve(tx: &mut PgConnection, scope: &PartnerScope, new: NewChange<'_>) -> Result<ChangeId> {
    let open = sqlx::query!(
        r#"SELECT id AS "id: ChangeId", state, COALESCE(lease_expires_at > $3, false) AS "leased!"
           FROM connection_changes
           WHERE tenant_id = $1 AND partner_id = $2 AND state IN ('staging', 'staged') FOR UPDATE"#,
        new.tenant_id as TenantId,
        scope.partner_id() as PartnerId,
        new.now
    )
    .fetch_optional(&mut *tx)
    .await?;
    let id = match open {
        None => new.id,
        Some(row) if row.state == "staging" && !row.leased => row.id,
        Some(_) => {
            return Err(Error::new(
                Code::ConnectionChanging,
                "The connection is being changed; wait until that operation has ended.",
            ));
        }
    };
    sqlx::query!(
        "INSERT INTO connection_changes (id, tenant_id, partner_id, state, connection, previous, issuer, lease_owner,
                                         lease_expires_at, created_at)
         VALUES ($1, $2, $3, 'staging', $4, $5, $6, $7, $8, $9)
         ON CONFLICT (id) DO UPDATE SET connection = excluded.connection, previous = excluded.previous,
             issuer = excluded.issuer, lease_owner = excluded.lease_owner, lease_expires_at = excluded.lease_expires_at",
        id as ChangeId,
        new.tenant_id as TenantId,
        scope.partner_id() as PartnerId,
        Json(new.connection) as _,
        Json(new.previous) as _,
        new.issuer,
        new.lease_owner,
        new.lease_expires_at,
        new.now
    )
    .execute(tx)
    .await?;
    Ok(id)
}

/// What is known once the secret is in the cell.
pub struct Staged<'a> {
    /// The change.
    pub id: ChangeId,
    /// The request that reserved it.
    pub lease_owner: &'a str,
    /// Version of the credentials secret; `None` when the secret stays.
    pub version_id: Option<&'a str>,
    /// The work.
    pub operation_id: OperationId,
    /// Now.
    pub now: DateTime<Utc>,
}

/// The change is the worker's from now on. Refused when the lease was lost meanwhile.
pub async fn stage(tx: &mut PgConnection, scope: &PartnerScope, staged: Staged<'_>) -> Result<()> {
    let done = sqlx::query!(
        "UPDATE connection_changes SET state = 'staged', version_id = $4, operation_id = $5, staged_at = $6,
                lease_owner = NULL, lease_expires_at = NULL
         WHERE id = $1 AND partner_id = $2 AND lease_owner = $3 AND state = 'staging'",
        staged.id as ChangeId,
        scope.partner_id() as PartnerId,
        staged.lease_owner,
        staged.version_id,
        staged.operation_id as OperationId,
        staged.now
    )
    .execute(tx)
    .await?;
    if done.rows_affected() == 1 {
        Ok(())
    } else {
        Err(Error::new(
            Code::ConnectionChanging,
            "Another request took over the change of this connection.",
        ))
    }
}

/// Gives a reservation up, at once instead of at the lease's end.
pub async fn release(
    db: &mut PgConnection,
    scope: &PartnerScope,
    id: ChangeId,
    lease_owner: &str,
) -> Result<()> {
    sqlx::query!(
        "UPDATE connection_changes SET lease_owner = NULL, lease_expires_at = NULL
         WHERE id = $1 AND partner_id = $2 AND lease_owner = $3 AND state = 'staging'",
        id as ChangeId,
        scope.partner_id() as PartnerId,
        lease_owner
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The newest change of a tenant; with `done`, the newest that is in force.
pub async fn latest(
    db: &mut PgConnection,
    scope: &ReadScope,
    tenant_id: TenantId,
    done: bool,
) -> Result<Option<ConnectionChange>> {
    sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: ChangeId", tenant_id AS "tenant_id: TenantId", state,
                  connection AS "connection: Json<BlockIdConnection>", previous AS "previous: Json<BlockIdConnection>",
                  issuer, version_id, operation_id AS "operation_id: OperationId", failure AS "failure: Json<Failure>",
                  created_at, staged_at, finished_at
           FROM connection_changes
           WHERE tenant_id = $1 AND ($2::text IS NULL OR partner_id = $2) AND (NOT $3 OR state = 'done')
           ORDER BY coalesce(finished_at, created_at) DESC, id DESC LIMIT 1"#,
        tenant_id as TenantId,
        scope.partner_id() as Option<PartnerId>,
        done
    )
    .fetch_optional(db)
    .await?
    .map(ConnectionChange::try_from)
    .transpose()
}

/// Stores what a preflight found, unless the connection has been changed meanwhile.
pub async fn store_check(
    tx: &mut PgConnection,
    scope: &PartnerScope,
    id: TenantId,
    report: &ConnectionReport,
) -> Result<()> {
    sqlx::query!(
        "UPDATE tenants SET blockid_check = $3
         WHERE id = $1 AND partner_id = $2 AND blockid_tenant_dns = $4 AND blockid_community = $5",
        id as TenantId,
        scope.partner_id() as PartnerId,
        Json(report) as _,
        report.tenant_dns,
        report.community
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The change that waits for the worker that holds `claim`.
pub async fn waiting(db: &mut PgConnection, claim: &Claim) -> Result<Option<ConnectionChange>> {
    sqlx::query_as!(
        Row,
        r#"SELECT c.id AS "id: ChangeId", c.tenant_id AS "tenant_id: TenantId", c.state,
                  c.connection AS "connection: Json<BlockIdConnection>",
                  c.previous AS "previous: Json<BlockIdConnection>", c.issuer, c.version_id,
                  c.operation_id AS "operation_id: OperationId", c.failure AS "failure: Json<Failure>",
                  c.created_at, c.staged_at, c.finished_at
           FROM connection_changes c JOIN tenants t ON t.id = c.tenant_id
           WHERE c.tenant_id = $1 AND t.lease_owner = $2 AND t.fencing_token = $3 AND c.state = 'staged'"#,
        claim.tenant_id as TenantId,
        claim.owner,
        claim.fencing_token
    )
    .fetch_optional(db)
    .await?
    .map(ConnectionChange::try_from)
    .transpose()
}

/// The change is in force: the tenant's columns say so, with what is known of the provider. A check of another
/// place is forgotten.
pub async fn promote(
    db: &mut PgConnection,
    claim: &Claim,
    change: &ConnectionChange,
    observed: &Observed,
    now: DateTime<Utc>,
) -> Result<bool> {
    let to = &change.connection;
    let held = sqlx::query_scalar!(
        r#"WITH held AS (
               UPDATE tenants
               SET blockid_tenant_dns = $4, blockid_community = $5, blockid_client_id = $6, blockid_extra_ca_pem = $7,
                   observed = $8,
                   blockid_check = CASE WHEN blockid_tenant_dns = $4 AND blockid_community = $5 THEN blockid_check END
               WHERE id = $1 AND lease_owner = $2 AND fencing_token = $3 RETURNING id
           ), done AS (
               UPDATE connection_changes SET state = 'done', finished_at = $9
               FROM held WHERE connection_changes.id = $10 AND tenant_id = held.id AND state = 'staged'
           )
           SELECT count(*) AS "held!" FROM held"#,
        claim.tenant_id as TenantId,
        claim.owner,
        claim.fencing_token,
        to.tenant_dns,
        to.community,
        to.client_id,
        to.extra_ca_pem,
        Json(observed) as _,
        now,
        change.id as ChangeId
    )
    .fetch_one(db)
    .await?;
    Ok(held == 1)
}

/// The change was taken back, and its operation says why.
pub async fn fail(
    db: &mut PgConnection,
    claim: &Claim,
    change: &ConnectionChange,
    failure: &Failure,
    now: DateTime<Utc>,
) -> Result<bool> {
    let held = sqlx::query_scalar!(
        r#"WITH held AS (
               SELECT id FROM tenants WHERE id = $1 AND lease_owner = $2 AND fencing_token = $3 FOR UPDATE
           ), taken_back AS (
               UPDATE connection_changes SET state = 'failed', failure = $5, finished_at = $6
               FROM held WHERE connection_changes.id = $4 AND tenant_id = held.id AND state = 'staged'
               RETURNING operation_id
           ), given_up AS (
               UPDATE operations SET state = 'failed', error = $5, finished_at = $6, started_at = coalesce(started_at, $6)
               FROM taken_back
               WHERE operations.id = taken_back.operation_id AND operations.state IN ('pending', 'running')
               RETURNING operations.id
           ), steps AS (
               UPDATE operation_steps
               SET state = 'failed', error = $7, finished_at = $6,
                   tries = CASE WHEN jsonb_array_length(tries) > 0
                                THEN jsonb_set(tries, '{-1}', (tries -> -1)
                                               || jsonb_build_object('finished_at', $6::timestamptz, 'error', $7::text))
                                ELSE tries END
               FROM given_up WHERE operation_id = given_up.id AND state = 'running'
           )
           SELECT count(*) AS "held!" FROM held"#,
        claim.tenant_id as TenantId,
        claim.owner,
        claim.fencing_token,
        change.id as ChangeId,
        Json(failure) as _,
        now,
        failure.message
    )
    .fetch_one(db)
    .await?;
    Ok(held == 1)
}
