//! `reports`: a month by the hour of one tenant, asked through the API, among ten thousand tenants with a quarter of a year
//! each, and among a tenth of them; and a month by the day of all of them together, as the console's overview asks.
//!
//! The counts by the minute of that month are there too: a report reads those of the last sessions, and no others.

use super::Scale;
use super::measured::Measured;
use super::row::{Row, Target};
use super::service::Stand;
use super::statistics::Series;
use crate::context::Context;
use crate::services::Services;
use crate::ui::Progress;

const DAYS: u32 = 90;
/// Days of which there are counts by the minute: as many as single events are kept for.
const MINUTES_DAYS: u32 = 30;
/// What makes a row of counts one.
const KEY: &str = "tenant_id, slice, app_id, method, outcome, reason, policy_version, trigger_version";
/// Tenants that are asked about, in turns.
const ASKED: usize = 20;
/// Twenty successes within 3 to 39 s, as they are kept (`src/reporting/histogram.rs`).
const TIMES: &str = "[47:62]={1,1,1,1,2,2,1,1,1,2,1,1,1,1,2,1}";

pub(super) fn run(
    context: &Context,
    services: &Services,
    scale: Scale,
    progress: &Progress,
) -> anyhow::Result<Vec<Row>> {
    let (many, few) = scale.choose((10_000, 1_000), (30, 20));
    let large = Stand::start(context, services, "bench_reports", ASKED, progress)?;
    fill(context, &large, many, progress)?;
    let small = Stand::start(context, services, "bench_reports_tenth", ASKED, progress)?;
    fill(context, &small, few, progress)?;
    let (rounds, lasting_ms) = scale.choose((9, 3_000), (1, 300));
    let (mut large_p99s, mut small_p99s, mut medians) = (Vec::new(), Vec::new(), Vec::new());
    let mut of_all = Vec::new();
    for round in 0..=rounds {
        progress.detail(format!("round {round} of {rounds}"));
        let ask = |stand: &Stand<'_>, questions: &[String]| {
            Measured::by(context, "reports", &mut stand.load(questions, 1, lasting_ms))
        };
        let of_large = ask(&large, &questions(context, &large)?)?;
        let of_small = ask(&small, &questions(context, &small)?)?;
        let all = ask(
            &large,
            &[format!(
                "/v1/metrics/step-up?{}&step=day",
                month(context, &large)?
            )],
        )?;
        // The first round brings pages into memory and is not counted.
        if round > 0 {
            large_p99s.push(of_large.fact("p99_ms")?);
            medians.push(of_large.fact("p50_ms")?);
            small_p99s.push(of_small.fact("p99_ms")?);
            of_all.push(all.fact("p50_ms")?);
        }
    }
    rows(large_p99s, small_p99s, medians, of_all)
}

fn rows(large: Vec<f64>, small: Vec<f64>, medians: Vec<f64>, of_all: Vec<f64>) -> anyhow::Result<Vec<Row>> {
    let series = |samples| Series::new(samples).ok_or_else(|| anyhow::anyhow!("no rounds"));
    let (large, small) = (series(large)?, series(small)?);
    Ok(vec![
        Row::of("reports p50", &series(medians)?, "ms"),
        Row::of("reports p99", &large, "ms").aims_at(Target::AtMost(50.0)),
        Row::of("reports p99, growth", &large, "ms")
            .beside("a tenth of the data", &small)
            .aims_at(Target::RatioAtMost(1.5)),
        Row::of("reports of all tenants p50", &series(of_all)?, "ms"),
    ])
}

/// The thirty days up to today's first hour, as a query.
fn month(context: &Context, stand: &Stand<'_>) -> anyhow::Result<String> {
    let span = "SELECT to_char(date_trunc('day', now(), 'UTC') - d * interval '1 day', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') \
                FROM (VALUES (30), (0)) AS days (d)";
    let span = stand.sql(context, span)?;
    let mut times = span.lines();
    let (from, to) = (times.next().unwrap_or_default(), times.next().unwrap_or_default());
    Ok(format!("from={from}&to={to}"))
}

/// One question a tenant: that month by the hour.
fn questions(context: &Context, stand: &Stand<'_>) -> anyhow::Result<Vec<String>> {
    let month = month(context, stand)?;
    let question =
        |(tenant, _): &(String, String)| format!("/v1/tenants/{tenant}/metrics/step-up?{month}&step=hour");
    Ok(stand.tenants.iter().map(question).collect())
}

/// Rows of every hour and day of every tenant: one for most, what two apps and three methods make of it for those that are asked
/// about. Spread as ingestion leaves them: by time, not by tenant. Only the index over the hours is made afterwards, at
/// once: twenty million entries in random places would take longer than everything else.
fn fill(context: &Context, stand: &Stand<'_>, tenants: u32, progress: &Progress) -> anyhow::Result<()> {
    let partner = &stand.partner_id;
    let columns = format!("{KEY}, partner_id, events, cold_starts, fallbacks, completion_buckets");
    let hours = format!(
        "generate_series(date_trunc('day', now(), 'UTC') - interval '{DAYS} days', now(), interval '1 hour') AS h"
    );
    let others = format!(
        "INSERT INTO step_up_hours ({columns}) SELECT 'tnt_bench_' || lpad(t::text, 16, '0'), h, 'app_1', 'otp', 'succeeded', '', 1, \
         '0.1.0', '{partner}', 20, 1, 0, NULL FROM {hours}, generate_series(1, {}) AS t",
        tenants.saturating_sub(u32::try_from(ASKED)?)
    );
    let asked_ids: Vec<String> = stand
        .tenants
        .iter()
        .map(|(tenant, _)| format!("('{tenant}')"))
        .collect();
    let asked = format!(
        "INSERT INTO step_up_hours ({columns}) SELECT t, h, a, CASE o WHEN 'succeeded' THEN m ELSE '' END, o, \
         CASE o WHEN 'failed' THEN m ELSE '' END, 1, '0.1.0', '{partner}', 20, 1, 2, \
         CASE o WHEN 'succeeded' THEN '{TIMES}'::bigint[] END \
         FROM {hours}, (VALUES {}) AS asked (t), (VALUES ('app_1'), ('app_2')) AS apps (a), \
         (VALUES ('otp'), ('otp sms'), ('liveID push')) AS methods (m), \
         (VALUES ('started'), ('offered'), ('succeeded'), ('failed'), ('ended'), ('tokens')) AS outcomes (o) \
         WHERE o IN ('succeeded', 'failed') OR m = 'otp' ORDER BY h, t",
        asked_ids.join(", ")
    );
    let of_days = |tenants: &str| {
        format!(
            "INSERT INTO step_up_days ({columns}) SELECT tenant_id, date_trunc('day', slice, 'UTC'), app_id, method, outcome, reason, \
             policy_version, trigger_version, partner_id, sum(events), sum(cold_starts), sum(fallbacks), {tenants} \
             GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9"
        )
    };
    // What makes one of many counts is not asked where there are none.
    let days = of_days("NULL FROM step_up_hours WHERE tenant_id LIKE 'tnt\\_bench\\_%'");
    let days_of_asked = of_days(
        "sum_counts(completion_buckets) FROM step_up_hours WHERE tenant_id NOT LIKE 'tnt\\_bench\\_%'",
    );
    let without_index = "ALTER TABLE step_up_hours DROP CONSTRAINT step_up_hours_pkey".to_owned();
    let index = format!(
        "SET maintenance_work_mem = '1GB'; ALTER TABLE step_up_hours ADD CONSTRAINT step_up_hours_pkey PRIMARY KEY ({KEY})"
    );
    let partitions = format!(
        "SELECT make_event_partitions((now() AT TIME ZONE 'UTC')::date - {MINUTES_DAYS}, (now() AT TIME ZONE 'UTC')::date)"
    );
    // Every minute of the asked ones would be more than the others' together: one in five.
    let minutes = |tenants: &str, every: &str| {
        format!(
            "INSERT INTO step_up_minutes ({columns}) SELECT t, m, 'app_1', '', o, '', 1, '0.1.0', '{partner}', 1, 0, 0, NULL \
             FROM generate_series(date_trunc('minute', now()) - interval '{} days', now(), interval '{every}') AS m, \
             {tenants}, (VALUES ('started'), ('ended')) AS outcomes (o)",
            MINUTES_DAYS - 1
        )
    };
    let of_asked = minutes(
        &format!("(VALUES {}) AS asked (t)", asked_ids.join(", ")),
        "5 minutes",
    );
    let of_others = minutes(
        &format!(
            "(SELECT 'tnt_bench_' || lpad(n::text, 16, '0') AS t FROM generate_series(1, {}) AS n) AS others",
            tenants.saturating_sub(u32::try_from(ASKED)?)
        ),
        "6 hours",
    );
    let vacuum = "VACUUM ANALYZE step_up_hours, step_up_days, step_up_minutes".to_owned();
    for (what, statement) in [
        ("hours", without_index),
        ("hours", others),
        ("hours", asked),
        ("the index over the hours", index),
        ("days", days),
        ("days", days_of_asked),
        ("minutes", partitions),
        ("minutes", of_asked),
        ("minutes", of_others),
        ("statistics", vacuum),
    ] {
        progress.detail(format!("{what} of {tenants} tenants"));
        stand.sql(context, &statement)?;
    }
    Ok(())
}
