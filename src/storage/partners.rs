//! Partners. They belong to the installation.

use super::name_taken;
use crate::{
    Error, Result,
    domain::{actor::OperatorScope, partner::Partner},
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

/// One partner.
pub async fn get(db: &mut PgConnection, _scope: &OperatorScope, id: PartnerId) -> Result<Partner> {
    sqlx::query_as!(
        Partner,
        r#"SELECT id AS "id: PartnerId", name, created_at FROM partners WHERE id = $1"#,
        id as PartnerId
    )
    .fetch_optional(db)
    .await?
    .ok_or_else(|| Error::not_found("partner"))
}
