//! The audit log: rows are added in the transaction that does what they tell, never changed or removed.
//!
//! Entries are read in commit order, newest first or oldest first: numbers of that order appear in order, so a page
//! or an export misses nothing that was committed before it began.

use super::{Cursor, Page, PageRequest};
use crate::{
    Error, Result,
    domain::{
        actor::ReadScope,
        audit::{AuditEntry, AuditOutcome, AuditRecord, Head, SealHash},
    },
    ids::{AuditId, PartnerId, TenantId},
};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;

/// Who makes an entry.
#[derive(Debug, Clone, Copy)]
pub struct Author<'a> {
    /// Id of the API key, `issuer:subject`, `worker`, or `command_line`.
    pub actor: &'a str,
    /// What the caller may do.
    pub role: Option<&'a str>,
    /// Request, when there is one.
    pub request_id: Option<&'a str>,
}

impl Author<'static> {
    /// What runs by itself.
    pub const WORKER: Self = Self {
        actor: "worker",
        role: None,
        request_id: None,
    };
    /// Somebody at the machine.
    pub const COMMAND_LINE: Self = Self {
        actor: "command_line",
        role: None,
        request_id: None,
    };
}

/// Adds an entry to the chain of a partner or, without one, of the installation. The transaction must be for its rows.
pub async fn insert(
    tx: &mut PgConnection,
    partner_id: Option<PartnerId>,
    id: AuditId,
    author: Author<'_>,
    entry: &AuditEntry,
    at: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO audit_log (id, partner_id, tenant_id, resource_id, action, actor, reason, detail, request_id, at,
                                outcome, actor_role)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        id as AuditId,
        partner_id as Option<PartnerId>,
        entry.tenant_id as Option<TenantId>,
        entry.resource_id,
        entry.action.as_str(),
        author.actor,
        entry.reason,
        entry.detail,
        author.request_id,
        at,
        entry.action.outcome().as_str(),
        author.role
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Which entries are asked for; what is absent does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Of this partner's chain. What the scope hides stays hidden.
    pub partner_id: Option<PartnerId>,
    /// About this tenant.
    pub tenant_id: Option<TenantId>,
    /// Of this action.
    pub action: Option<String>,
    /// By this actor.
    pub actor: Option<String>,
    /// With this outcome.
    pub outcome: Option<AuditOutcome>,
    /// Not before.
    pub from: Option<DateTime<Utc>>,
    /// Before.
    pub to: Option<DateTime<Utc>>,
}

/// An entry with its place in the order of commits, and in its chain once it is sealed.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    /// The entry.
    pub record: AuditRecord,
    /// Its place in the order of commits, of all chains.
    pub commit_order: i64,
    /// Its seal.
    pub seal: Option<Head>,
}

/// A row of any query of this module and of [`super::audit_seals`].
pub(super) struct Row {
    pub(super) id: AuditId,
    pub(super) partner_id: Option<PartnerId>,
    pub(super) tenant_id: Option<TenantId>,
    pub(super) resource_id: String,
    pub(super) action: String,
    pub(super) outcome: String,
    pub(super) actor: String,
    pub(super) actor_role: Option<String>,
    pub(super) reason: String,
    pub(super) detail: Value,
    pub(super) request_id: Option<String>,
    pub(super) at: DateTime<Utc>,
    pub(super) commit_order: i64,
    pub(super) sequence: Option<i64>,
    pub(super) hash: Option<Vec<u8>>,
}

impl TryFrom<Row> for Placed {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let seal = match row.sequence.zip(row.hash) {
            Some((sequence, hash)) => Some(Head {
                sequence,
                hash: hash_of(&hash)?,
            }),
            None => None,
        };
        let record = AuditRecord {
            id: row.id,
            partner_id: row.partner_id,
            tenant_id: row.tenant_id,
            resource_id: row.resource_id,
            action: row.action,
            outcome: row.outcome,
            actor: row.actor,
            actor_role: row.actor_role,
            reason: row.reason,
            detail: row.detail,
            request_id: row.request_id,
            at: row.at,
        };
        Ok(Self {
            record,
            commit_order: row.commit_order,
            seal,
        })
    }
}

pub(super) fn hash_of(bytes: &[u8]) -> Result<SealHash> {
    let bytes = bytes
        .try_into()
        .map_err(|_| Error::internal(anyhow::anyhow!("a seal's hash has {} bytes", bytes.len())))?;
    Ok(SealHash(bytes))
}

/// Entries, newest first.
pub async fn list(
    db: &mut PgConnection,
    scope: &ReadScope,
    filter: &AuditFilter,
    request: &PageRequest,
) -> Result<Page<Placed>> {
    // The order of commits stands in for an id.
    let before: Option<i64> = request.after_id().map(str::parse).transpose().map_err(|_| {
        Error::new(
            crate::error::Code::InvalidQuery,
            "The cursor is not one that this list gave.",
        )
    })?;
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT a.id AS "id: AuditId", a.partner_id AS "partner_id: PartnerId", a.tenant_id AS "tenant_id: TenantId",
                  a.resource_id, a.action, a.outcome, a.actor, a.actor_role, a.reason, a.detail, a.request_id, a.at,
                  c.commit_order, s.sequence AS "sequence?", s.hash AS "hash?"
           FROM audit_commits c JOIN audit_log a ON a.position = c.position
           LEFT JOIN audit_seals s ON s.position = c.position
           WHERE ($1::text IS NULL OR c.partner_id = $1) AND ($2::text IS NULL OR c.partner_id = $2)
             AND ($3::text IS NULL OR a.tenant_id = $3) AND ($4::text IS NULL OR a.action = $4)
             AND ($5::text IS NULL OR a.actor = $5) AND ($6::text IS NULL OR a.outcome = $6)
             AND ($7::timestamptz IS NULL OR a.at >= $7) AND ($8::timestamptz IS NULL OR a.at < $8)
             AND ($9::bigint IS NULL OR c.commit_order < $9)
           ORDER BY c.commit_order DESC LIMIT $10"#,
        scope.partner_id() as Option<PartnerId>,
        filter.partner_id as Option<PartnerId>,
        filter.tenant_id as Option<TenantId>,
        filter.action,
        filter.actor,
        filter.outcome.map(AuditOutcome::as_str),
        filter.from,
        filter.to,
        before,
        request.fetch()
    )
    .fetch_all(db)
    .await?;
    let entries = rows
        .into_iter()
        .map(Placed::try_from)
        .collect::<Result<Vec<_>>>()?;
    Ok(request.page(entries, |entry: &Placed| Cursor {
        created_at: entry.record.at,
        id: entry.commit_order.to_string(),
    }))
}

/// The next entries after `after` in the order of commits, oldest first.
pub async fn next(
    db: &mut PgConnection,
    scope: &ReadScope,
    filter: &AuditFilter,
    after: i64,
    limit: i64,
) -> Result<Vec<Placed>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT a.id AS "id: AuditId", a.partner_id AS "partner_id: PartnerId", a.tenant_id AS "tenant_id: TenantId",
                  a.resource_id, a.action, a.outcome, a.actor, a.actor_role, a.reason, a.detail, a.request_id, a.at,
                  c.commit_order, s.sequence AS "sequence?", s.hash AS "hash?"
           FROM audit_commits c JOIN audit_log a ON a.position = c.position
           LEFT JOIN audit_seals s ON s.position = c.position
           WHERE ($1::text IS NULL OR c.partner_id = $1) AND ($2::text IS NULL OR c.partner_id = $2)
             AND ($3::text IS NULL OR a.tenant_id = $3) AND ($4::text IS NULL OR a.action = $4)
             AND ($5::text IS NULL OR a.actor = $5) AND ($6::text IS NULL OR a.outcome = $6)
             AND ($7::timestamptz IS NULL OR a.at >= $7) AND ($8::timestamptz IS NULL OR a.at < $8)
             AND c.commit_order > $9
           ORDER BY c.commit_order LIMIT $10"#,
        scope.partner_id() as Option<PartnerId>,
        filter.partner_id as Option<PartnerId>,
        filter.tenant_id as Option<TenantId>,
        filter.action,
        filter.actor,
        filter.outcome.map(AuditOutcome::as_str),
        filter.from,
        filter.to,
        after,
        limit
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Placed::try_from).collect()
}
