//! Refused attempts that are being counted: an open window for each caller, operation and code.

use crate::{
    Result,
    domain::actor::{OperatorScope, Rows},
    ids::PartnerId,
};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// A refused attempt.
#[derive(Debug, Clone, Copy)]
pub struct Denial<'a> {
    /// Who tried.
    pub actor: &'a str,
    /// What the caller is.
    pub role: &'a str,
    /// Method and path pattern.
    pub operation: &'a str,
    /// Problem code.
    pub code: &'a str,
    /// Path that was asked for.
    pub path: &'a str,
    /// Request.
    pub request_id: &'a str,
}

/// Counts an attempt; true when it is the first of its window.
pub async fn count(
    tx: &mut PgConnection,
    scope: &impl Rows,
    denial: Denial<'_>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let repeats = sqlx::query_scalar!(
        r#"INSERT INTO audit_denials AS d (actor, operation, code, partner_id, actor_role, since, last_at, last_path,
                                           last_request_id)
           VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8)
           ON CONFLICT (actor, operation, code) DO UPDATE SET
               repeats = d.repeats + 1, last_at = excluded.last_at, last_path = excluded.last_path,
               last_request_id = excluded.last_request_id
           RETURNING repeats"#,
        denial.actor,
        denial.operation,
        denial.code,
        scope.partner_id() as Option<PartnerId>,
        denial.role,
        now,
        denial.path,
        denial.request_id
    )
    .fetch_one(tx)
    .await?;
    Ok(repeats == 0)
}

/// A window that was closed.
#[derive(Debug)]
pub struct Window {
    /// Who tried.
    pub actor: String,
    /// What the caller is.
    pub actor_role: String,
    /// Whose chain it belongs to.
    pub partner_id: Option<PartnerId>,
    /// Method and path pattern.
    pub operation: String,
    /// Problem code.
    pub code: String,
    /// When the first attempt was.
    pub since: DateTime<Utc>,
    /// Attempts after the first.
    pub repeats: i64,
    /// When the last attempt was.
    pub last_at: DateTime<Utc>,
    /// Path of the last attempt.
    pub last_path: String,
    /// Request of the last attempt.
    pub last_request_id: Option<String>,
}

/// Closes windows that were opened before `before` and returns them.
pub async fn close(
    tx: &mut PgConnection,
    _scope: &OperatorScope,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Window>> {
    let windows = sqlx::query_as!(
        Window,
        r#"DELETE FROM audit_denials WHERE (actor, operation, code) IN (
               SELECT actor, operation, code FROM audit_denials WHERE since <= $1
               ORDER BY since LIMIT $2 FOR UPDATE SKIP LOCKED)
           RETURNING actor, actor_role, partner_id AS "partner_id: PartnerId", operation, code, since, repeats, last_at,
                     last_path, last_request_id"#,
        before,
        limit
    )
    .fetch_all(tx)
    .await?;
    Ok(windows)
}
