//! What reports read: events by slice of time and what they have in common. Never the events themselves.
//!
//! There is a table for minutes, hours and days, written together ([`add`]).

use crate::{
    Result,
    domain::actor::{OperatorScope, ReadScope},
    ids::{PartnerId, TenantId},
    reporting::{
        histogram::Histogram,
        question::{Filter, Grain, GroupBy},
        report::{Counted, Timed},
    },
};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

/// Events of a minute that have everything in common.
#[derive(Debug, Clone)]
pub struct Counts {
    /// Tenant.
    pub tenant_id: String,
    /// The minute.
    pub slice: DateTime<Utc>,
    /// App; empty where there is none, as with all texts.
    pub app_id: String,
    /// Method.
    pub method: String,
    /// Type of the events, or `ended`.
    pub outcome: String,
    /// Reason.
    pub reason: String,
    /// Policy version, 0 where there is none.
    pub policy_version: i64,
    /// Version of the triggers.
    pub trigger_version: String,
    /// Partner.
    pub partner_id: String,
    /// How many.
    pub events: i64,
    /// How many of them in the first invocation of a process.
    pub cold_starts: i64,
    /// How many of them by another method than the policy's first.
    pub fallbacks: i64,
    /// Times to complete, counts by bucket.
    pub to_complete: Option<Vec<i64>>,
    /// The same times one by one, s; for metrics.
    pub to_complete_s: Vec<f64>,
}

/// The same, a column each.
#[derive(Default)]
struct Columns {
    tenant_id: Vec<String>,
    slice: Vec<DateTime<Utc>>,
    app_id: Vec<String>,
    method: Vec<String>,
    outcome: Vec<String>,
    reason: Vec<String>,
    policy_version: Vec<i64>,
    trigger_version: Vec<String>,
    partner_id: Vec<String>,
    events: Vec<i64>,
    cold_starts: Vec<i64>,
    fallbacks: Vec<i64>,
    /// Arrays as PostgreSQL writes them: an array of arrays would have to be a rectangle.
    to_complete: Vec<Option<String>>,
}

impl Columns {
    fn push(&mut self, counts: Counts) {
        self.tenant_id.push(counts.tenant_id);
        self.slice.push(counts.slice);
        self.app_id.push(counts.app_id);
        self.method.push(counts.method);
        self.outcome.push(counts.outcome);
        self.reason.push(counts.reason);
        self.policy_version.push(counts.policy_version);
        self.trigger_version.push(counts.trigger_version);
        self.partner_id.push(counts.partner_id);
        self.events.push(counts.events);
        self.cold_starts.push(counts.cold_starts);
        self.fallbacks.push(counts.fallbacks);
        self.to_complete.push(counts.to_complete.map(|buckets| {
            let texts: Vec<String> = buckets.iter().map(ToString::to_string).collect();
            format!("{{{}}}", texts.join(","))
        }));
    }
}

/// Adds to one of the tables. Rows are sorted, so that two workers take the counters in the same order and none waits
/// for the other in a circle.
macro_rules! add_to {
    ($table:literal, $slice:literal, $tx:expr, $columns:expr) => {
        sqlx::query!(
            "INSERT INTO "
                + $table
                + " AS kept (tenant_id, slice, app_id, method, outcome, reason, policy_version, trigger_version, partner_id,
                    events, cold_starts, fallbacks, to_complete)
                SELECT tenant_id, date_trunc('"
                + $slice
                + "', minute, 'UTC'), app_id, method, outcome, reason, policy_version, trigger_version, min(partner_id),
                    sum(events)::bigint, sum(cold_starts)::bigint, sum(fallbacks)::bigint, sum_counts(to_complete::bigint[])
                FROM UNNEST($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[],
                    $8::text[], $9::text[], $10::bigint[], $11::bigint[], $12::bigint[], $13::text[])
                    AS new (tenant_id, minute, app_id, method, outcome, reason, policy_version, trigger_version, partner_id,
                        events, cold_starts, fallbacks, to_complete)
                GROUP BY 1, 2, 3, 4, 5, 6, 7, 8 ORDER BY 1, 2, 3, 4, 5, 6, 7, 8
                ON CONFLICT (tenant_id, slice, app_id, method, outcome, reason, policy_version, trigger_version) DO UPDATE SET
                    events = kept.events + excluded.events, cold_starts = kept.cold_starts + excluded.cold_starts,
                    fallbacks = kept.fallbacks + excluded.fallbacks,
                    to_complete = add_counts(kept.to_complete, excluded.to_complete)",
            &$columns.tenant_id,
            &$columns.slice,
            &$columns.app_id,
            &$columns.method,
            &$columns.outcome,
            &$columns.reason,
            &$columns.policy_version,
            &$columns.trigger_version,
            &$columns.partner_id,
            &$columns.events,
            &$columns.cold_starts,
            &$columns.fallbacks,
            &$columns.to_complete as _
        )
        .execute(&mut *$tx)
        .await?
    };
}

/// Adds counts of minutes to minutes, hours and days.
pub async fn add(tx: &mut PgConnection, _scope: &OperatorScope, counted: Vec<Counts>) -> Result<()> {
    if counted.is_empty() {
        return Ok(());
    }
    let mut columns = Columns::default();
    for counts in counted {
        columns.push(counts);
    }
    add_to!("step_up_minutes", "minute", tx, columns);
    add_to!("step_up_hours", "hour", tx, columns);
    add_to!("step_up_days", "day", tx, columns);
    Ok(())
}

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

/// The longest that a session may be open, which Cognito says.
const LONGEST_SESSION: TimeDelta = TimeDelta::minutes(15);

/// Journeys without an answer so far whose sessions are still open, by the minute in which they began and, where
/// that is asked, by tenant, app, policy version or trigger version. Reads the minutes of the last sessions only,
/// however long the report is.
pub async fn open_journeys(
    db: &mut PgConnection,
    scope: &ReadScope,
    filter: &Filter,
    group_by: Option<GroupBy>,
    now: DateTime<Utc>,
) -> Result<Vec<(DateTime<Utc>, String, i64)>> {
    let from = filter.from.max(now - LONGEST_SESSION);
    if from >= filter.to {
        return Ok(Vec::new());
    }
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
        from,
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
