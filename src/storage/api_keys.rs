//! API keys. Written by operators and, for their own partner, by its administrators; read by whoever presents one.

use super::{Cursor, Page, PageRequest};
use crate::{
    Error, Result,
    domain::{
        actor::{Actor, Grants, KeyScope, OperatorScope, ReadScope, Role},
        api_key::{ApiKey, KeyHash},
    },
    ids::{KeyId, PartnerId},
};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// Whose keys are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// A partner.
    Partner(PartnerId),
    /// The installation: keys of operators and auditors.
    Installation,
}

impl Owner {
    /// The partner, if it is one.
    pub fn partner_id(self) -> Option<PartnerId> {
        match self {
            Self::Partner(id) => Some(id),
            Self::Installation => None,
        }
    }
}

/// What authentication needs of a stored key.
pub struct StoredKey {
    /// Its id.
    pub id: KeyId,
    /// Who its holder is.
    pub actor: Actor,
    /// SHA-256 of the whole key.
    pub secret_hash: Vec<u8>,
    /// From when on it does not work.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was withdrawn.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was last noted that it is used.
    pub last_used_at: Option<DateTime<Utc>>,
}

struct Row {
    id: KeyId,
    partner_id: Option<PartnerId>,
    role: String,
    name: String,
    scopes: Option<Vec<String>>,
    prefix: String,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
    replaced_by: Option<KeyId>,
}

impl TryFrom<Row> for ApiKey {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id,
            partner_id: row.partner_id,
            role: row.role.parse()?,
            name: row.name,
            grants: grants(row.scopes)?,
            prefix: row.prefix,
            created_at: row.created_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            last_used_at: row.last_used_at,
            replaced_by: row.replaced_by,
        })
    }
}

fn grants(column: Option<Vec<String>>) -> Result<Grants> {
    let Some(scopes) = column else {
        return Ok(Grants::All);
    };
    let scopes: Result<Vec<KeyScope>> = scopes.iter().map(|scope| scope.parse()).collect();
    Ok(Grants::Only(scopes?))
}

/// Adds a key, in a transaction for its owner's rows.
pub async fn insert(db: &mut PgConnection, key: &ApiKey, hash: &KeyHash) -> Result<()> {
    let scopes: Option<Vec<String>> = match &key.grants {
        Grants::All => None,
        Grants::Only(scopes) => Some(scopes.iter().map(ToString::to_string).collect()),
    };
    sqlx::query!(
        "INSERT INTO api_keys (id, partner_id, role, name, scopes, prefix, secret_hash, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        key.id as KeyId,
        key.partner_id as Option<PartnerId>,
        key.role.as_str(),
        key.name,
        scopes.as_deref(),
        key.prefix,
        &hash.0[..],
        key.created_at,
        key.expires_at
    )
    .execute(db)
    .await?;
    Ok(())
}

/// One key of an owner.
pub async fn get(db: &mut PgConnection, scope: &ReadScope, owner: Owner, id: KeyId) -> Result<ApiKey> {
    sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: KeyId", partner_id AS "partner_id: PartnerId", role, name, scopes, prefix, created_at,
                  expires_at, revoked_at, last_used_at, replaced_by AS "replaced_by: KeyId"
           FROM api_keys
           WHERE id = $1 AND partner_id IS NOT DISTINCT FROM $2 AND ($3::text IS NULL OR partner_id = $3)"#,
        id as KeyId,
        owner.partner_id() as Option<PartnerId>,
        scope.partner_id() as Option<PartnerId>
    )
    .fetch_optional(db)
    .await?
    .ok_or_else(|| Error::not_found("key"))?
    .try_into()
}

/// One key of an owner, held against other changes until the transaction ends.
pub async fn lock(db: &mut PgConnection, scope: &ReadScope, owner: Owner, id: KeyId) -> Result<ApiKey> {
    sqlx::query!("SELECT id FROM api_keys WHERE id = $1 FOR UPDATE", id as KeyId)
        .fetch_optional(&mut *db)
        .await?
        .ok_or_else(|| Error::not_found("key"))?;
    get(db, scope, owner, id).await
}

/// Keys of an owner, oldest first; also those that no longer work.
pub async fn list(
    db: &mut PgConnection,
    scope: &ReadScope,
    owner: Owner,
    request: &PageRequest,
) -> Result<Page<ApiKey>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: KeyId", partner_id AS "partner_id: PartnerId", role, name, scopes, prefix, created_at,
                  expires_at, revoked_at, last_used_at, replaced_by AS "replaced_by: KeyId"
           FROM api_keys
           WHERE partner_id IS NOT DISTINCT FROM $1 AND ($2::text IS NULL OR partner_id = $2)
             AND ($3::timestamptz IS NULL OR (created_at, id) > ($3, $4))
           ORDER BY created_at, id LIMIT $5"#,
        owner.partner_id() as Option<PartnerId>,
        scope.partner_id() as Option<PartnerId>,
        request.after_time(),
        request.after_id(),
        request.fetch()
    )
    .fetch_all(db)
    .await?;
    let keys = rows
        .into_iter()
        .map(ApiKey::try_from)
        .collect::<Result<Vec<_>>>()?;
    Ok(request.page(keys, |key| Cursor {
        created_at: key.created_at,
        id: key.id.to_string(),
    }))
}

/// Withdraws a locked key.
pub async fn revoke(db: &mut PgConnection, id: KeyId, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "UPDATE api_keys SET revoked_at = $2 WHERE id = $1",
        id as KeyId,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Notes that a locked key was replaced, and from when on it does not work.
pub async fn replace(
    db: &mut PgConnection,
    id: KeyId,
    replaced_by: KeyId,
    expires_at: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE api_keys SET replaced_by = $2, expires_at = $3 WHERE id = $1",
        id as KeyId,
        replaced_by as KeyId,
        expires_at
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The key with this visible part. Needs no scope: this is how scopes are had.
pub async fn find_by_prefix(db: &mut PgConnection, prefix: &str) -> Result<Option<StoredKey>> {
    let row = sqlx::query!(
        r#"SELECT id AS "id: KeyId", partner_id AS "partner_id: PartnerId", role, scopes, secret_hash, expires_at,
                  revoked_at, last_used_at
           FROM api_keys WHERE prefix = $1"#,
        prefix
    )
    .fetch_optional(db)
    .await?;
    row.map(|row| {
        let role: Role = row.role.parse()?;
        Ok(StoredKey {
            id: row.id,
            actor: Actor {
                grants: grants(row.scopes)?,
                ..Actor::key(row.id, role, row.partner_id)
            },
            secret_hash: row.secret_hash,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            last_used_at: row.last_used_at,
        })
    })
    .transpose()
}

/// Notes that a key was used. Of two callers that note it within a minute one does.
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

/// Whether there is an operator key that works. Holds off other callers until the transaction ends.
pub async fn operator_exists(
    tx: &mut PgConnection,
    _scope: &OperatorScope,
    now: DateTime<Utc>,
) -> Result<bool> {
    sqlx::query!("LOCK TABLE api_keys IN SHARE ROW EXCLUSIVE MODE")
        .execute(&mut *tx)
        .await?;
    let exists = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM api_keys WHERE role = 'operator' AND revoked_at IS NULL
                          AND (expires_at IS NULL OR expires_at > $1)) AS "exists!""#,
        now
    )
    .fetch_one(tx)
    .await?;
    Ok(exists)
}
