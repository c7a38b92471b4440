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

/// Writes a partner's name.
pub async fn rename(db: &mut PgConnection, _scope: &OperatorScope, id: PartnerId, name: &str) -> Result<()> {
    let done = sqlx::query!(
        "UPDATE partners SET name = $2 WHERE id = $1",
        id as PartnerId,
        name
    )
    .execute(db)
    .await
    .map_err(|error| name_taken(error, "partners_name_key", "partner"))?;
    if done.rows_affected() == 1 {
        Ok(())
    } else {
        Err(Error::not_found("partner"))
    }
}

/// One partner.
pub async fn get(db: &mut PgConnection, scope: &ReadScope, id: PartnerId) -> Result<Partner> {
    sqlx::query_as!(
        Partner,
        r#"SELECT id AS "id: PartnerId", name, created_at FROM partners
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
        r#"SELECT id AS "id: PartnerId", name, created_at FROM partners
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
