//! API keys. Written by operators; read by whoever presents one.

use crate::{
    Result,
    domain::{
        actor::{Actor, OperatorScope},
        api_key::{ApiKey, KeyHash},
    },
    ids::{KeyId, PartnerId},
};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// What authentication needs of a stored key.
pub struct StoredKey {
    /// Who its holder is.
    pub actor: Actor,
    /// SHA-256 of the whole key.
    pub secret_hash: Vec<u8>,
    /// From when on it does not work.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was withdrawn.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// Adds a key.
pub async fn insert(
    db: &mut PgConnection,
    _scope: &OperatorScope,
    key: &ApiKey,
    hash: &KeyHash,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO api_keys (id, partner_id, role, name, prefix, secret_hash, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        key.id as KeyId,
        key.partner_id as Option<PartnerId>,
        key.role.as_str(),
        key.name,
        key.prefix,
        &hash.0[..],
        key.created_at
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The key with this visible part. Needs no scope: this is how scopes are had.
pub async fn find_by_prefix(db: &mut PgConnection, prefix: &str) -> Result<Option<StoredKey>> {
    let row = sqlx::query!(
        r#"SELECT id AS "id: KeyId", partner_id AS "partner_id: PartnerId", role, secret_hash, expires_at, revoked_at
           FROM api_keys WHERE prefix = $1"#,
        prefix
    )
    .fetch_optional(db)
    .await?;
    row.map(|row| {
        Ok(StoredKey {
            actor: Actor {
                key_id: row.id,
                role: row.role.parse()?,
                partner_id: row.partner_id,
            },
            secret_hash: row.secret_hash,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
        })
    })
    .transpose()
}

/// Notes that a key was used, once a minute at most: a busy key must not cost a write per request.
pub async fn touch(db: &mut PgConnection, id: KeyId, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "UPDATE api_keys SET last_used_at = $2::timestamptz
         WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2::timestamptz - interval '1 minute')",
        id as KeyId,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Whether there is an operator key that was not revoked. Holds off other callers until the transaction ends.
pub async fn operator_exists(tx: &mut PgConnection, _scope: &OperatorScope) -> Result<bool> {
    sqlx::query!("LOCK TABLE api_keys IN SHARE ROW EXCLUSIVE MODE")
        .execute(&mut *tx)
        .await?;
    let exists = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM api_keys WHERE role = 'operator' AND revoked_at IS NULL) AS "exists!""#
    )
    .fetch_one(tx)
    .await?;
    Ok(exists)
}
