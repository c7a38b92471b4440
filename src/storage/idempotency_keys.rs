//! Requests that callers may repeat: claimed while under way, then kept with the answer they got.

use crate::{
    Error, Result,
    domain::actor::{OperatorScope, ReadScope},
    ids::PartnerId,
};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// What is to be claimed.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// SHA-256 of caller and key.
    pub id: &'a [u8; 32],
    /// HMAC of operation and body.
    pub fingerprint: &'a [u8; 32],
    /// Whoever works on it.
    pub lease_owner: &'a str,
    /// Until when nobody else takes it over.
    pub lease_expires_at: DateTime<Utc>,
    /// Now.
    pub now: DateTime<Utc>,
}

/// The answer that a request got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: i32,
    /// `Location`, if there was one.
    pub location: Option<String>,
    /// Body, without secrets.
    pub body: String,
}

/// What became of an attempt to claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// It is the caller's to work on.
    Ours,
    /// Somebody works on it, until then at least.
    Busy(DateTime<Utc>),
    /// It was another request.
    Other,
    /// It was done.
    Done(Answer),
}

/// Claims a request, in a transaction for the caller's rows. One that was given up by a crash is taken over.
pub async fn claim(tx: &mut PgConnection, scope: &ReadScope, new: Claim<'_>) -> Result<Claimed> {
    let inserted = sqlx::query!(
        "INSERT INTO idempotency_keys (id, partner_id, fingerprint, lease_owner, lease_expires_at, created_at)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING",
        &new.id[..],
        scope.partner_id() as Option<PartnerId>,
        &new.fingerprint[..],
        new.lease_owner,
        new.lease_expires_at,
        new.now
    )
    .execute(&mut *tx)
    .await?;
    if inserted.rows_affected() == 1 {
        return Ok(Claimed::Ours);
    }
    let row = sqlx::query!(
        "SELECT fingerprint, lease_expires_at, status, location, answer FROM idempotency_keys WHERE id = $1 FOR UPDATE",
        &new.id[..]
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(row) = row else {
        // It was given back at this very moment.
        return Ok(Claimed::Busy(new.now));
    };
    if row.fingerprint != new.fingerprint {
        return Ok(Claimed::Other);
    }
    if let Some((status, body)) = row.status.zip(row.answer) {
        let location = row.location;
        return Ok(Claimed::Done(Answer {
            status,
            location,
            body,
        }));
    }
    if row.lease_expires_at > new.now {
        return Ok(Claimed::Busy(row.lease_expires_at));
    }
    sqlx::query!(
        "UPDATE idempotency_keys SET lease_owner = $2, lease_expires_at = $3 WHERE id = $1",
        &new.id[..],
        new.lease_owner,
        new.lease_expires_at
    )
    .execute(tx)
    .await?;
    Ok(Claimed::Ours)
}

/// Keeps a claim for longer; false when it was lost.
pub async fn renew(
    db: &mut PgConnection,
    id: &[u8; 32],
    lease_owner: &str,
    lease_expires_at: DateTime<Utc>,
) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE idempotency_keys SET lease_expires_at = $3 WHERE id = $1 AND lease_owner = $2 AND status IS NULL",
        &id[..],
        lease_owner,
        lease_expires_at
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Writes the answer down, in the transaction that does what it tells, whosever rows that is for. Fails when the claim was
/// lost, so that nothing is done twice.
pub async fn record(tx: &mut PgConnection, id: &[u8; 32], lease_owner: &str, answer: &Answer) -> Result<()> {
    let written = sqlx::query_scalar!(
        r#"SELECT record_idempotent_answer($1, $2, $3, $4, $5) AS "written!""#,
        &id[..],
        lease_owner,
        answer.status,
        answer.location.as_deref(),
        answer.body
    )
    .fetch_one(tx)
    .await?;
    if written {
        return Ok(());
    }
    Err(Error::new(
        crate::error::Code::IdempotencyInProgress,
        "A repeat of this request took it over.",
    ))
}

/// Gives a claim back: nothing was done, and the caller may correct the request.
pub async fn release(db: &mut PgConnection, id: &[u8; 32], lease_owner: &str) -> Result<()> {
    sqlx::query!(
        "DELETE FROM idempotency_keys WHERE id = $1 AND lease_owner = $2 AND status IS NULL",
        &id[..],
        lease_owner
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Forgets what is older than `before`, some at a time; returns how many are gone.
pub async fn sweep(db: &mut PgConnection, _scope: &OperatorScope, before: DateTime<Utc>) -> Result<u64> {
    let done = sqlx::query!(
        "DELETE FROM idempotency_keys WHERE id IN (
             SELECT id FROM idempotency_keys WHERE created_at < $1 ORDER BY created_at LIMIT 1000 FOR UPDATE SKIP LOCKED)",
        before
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}
