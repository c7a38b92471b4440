//! What reports read: events by slice of time and what they have in common. Never the events themselves.

use crate::{
    Result,
    domain::actor::ReadScope,
    ids::{PartnerId, TenantId},
    reporting::{
        histogram::Histogram,
        report::{Counted, Filter, Grain, GroupBy, Timed},
    },
};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// Events by slice, group and outcome.
pub async fn counts(
    db: &mut PgConnection,
    scope: &ReadScope,
    grain: Grain,
    filter: &Filter,
    group_by: Option<GroupBy>,
) -> Result<Vec<Counted>> {
    let rows = sqlx::query_as!(
        Counted,
        r#"SELECT slice AS "slice!", outcome AS "outcome!",
                  CASE $8 WHEN 'tenant' THEN tenant_id WHEN 'app' THEN app_id WHEN 'method' THEN method WHEN 'outcome' THEN outcome
                          WHEN 'reason' THEN reason WHEN 'policy_version' THEN policy_version::text
                          WHEN 'trigger_version' THEN trigger_version ELSE '' END AS "group!",
                  sum(events)::bigint AS "events!", sum(cold_starts)::bigint AS "cold_starts!",
                  sum(fallbacks)::bigint AS "fallbacks!"
           FROM step_up_rollups
           WHERE grain = $9 AND ($1::text IS NULL OR partner_id = $1) AND ($2::text IS NULL OR tenant_id = $2)
             AND slice >= $3 AND slice < $4
             AND ($5::text IS NULL OR app_id = $5) AND ($6::text IS NULL OR method = $6)
             AND ($7::text IS NULL OR reason = $7)
           GROUP BY 1, 2, 3 ORDER BY 1, 3, 2"#,
        scope.partner_id() as Option<PartnerId>,
        filter.tenant_id as Option<TenantId>,
        filter.from,
        filter.to,
        filter.app_id,
        filter.method,
        filter.reason,
        group_by.map(GroupBy::as_str),
        grain.as_str()
    )
    .fetch_all(db)
    .await?;
    Ok(rows)
}

/// Histograms of the time to complete, by slice and group; several for one slice and group add up.
pub async fn times(
    db: &mut PgConnection,
    scope: &ReadScope,
    grain: Grain,
    filter: &Filter,
    group_by: Option<GroupBy>,
) -> Result<Vec<Timed>> {
    let rows = sqlx::query!(
        r#"SELECT slice AS "slice!", to_complete AS "to_complete!",
                  CASE $8 WHEN 'tenant' THEN tenant_id WHEN 'app' THEN app_id WHEN 'method' THEN method WHEN 'outcome' THEN outcome
                          WHEN 'reason' THEN reason WHEN 'policy_version' THEN policy_version::text
                          WHEN 'trigger_version' THEN trigger_version ELSE '' END AS "group!"
           FROM step_up_rollups
           WHERE grain = $9 AND ($1::text IS NULL OR partner_id = $1) AND ($2::text IS NULL OR tenant_id = $2)
             AND slice >= $3 AND slice < $4
             AND ($5::text IS NULL OR app_id = $5) AND ($6::text IS NULL OR method = $6)
             AND ($7::text IS NULL OR reason = $7)
             AND outcome = 'succeeded' AND to_complete IS NOT NULL"#,
        scope.partner_id() as Option<PartnerId>,
        filter.tenant_id as Option<TenantId>,
        filter.from,
        filter.to,
        filter.app_id,
        filter.method,
        filter.reason,
        group_by.map(GroupBy::as_str),
        grain.as_str()
    )
    .fetch_all(db)
    .await?;
    let timed = rows.into_iter().map(|row| Timed {
        slice: row.slice,
        group: row.group,
        to_complete: Histogram::from_counts(&row.to_complete),
    });
    Ok(timed.collect())
}

/// Journeys without an answer so far whose sessions are still open, by the minute in which they began and, where
/// that is asked, by tenant, app, policy version or trigger version.
pub async fn open_journeys(
    db: &mut PgConnection,
    scope: &ReadScope,
    filter: &Filter,
    group_by: Option<GroupBy>,
    now: DateTime<Utc>,
) -> Result<Vec<(DateTime<Utc>, String, i64)>> {
    let rows = sqlx::query!(
        r#"SELECT m.slice,
                  CASE $7 WHEN 'tenant' THEN m.tenant_id WHEN 'app' THEN m.app_id WHEN 'policy_version' THEN m.policy_version::text
                          WHEN 'trigger_version' THEN m.trigger_version ELSE '' END AS "group!",
                  sum(CASE m.outcome WHEN 'started' THEN m.events ELSE -m.events END)::bigint AS "open!"
           FROM step_up_minutes m LEFT JOIN apps a ON a.id = m.app_id
           WHERE ($1::text IS NULL OR m.partner_id = $1) AND ($2::text IS NULL OR m.tenant_id = $2)
             AND m.slice >= $3 AND m.slice < $4 AND ($5::text IS NULL OR m.app_id = $5)
             AND m.outcome IN ('started', 'ended')
             AND m.slice > $6::timestamptz - make_interval(mins => coalesce((a.settings ->> 'session_validity_min')::integer, 15))
           GROUP BY 1, 2"#,
        scope.partner_id() as Option<PartnerId>,
        filter.tenant_id as Option<TenantId>,
        filter.from,
        filter.to,
        filter.app_id,
        now,
        group_by.map(GroupBy::as_str)
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.slice, row.group, row.open.max(0)))
        .collect())
}
