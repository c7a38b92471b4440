//! Partners. They belong to the installation; each can see its own row.

use super::{Cursor, Page, PageRequest, name_taken};
use crate::{
    Error, Result,
    domain::{
        actor::{OperatorScope, ReadScope},
        partner::Partner,
    },
    ids::PartnerId,
};
use sqlx::PgConnection;

/// Adds a partner.
pub async fn insert(db: &mut PgConnection, _scope: &OperatorScope, partner: &Partner) -> Result<()> {
    sqlx::query!(
        "INSERT INTO partners (id, name, created_at) VALUES ($1, $2, $3)",
        partner.id as PartnerId,
        partner.name,
        partner.created_at
    )
    .execute(db)
    .await
    .map_err(|error| name_taken(error, "partners_name_key", "partner"))?;
    Ok(())
}

/// Writes the name of a locked partner; returns its revision.
pub async fn rename(tx: &mut PgConnection, _scope: &OperatorScope, id: PartnerId, name: &str) -> Result<i64> {
    sqlx::query_scalar!(
        "UPDATE partners SET name = $2 WHERE id = $1 RETURNING revision",
        id as PartnerId,
        name
    )
    .fetch_one(tx)
    .await
    .map_err(|error| name_taken(error, "partners_name_key", "partner"))
}

/// One partner, held against other changes until the transaction ends.
pub async fn lock(tx: &mut PgConnection, scope: &OperatorScope, id: PartnerId) -> Result<Partner> {
    sqlx::query!(
        "SELECT id FROM partners WHERE id = $1 FOR UPDATE",
        id as PartnerId
    )
    .fetch_optional(&mut *tx)
    .await?;
    get(tx, &(*scope).into(), id).await
}

/// One partner.
pub async fn get(db: &mut PgConnection, scope: &ReadScope, id: PartnerId) -> Result<Partner> {
    sqlx::query_as!(
        Partner,
        r#"SELECT id AS "id: PartnerId", name, revision, created_at FROM partners
           WHERE id = $1 AND ($2::text IS NULL OR id = $2)"#,
        id as PartnerId,
        scope.partner_id() as Option<PartnerId>
    )
    .fetch_optional(db)
    .await?
    .ok_or_else(|| Error::not_found("partner"))
}

/// Partners, oldest first.
pub async fn list(
    db: &mut PgConnection,
    _scope: &OperatorScope,
    request: &PageRequest,
) -> Result<Page<Partner>> {
    let partners = sqlx::query_as!(
        Partner,
        r#"SELECT id AS "id: PartnerId", name, revision, created_at FROM partners
           WHERE $1::timestamptz IS NULL OR (created_at, id) > ($1, $2)
           ORDER BY created_at, id LIMIT $3"#,
        request.after_time(),
        request.after_id(),
        request.fetch()
    )
    .fetch_all(db)
    .await?;
    Ok(request.page(partners, |partner| Cursor {
        created_at: partner.created_at,
        id: partner.id.to_string(),
    }))
}
