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
        tally::{Slices, Tally},
    },
};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

/// Counts, a column each.
#[derive(Default)]
struct Columns<'a> {
    tenant_id: Vec<String>,
    slice: Vec<DateTime<Utc>>,
    app_id: Vec<&'a str>,
    method: Vec<&'a str>,
    outcome: Vec<&'a str>,
    reason: Vec<&'a str>,
    policy_version: Vec<i64>,
    trigger_version: Vec<&'a str>,
    partner_id: Vec<String>,
    events: Vec<i64>,
    cold_starts: Vec<i64>,
    fallbacks: Vec<i64>,
    /// Arrays as PostgreSQL writes them: an array of arrays would have to be a rectangle.
    completion_buckets: Vec<Option<String>>,
}

impl<'a> Columns<'a> {
    fn of(slices: &Slices<'a>) -> Self {
        let mut columns = Self::default();
        for (key, counts) in slices {
            columns.tenant_id.push(key.tenant_id.to_string());
            columns.slice.push(key.slice);
            columns.app_id.push(key.app_id);
            columns.method.push(key.method);
            columns.outcome.push(key.outcome);
            columns.reason.push(key.reason);
            columns.policy_version.push(key.policy_version);
            columns.trigger_version.push(key.trigger_version);
            columns.partner_id.push(counts.partner_id.to_string());
            columns.events.push(counts.events);
            columns.cold_starts.push(counts.cold_starts);
            columns.fallbacks.push(counts.fallbacks);
            let times = &counts.to_complete;
            columns
                .completion_buckets
                .push((!times.counts().is_empty()).then(|| times.to_text()));
        }
        columns
    }
}

/// Adds to one of the tables, in the order of the rows.
macro_rules! add_to {
    ($table:literal, $tx:expr, $slices:expr) => {{
        let columns = Columns::of($slices);
        sqlx::query!(
            "INSERT INTO "
                + $table
                + " AS kept (tenant_id, slice, app_id, method, outcome, reason, policy_version, trigger_version, partner_id,
                    events, cold_starts, fallbacks, completion_buckets)
                SELECT tenant_id, slice, app_id, method, outcome, reason, policy_version, trigger_version, partner_id,
                    events, cold_starts, fallbacks, completion_buckets::bigint[]
                FROM UNNEST($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[],
                    $8::text[], $9::text[], $10::bigint[], $11::bigint[], $12::bigint[], $13::text[])
                    AS new (tenant_id, slice, app_id, method, outcome, reason, policy_version, trigger_version, partner_id,
                        events, cold_starts, fallbacks, completion_buckets)
                ON CONFLICT (tenant_id, slice, app_id, method, outcome, reason, policy_version, trigger_version) DO UPDATE SET
                    events = kept.events + excluded.events, cold_starts = kept.cold_starts + excluded.cold_starts,
                    fallbacks = kept.fallbacks + excluded.fallbacks,
                    completion_buckets = CASE WHEN excluded.completion_buckets IS NULL THEN kept.completion_buckets
                        ELSE add_counts(kept.completion_buckets, excluded.completion_buckets) END",
            &columns.tenant_id,
            &columns.slice,
            &columns.app_id as _,
            &columns.method as _,
            &columns.outcome as _,
            &columns.reason as _,
            &columns.policy_version,
            &columns.trigger_version as _,
            &columns.partner_id,
            &columns.events,
            &columns.cold_starts,
            &columns.fallbacks,
            &columns.completion_buckets as _
        )
        .execute(&mut *$tx)
        .await?
    }};
}

/// Adds what was counted to minutes, hours and days.
pub async fn add(tx: &mut PgConnection, _scope: &OperatorScope, tally: &Tally<'_>) -> Result<()> {
    if tally.minutes().is_empty() {
        return Ok(());
    }
    add_to!("step_up_minutes", tx, tally.minutes());
    add_to!("step_up_hours", tx, &tally.by(3_600));
    add_to!("step_up_days", tx, &tally.by(86_400));
    Ok(())
}

/// Reads the rows that a report is about: `$select`, their slice and group, from those that its filter lets through.
macro_rules! read {
    ($as:ident, $select:literal, $rest:literal, $db:expr, $scope:expr, $grain:expr, $filter:expr, $group_by:expr) => {
        sqlx::query_as!(
            $as,
            "SELECT slice AS \"slice!\", "
                + $select
                + ", CASE $8 WHEN 'tenant' THEN tenant_id WHEN 'app' THEN app_id WHEN 'method' THEN method WHEN 'outcome' THEN outcome
                             WHEN 'reason' THEN reason WHEN 'policy_version' THEN policy_version::text
                             WHEN 'trigger_version' THEN trigger_version ELSE '' END AS \"group!\"
                FROM step_up_rollups
                WHERE grain = $9 AND ($1::text IS NULL OR partner_id = $1) AND ($2::text IS NULL OR tenant_id = $2)
                  AND slice >= $3 AND slice < $4
                  AND ($5::text IS NULL OR app_id = $5) AND ($6::text IS NULL OR method = $6)
                  AND ($7::text IS NULL OR reason = $7) "
                + $rest,
            $scope.partner_id() as Option<PartnerId>,
            $filter.tenant_id as Option<TenantId>,
            $filter.from,
            $filter.to,
            $filter.app_id,
            $filter.method,
            $filter.reason,
            $group_by.map(GroupBy::as_str),
            $grain.as_str()
        )
        .fetch_all($db)
        .await?
    };
}

/// What a report is made of: events by slice, group, outcome and method, and the times to complete.
///
/// Of one tenant every row is handed over as it is kept, to be added up by the report: PostgreSQL would read the rows twice, once for
/// counts and once for times, and group them, which takes it twice as long. Of all tenants there are too many.
pub async fn figures(
    db: &mut PgConnection,
    scope: &ReadScope,
    grain: Grain,
    filter: &Filter,
    group_by: Option<GroupBy>,
) -> Result<(Vec<Counted>, Vec<Timed>)> {
    if filter.tenant_id.is_some() {
        return of_tenant(db, scope, grain, filter, group_by).await;
    }
    let counted = counts(db, scope, grain, filter, group_by).await?;
    let timed = times(db, scope, grain, filter, group_by).await?;
    Ok((counted, timed))
}

/// A row as it is kept.
struct Kept {
    slice: DateTime<Utc>,
    outcome: String,
    method: String,
    events: i64,
    cold_starts: i64,
    fallbacks: i64,
    /// Of successes, as in [`Times`].
    completion_buckets: Option<String>,
    to_complete: Option<String>,
    group: String,
}

async fn of_tenant(
    db: &mut PgConnection,
    scope: &ReadScope,
    grain: Grain,
    filter: &Filter,
    group_by: Option<GroupBy>,
) -> Result<(Vec<Counted>, Vec<Timed>)> {
    let rows = read!(
        Kept,
        "outcome AS \"outcome!\", method AS \"method!\", events AS \"events!\", cold_starts AS \"cold_starts!\",
         fallbacks AS \"fallbacks!\",
         CASE outcome WHEN 'succeeded' THEN completion_buckets END::text AS \"completion_buckets?\",
         CASE outcome WHEN 'succeeded' THEN to_complete END::text AS \"to_complete?\"",
        "",
        db,
        scope,
        grain,
        filter,
        group_by
    );
    let (mut counted, mut timed) = (Vec::with_capacity(rows.len()), Vec::new());
    for row in rows {
        let to_complete = Histogram::from_texts([row.completion_buckets, row.to_complete]);
        if to_complete.count() > 0 {
            timed.push(Timed {
                slice: row.slice,
                group: row.group.clone(),
                to_complete,
            });
        }
        counted.push(Counted {
            slice: row.slice,
            group: row.group,
            outcome: row.outcome,
            method: row.method,
            events: row.events,
            cold_starts: row.cold_starts,
            fallbacks: row.fallbacks,
        });
    }
    Ok((counted, timed))
}

/// The method is always among what events are grouped by: a report tells of the methods' shares too, and reading the rows once
/// more for them costs more than a few rows of an answer.
async fn counts(
    db: &mut PgConnection,
    scope: &ReadScope,
    grain: Grain,
    filter: &Filter,
    group_by: Option<GroupBy>,
) -> Result<Vec<Counted>> {
    let rows = read!(
        Counted,
        "outcome AS \"outcome!\", method AS \"method!\", sum(events)::bigint AS \"events!\",
         sum(cold_starts)::bigint AS \"cold_starts!\", sum(fallbacks)::bigint AS \"fallbacks!\"",
        "GROUP BY slice, outcome, method, \"group!\"",
        db,
        scope,
        grain,
        filter,
        group_by
    );
    Ok(rows)
}

/// Times of one row, as PostgreSQL writes an array as text: that takes it less than a binary array, which it makes number by number.
struct Times {
    slice: DateTime<Utc>,
    completion_buckets: Option<String>,
    /// What a release wrote that had no `completion_buckets`; both may be there, and are added.
    to_complete: Option<String>,
    group: String,
}

/// Histograms of the time to complete, by slice and group; several for one slice and group add up.
pub async fn times(
    db: &mut PgConnection,
    scope: &ReadScope,
    grain: Grain,
    filter: &Filter,
    group_by: Option<GroupBy>,
) -> Result<Vec<Timed>> {
    let rows = read!(
        Times,
        "completion_buckets::text AS \"completion_buckets?\", to_complete::text AS \"to_complete?\"",
        "AND outcome = 'succeeded' AND (completion_buckets IS NOT NULL OR to_complete IS NOT NULL)",
        db,
        scope,
        grain,
        filter,
        group_by
    );
    let timed = rows.into_iter().map(|row| Timed {
        slice: row.slice,
        group: row.group,
        to_complete: Histogram::from_texts([row.completion_buckets, row.to_complete]),
    });
    Ok(timed.collect())
}

/// The longest that a session may be open, which Cognito says.
pub const LONGEST_SESSION: TimeDelta = TimeDelta::minutes(15);

/// Journeys of a minute without an answer so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswered {
    /// The minute in which they began.
    pub slice: DateTime<Utc>,
    /// What they are grouped by.
    pub group: String,
    /// Their app: how long its sessions are open is not for this store to know.
    pub app_id: String,
    /// How many more began than were answered.
    pub count: i64,
}

/// Journeys without an answer so far that may still get one, by the minute in which they began, by app and, where that is asked,
/// by tenant, policy version or trigger version. Reads the minutes of the last sessions only, however long the report is.
pub async fn unanswered(
    db: &mut PgConnection,
    scope: &ReadScope,
    filter: &Filter,
    group_by: Option<GroupBy>,
    now: DateTime<Utc>,
) -> Result<Vec<Unanswered>> {
    let from = filter.from.max(now - LONGEST_SESSION);
    if from >= filter.to {
        return Ok(Vec::new());
    }
    let rows = sqlx::query_as!(
        Unanswered,
        r#"SELECT slice, app_id,
                  CASE $6 WHEN 'tenant' THEN tenant_id WHEN 'app' THEN app_id WHEN 'policy_version' THEN policy_version::text
                          WHEN 'trigger_version' THEN trigger_version ELSE '' END AS "group!",
                  sum(CASE outcome WHEN 'started' THEN events ELSE -events END)::bigint AS "count!"
           FROM step_up_minutes
           WHERE ($1::text IS NULL OR partner_id = $1) AND ($2::text IS NULL OR tenant_id = $2)
             AND slice >= $3 AND slice < $4 AND ($5::text IS NULL OR app_id = $5)
             AND outcome IN ('started', 'ended')
           GROUP BY 1, 2, 3"#,
        scope.partner_id() as Option<PartnerId>,
        filter.tenant_id as Option<TenantId>,
        from,
        filter.to,
        filter.app_id,
        group_by.map(GroupBy::as_str)
    )
    .fetch_all(db)
    .await?;
    Ok(rows)
}
