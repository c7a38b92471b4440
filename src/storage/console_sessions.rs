//! Browsers that are signed in to the console, and the demonstration's links. Read before anybody is known, so every
//! function asks for the scope in which callers are recognised.

use crate::{
    Result,
    domain::{
        actor::OperatorScope,
        console_session::{ConsoleSession, IDLE},
    },
    ids::PartnerId,
};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// Keeps a new session.
pub async fn insert(
    tx: &mut PgConnection,
    _scope: &OperatorScope,
    id: &[u8; 32],
    session: &ConsoleSession,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO console_sessions (id, partner_id, issuer, subject, role, created_at, last_seen_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        &id[..],
        session.partner_id as Option<PartnerId>,
        session.issuer,
        session.subject,
        session.role.as_str(),
        session.created_at,
        session.last_seen_at,
        session.expires_at
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The session of what a browser holds, alive or not.
pub async fn find(
    db: &mut PgConnection,
    _scope: &OperatorScope,
    id: &[u8; 32],
) -> Result<Option<ConsoleSession>> {
    let row = sqlx::query!(
        r#"SELECT partner_id AS "partner_id: PartnerId", issuer, subject, role, created_at, last_seen_at, expires_at
           FROM console_sessions WHERE id = $1"#,
        &id[..]
    )
    .fetch_optional(db)
    .await?;
    row.map(|row| {
        Ok(ConsoleSession {
            issuer: row.issuer,
            subject: row.subject,
            role: row.role.parse()?,
            partner_id: row.partner_id,
            created_at: row.created_at,
            last_seen_at: row.last_seen_at,
            expires_at: row.expires_at,
        })
    })
    .transpose()
}

/// Writes down that a session was seen.
pub async fn note_seen(
    tx: &mut PgConnection,
    _scope: &OperatorScope,
    id: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE console_sessions SET last_seen_at = $2 WHERE id = $1 AND last_seen_at < $2",
        &id[..],
        now
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Ends a session; whether there was one.
pub async fn delete(tx: &mut PgConnection, _scope: &OperatorScope, id: &[u8; 32]) -> Result<bool> {
    let deleted = sqlx::query!("DELETE FROM console_sessions WHERE id = $1", &id[..])
        .execute(tx)
        .await?;
    Ok(deleted.rows_affected() == 1)
}

/// Removes sessions that are over. Called when one begins, so there are never more than sign-ins within a lifetime.
pub async fn sweep(tx: &mut PgConnection, _scope: &OperatorScope, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "DELETE FROM console_sessions WHERE expires_at <= $1 OR last_seen_at <= $2",
        now,
        now - IDLE
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Keeps a link, and removes those that nobody opened in time.
pub async fn insert_link(
    tx: &mut PgConnection,
    _scope: &OperatorScope,
    id: &[u8; 32],
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!("DELETE FROM console_links WHERE expires_at <= $1", now)
        .execute(&mut *tx)
        .await?;
    sqlx::query!(
        "INSERT INTO console_links (id, expires_at) VALUES ($1, $2)",
        &id[..],
        expires_at
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Uses a link up; whether it was good. Of two who try at once one gets it.
pub async fn take_link(
    tx: &mut PgConnection,
    _scope: &OperatorScope,
    id: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<bool> {
    let taken = sqlx::query!(
        "DELETE FROM console_links WHERE id = $1 AND expires_at > $2",
        &id[..],
        now
    )
    .execute(tx)
    .await?;
    Ok(taken.rows_affected() == 1)
}
