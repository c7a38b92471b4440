//! Seals of the audit log, and what is needed to check them.
//!
//! One worker seals at a time (an advisory lock). It takes entries in commit order; numbers of that order appear in
//! order (see the migration), so everything behind the last sealed one is what remains to be sealed.

use super::audit_log::{Placed, Row, hash_of};
use crate::{
    Result,
    domain::{
        actor::{OperatorScope, ReadScope},
        audit::{Chain, Head},
    },
    ids::{AuditId, PartnerId, TenantId},
};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use std::collections::HashMap;

/// Whether this transaction may seal; held until it ends.
pub async fn try_lock(tx: &mut PgConnection, _scope: &OperatorScope) -> Result<bool> {
    let locked = sqlx::query_scalar!(
        r#"SELECT pg_try_advisory_xact_lock(hashtextextended('stepgate.audit_seals', 0)) AS "locked!""#
    )
    .fetch_one(tx)
    .await?;
    Ok(locked)
}

/// The next entries to be sealed, in commit order.
pub async fn unsealed(tx: &mut PgConnection, _scope: &OperatorScope, limit: i64) -> Result<Vec<Placed>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT a.id AS "id: AuditId", a.partner_id AS "partner_id: PartnerId", a.tenant_id AS "tenant_id: TenantId",
                  a.resource_id, a.action, a.outcome, a.actor, a.actor_role, a.reason, a.detail, a.request_id, a.at,
                  c.commit_order, NULL::bigint AS sequence, NULL::bytea AS hash
           FROM audit_commits c JOIN audit_log a ON a.position = c.position
           WHERE c.commit_order > coalesce((SELECT max(commit_order) FROM audit_seals), 0)
           ORDER BY c.commit_order LIMIT $1"#,
        limit
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter().map(Placed::try_from).collect()
}

/// The ends of these chains, by name; a chain without seals is absent.
pub async fn heads(
    db: &mut PgConnection,
    _scope: &OperatorScope,
    chains: &[String],
) -> Result<HashMap<String, Head>> {
    let rows = sqlx::query!(
        "SELECT DISTINCT ON (chain) chain, sequence, hash FROM audit_seals WHERE chain = ANY($1)
         ORDER BY chain, sequence DESC",
        chains
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            let hash = hash_of(&row.hash)?;
            Ok((
                row.chain,
                Head {
                    sequence: row.sequence,
                    hash,
                },
            ))
        })
        .collect()
}

/// A seal to be stored.
#[derive(Debug, Clone)]
pub struct NewSeal {
    /// Its chain.
    pub chain: Chain,
    /// Place and hash.
    pub head: Head,
    /// Entry that it seals.
    pub commit_order: i64,
}

/// Stores seals.
pub async fn insert(
    tx: &mut PgConnection,
    _scope: &OperatorScope,
    seals: &[NewSeal],
    now: DateTime<Utc>,
) -> Result<()> {
    let chains: Vec<String> = seals.iter().map(|seal| seal.chain.to_string()).collect();
    let sequences: Vec<i64> = seals.iter().map(|seal| seal.head.sequence).collect();
    let orders: Vec<i64> = seals.iter().map(|seal| seal.commit_order).collect();
    let hashes: Vec<Vec<u8>> = seals.iter().map(|seal| seal.head.hash.0.to_vec()).collect();
    sqlx::query!(
        "INSERT INTO audit_seals (chain, sequence, commit_order, position, hash, sealed_at)
         SELECT chain, sequence, new.commit_order, c.position, hash, $5
         FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bytea[]) AS new (chain, sequence, commit_order, hash)
         JOIN audit_commits c ON c.commit_order = new.commit_order",
        &chains,
        &sequences,
        &orders,
        &hashes,
        now
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Names of the chains that a scope shows and that have seals.
pub async fn chains(db: &mut PgConnection, scope: &ReadScope) -> Result<Vec<String>> {
    let names = sqlx::query_scalar!(
        r#"SELECT DISTINCT chain AS "chain!" FROM audit_seals WHERE $1::text IS NULL OR chain = $1 ORDER BY 1"#,
        scope.partner_id() as Option<PartnerId>
    )
    .fetch_all(db)
    .await?;
    Ok(names)
}

/// A seal as stored, with the entry that it seals: absent when the row is gone.
#[derive(Debug)]
pub struct StoredSeal {
    /// Place and hash.
    pub head: Head,
    /// The entry.
    pub entry: Option<Placed>,
}

/// The next seals of a chain after `after`, in order.
pub async fn next(
    db: &mut PgConnection,
    _scope: &ReadScope,
    chain: &str,
    after: i64,
    limit: i64,
) -> Result<Vec<StoredSeal>> {
    let rows = sqlx::query!(
        r#"SELECT s.sequence, s.hash, s.commit_order, a.id AS "id?: AuditId", a.partner_id AS "partner_id?: PartnerId",
                  a.tenant_id AS "tenant_id?: TenantId", a.resource_id AS "resource_id?", a.action AS "action?",
                  a.outcome AS "outcome?", a.actor AS "actor?", a.actor_role AS "actor_role?", a.reason AS "reason?",
                  a.detail AS "detail?", a.request_id AS "request_id?", a.at AS "at?"
           FROM audit_seals s LEFT JOIN audit_log a ON a.position = s.position
           WHERE s.chain = $1 AND s.sequence > $2 ORDER BY s.sequence LIMIT $3"#,
        chain,
        after,
        limit
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            let head = Head {
                sequence: row.sequence,
                hash: hash_of(&row.hash)?,
            };
            let whole = (
                row.id,
                row.resource_id,
                row.action,
                row.outcome,
                row.actor,
                row.reason,
                row.detail,
                row.at,
            );
            let entry = match whole {
                (
                    Some(id),
                    Some(resource_id),
                    Some(action),
                    Some(outcome),
                    Some(actor),
                    Some(reason),
                    Some(detail),
                    Some(at),
                ) => Some(Placed::try_from(Row {
                    id,
                    partner_id: row.partner_id,
                    tenant_id: row.tenant_id,
                    resource_id,
                    action,
                    outcome,
                    actor,
                    actor_role: row.actor_role,
                    reason,
                    detail,
                    request_id: row.request_id,
                    at,
                    commit_order: row.commit_order,
                    sequence: None,
                    hash: None,
                })?),
                _ => None,
            };
            Ok(StoredSeal { head, entry })
        })
        .collect()
}

/// Entries that have no seal although they were made before `before`, oldest first: somebody took the seal away, or no
/// worker runs.
pub async fn overdue(
    db: &mut PgConnection,
    scope: &ReadScope,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<(AuditId, Option<PartnerId>)>> {
    let rows = sqlx::query!(
        r#"SELECT a.id AS "id: AuditId", a.partner_id AS "partner_id: PartnerId" FROM audit_log a
           WHERE ($1::text IS NULL OR a.partner_id = $1) AND a.at < $2
             AND NOT EXISTS (SELECT FROM audit_seals s WHERE s.position = a.position)
           ORDER BY a.position LIMIT $3"#,
        scope.partner_id() as Option<PartnerId>,
        before,
        limit
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.partner_id)).collect())
}
