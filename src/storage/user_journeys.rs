//! What the events tell about one user's sign-ins.

use crate::{
    Result,
    domain::actor::ReadScope,
    ids::{PartnerId, TenantId},
    reporting::journeys::JourneyEvent,
};
use sqlx::PgConnection;

/// The newest events of a user that belong to journeys, newest first. Refreshes belong to none, and are many.
pub async fn events(
    db: &mut PgConnection,
    scope: &ReadScope,
    tenant_id: TenantId,
    user_hash: &str,
    limit: i64,
) -> Result<Vec<JourneyEvent>> {
    let events = sqlx::query_as!(
        JourneyEvent,
        r#"SELECT journey_id AS "journey_id!", filed_at AS began_at, at, type AS kind, app_id, action, reason, method
           FROM step_up_events
           WHERE ($1::text IS NULL OR partner_id = $1) AND tenant_id = $2 AND user_hash = $3 AND journey_id IS NOT NULL
           ORDER BY at DESC, event_id DESC LIMIT $4"#,
        scope.partner_id() as Option<PartnerId>,
        tenant_id as TenantId,
        user_hash,
        limit
    )
    .fetch_all(db)
    .await?;
    Ok(events)
}
