//! Pilot step-ups.

use crate::{
    Error, Result,
    domain::{
        actor::{PartnerScope, ReadScope},
        blockid::BlockIdConnection,
        pilot::{Pilot, PilotOutcome},
    },
    ids::{PartnerId, PilotId, TenantId},
};
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};

/// Adds a pilot.
pub async fn insert(tx: &mut PgConnection, scope: &PartnerScope, pilot: &Pilot) -> Result<()> {
    sqlx::query!(
        "INSERT INTO blockid_pilots (id, tenant_id, partner_id, method, state_hash, pkce, connection, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        pilot.id as PilotId,
        pilot.tenant_id as TenantId,
        scope.partner_id() as PartnerId,
        pilot.method,
        pilot.state_hash,
        pilot.pkce,
        Json(&pilot.connection) as _,
        pilot.created_at,
        pilot.expires_at
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// One pilot of a tenant.
pub async fn get(
    db: &mut PgConnection,
    scope: &ReadScope,
    (tenant_id, id): (TenantId, PilotId),
) -> Result<Pilot> {
    let row = sqlx::query!(
        r#"SELECT partner_id AS "partner_id: PartnerId", method, state_hash, pkce,
                  connection AS "connection: Json<BlockIdConnection>", created_at, expires_at, taken_at,
                  outcome AS "outcome: Json<PilotOutcome>"
           FROM blockid_pilots WHERE id = $1 AND tenant_id = $2 AND ($3::text IS NULL OR partner_id = $3)"#,
        id as PilotId,
        tenant_id as TenantId,
        scope.partner_id() as Option<PartnerId>
    )
    .fetch_optional(db)
    .await?
    .ok_or_else(|| Error::not_found("pilot"))?;
    Ok(Pilot {
        id,
        tenant_id,
        partner_id: row.partner_id,
        method: row.method,
        state_hash: row.state_hash,
        pkce: row.pkce,
        connection: row.connection.0,
        created_at: row.created_at,
        expires_at: row.expires_at,
        taken_at: row.taken_at,
        outcome: row.outcome.map(|Json(outcome)| outcome),
    })
}

/// Notes that a pilot takes its answer; its tenant must be locked by this transaction.
pub async fn take(
    tx: &mut PgConnection,
    scope: &PartnerScope,
    id: PilotId,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE blockid_pilots SET taken_at = $3 WHERE id = $1 AND partner_id = $2 AND taken_at IS NULL",
        id as PilotId,
        scope.partner_id() as PartnerId,
        now
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Notes how a pilot ended that took its answer.
pub async fn end(
    tx: &mut PgConnection,
    scope: &PartnerScope,
    id: PilotId,
    outcome: &PilotOutcome,
) -> Result<()> {
    sqlx::query!(
        "UPDATE blockid_pilots SET outcome = $3 WHERE id = $1 AND partner_id = $2 AND outcome IS NULL",
        id as PilotId,
        scope.partner_id() as PartnerId,
        Json(outcome) as _
    )
    .execute(tx)
    .await?;
    Ok(())
}
