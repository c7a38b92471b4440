//! App clients: which one an app has, and whether Cognito may have made another ([`crate::domain::app_client`]).
//!
//! What a pass writes names its [`Claim`], by the rules of [`super::reconcile`].

use crate::{
    Result,
    domain::{actor::OperatorScope, provisioning::Claim},
    ids::{AppId, CellId, TenantId},
};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// Puts an app in doubt, because Cognito is about to be asked for its client; the first look is due at `look_at`.
/// Returns whether it was not in doubt before; `None` when the claim is lost, and nothing may be asked.
pub async fn ask(
    db: &mut PgConnection,
    claim: &Claim,
    app: AppId,
    now: DateTime<Utc>,
    look_at: DateTime<Utc>,
) -> Result<Option<bool>> {
    let first = sqlx::query_scalar!(
        r#"WITH held AS (
               SELECT id FROM tenants WHERE id = $1 AND lease_owner = $2 AND fencing_token = $3 FOR UPDATE
           ), before AS (
               SELECT apps.id, client_asked_at FROM apps JOIN held ON tenant_id = held.id WHERE apps.id = $4
           )
           UPDATE apps SET client_asked_at = $5, client_look_at = $6
           FROM before WHERE apps.id = before.id
           RETURNING before.client_asked_at IS NULL AS "first!""#,
        claim.tenant_id as TenantId,
        claim.owner,
        claim.fencing_token,
        app as AppId,
        now,
        look_at
    )
    .fetch_optional(db)
    .await?;
    Ok(first)
}

/// Cognito refused, and no earlier call was in doubt: there is no other client.
pub async fn refused(db: &mut PgConnection, claim: &Claim, app: AppId) -> Result<bool> {
    let held = sqlx::query!(
        r#"UPDATE apps SET client_asked_at = NULL, client_look_at = NULL
           FROM tenants
           WHERE tenants.id = $1 AND lease_owner = $2 AND fencing_token = $3 AND apps.id = $4 AND tenant_id = tenants.id"#,
        claim.tenant_id as TenantId,
        claim.owner,
        claim.fencing_token,
        app as AppId
    )
    .execute(db)
    .await?;
    Ok(held.rows_affected() == 1)
}

/// Stores the client id of an app that has none. `certain`: it is known that Cognito made no other.
pub async fn store(
    db: &mut PgConnection,
    claim: &Claim,
    app: AppId,
    client_id: &str,
    certain: bool,
) -> Result<bool> {
    let held = sqlx::query_scalar!(
        r#"WITH held AS (
               SELECT id FROM tenants WHERE id = $1 AND lease_owner = $2 AND fencing_token = $3 FOR UPDATE
           ), stored AS (
               UPDATE apps
               SET client_id = $5, client_asked_at = CASE WHEN NOT $6 THEN client_asked_at END,
                   client_look_at = CASE WHEN NOT $6 THEN client_look_at END
               FROM held WHERE apps.id = $4 AND tenant_id = held.id AND client_id IS NULL
           )
           SELECT count(*) AS "held!" FROM held"#,
        claim.tenant_id as TenantId,
        claim.owner,
        claim.fencing_token,
        app as AppId,
        client_id,
        certain
    )
    .fetch_one(db)
    .await?;
    Ok(held == 1)
}

/// A pool to be looked through for clients of an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueLook {
    /// The app; its clients have its id for a name.
    pub app_id: AppId,
    /// Whose app it is.
    pub tenant_id: TenantId,
    /// Where the pool is.
    pub cell_id: CellId,
    /// The pool.
    pub user_pool_id: Option<String>,
    /// The client that stays; `None`: the app was removed, and none does.
    pub keeps: Option<String>,
    /// When Cognito was last asked for one.
    pub asked_at: DateTime<Utc>,
}

/// Claims looks that are due, until `until`. An app whose client is still to be made is not looked at: until its row says
/// which one it has, that is for the pass to do.
pub async fn claim_looks(
    tx: &mut PgConnection,
    _scope: &OperatorScope,
    limit: i64,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Vec<DueLook>> {
    let due = sqlx::query_as!(
        DueLook,
        r#"WITH due AS (
               SELECT id FROM apps
               WHERE client_look_at <= $1 AND (client_id IS NOT NULL OR removed_at IS NOT NULL)
               ORDER BY client_look_at LIMIT $2 FOR UPDATE SKIP LOCKED
           )
           UPDATE apps SET client_look_at = $3
           FROM due, tenants WHERE apps.id = due.id AND tenants.id = tenant_id
           RETURNING apps.id AS "app_id: AppId", tenant_id AS "tenant_id: TenantId", cell_id AS "cell_id: CellId",
                     observed ->> 'user_pool_id' AS user_pool_id,
                     CASE WHEN removed_at IS NULL THEN client_id END AS keeps, client_asked_at AS "asked_at!""#,
        now,
        limit,
        until
    )
    .fetch_all(tx)
    .await?;
    Ok(due)
}

/// A pool was looked through. The next look is due at `next`; without one the app is not in doubt any more.
pub async fn looked(
    tx: &mut PgConnection,
    _scope: &OperatorScope,
    look: &DueLook,
    next: Option<DateTime<Utc>>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE apps
         SET client_look_at = $3, client_asked_at = CASE WHEN $3::timestamptz IS NOT NULL THEN client_asked_at END
         WHERE id = $1 AND client_asked_at = $2",
        look.app_id as AppId,
        look.asked_at,
        next
    )
    .execute(tx)
    .await?;
    Ok(())
}
