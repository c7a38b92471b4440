//! `idle`: a worker over ten thousand tenants that are as they should be, which it looks at for drift.
//!
//! One tenant is onboarded on the emulator and looked at once, behind `bench aws`. It is then multiplied in the database,
//! and what AWS answered about it is answered about its copies, with their names: nothing differs, and no emulator works.

use std::fs;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::Scale;
use super::fleet::{Fleet, Worker};
use super::row::{Row, Target, figure};
use super::statistics::{Series, as_f64};
use crate::context::Context;
use crate::services::Services;
use crate::ui::Progress;

/// Looks for drift that all workers together begin in a minute, by default.
const LOOKS_A_MINUTE: f64 = 30.0;
/// How long the first tenant may take.
const PATIENCE: Duration = Duration::from_mins(2);

const LOOKED_AT: &str =
    "SELECT count(*) FROM tenants WHERE observed_generation = generation AND drift ? 'checked_at'";
/// Looks that began within the minute up to any of them.
const MOST_IN_A_MINUTE: &str = "SELECT coalesce(max(looks), 0) FROM (SELECT count(*) OVER (ORDER BY drift_claimed_at \
     RANGE BETWEEN interval '59.999 seconds' PRECEDING AND CURRENT ROW) AS looks FROM tenants \
     WHERE drift_claimed_at IS NOT NULL AND name LIKE 'Copy of %') AS minutes";
const LOOKS: &str =
    "SELECT count(*) FROM tenants WHERE drift_claimed_at IS NOT NULL AND name LIKE 'Copy of %'";
const WRONG: &str =
    "SELECT count(*) FROM tenants WHERE (drift ->> 'findings')::int > 0 OR drift ->> 'error' IS NOT NULL";

/// A text of the first tenant, and how it begins for its copies; their number fills it up. As `crates/fault-proxy` reads it.
#[derive(Debug, Serialize)]
struct Mark {
    own: String,
    prefix: &'static str,
}

/// What names the first tenant.
#[derive(Debug, Deserialize)]
struct First {
    tenant: String,
    name: String,
    app: String,
    pool: String,
    client: String,
}

impl First {
    fn marks(self) -> anyhow::Result<Vec<Mark>> {
        let ulid = |id: &str| id.split_once('_').map(|(_, ulid)| ulid.to_owned());
        let marks = [
            (ulid(&self.tenant), "00bencht"),
            (ulid(&self.app), "00bencha"),
            (Some(self.name), "Copy of "),
            (Some(self.pool), "us-east-1_B"),
            (Some(self.client), "benchclient"),
        ];
        let mark = |(own, prefix): (Option<String>, &'static str)| {
            let own = own.filter(|own| own.len() > prefix.len() + 4)?;
            Some(Mark { own, prefix })
        };
        marks
            .into_iter()
            .map(mark)
            .collect::<Option<_>>()
            .context("a name of the tenant has another form")
    }
}

/// What was seen of the looks for drift.
struct Looks {
    most_in_a_minute: f64,
    calls_a_second: f64,
    wrong: f64,
}

pub(super) fn run(
    context: &Context,
    services: &Services,
    scale: Scale,
    progress: &Progress,
) -> anyhow::Result<Vec<Row>> {
    let (tenants, intervals, interval) = match scale {
        Scale::Full { minutes, .. } => (10_000, minutes, Duration::from_mins(1)),
        Scale::Tiny => (10, 2, Duration::from_secs(1)),
    };
    let fleet = Fleet::start(context, services, "bench_idle", 100, progress)?;
    let marks = first_tenant(&fleet, progress)?;
    progress.detail("multiplying it");
    multiply(&fleet, &marks, tenants)?;
    fleet.stand_in(&serde_json::to_value(&marks)?)?;
    let mut worker = fleet.worker("bench-idle-worker", &[])?;
    progress.detail("idling");
    // What starting costs is not what idling costs.
    let begun = Instant::now();
    pause(context, interval)?;
    let ticks_a_second = ticks_a_second()?;
    let (mut shares, mut memory) = (Vec::new(), vec![resident_mib(&worker.child)?]);
    for _ in 0..intervals {
        let (ticks, begun) = (ticks(&worker.child)?, Instant::now());
        pause(context, interval)?;
        let used_s = (self::ticks(&worker.child)? - ticks) / ticks_a_second;
        shares.push(100.0 * used_s / begun.elapsed().as_secs_f64());
        memory.push(resident_mib(&worker.child)?);
        anyhow::ensure!(
            worker.child.try_wait()?.is_none(),
            "the worker ended by itself; see {}",
            context.shown(&worker.log)
        );
    }
    let looks = looks(&fleet, begun.elapsed())?;
    rows(tenants, interval * intervals, shares, &memory, &looks)
}

/// Onboards a tenant and has it looked at for drift; hands back what names it.
fn first_tenant(fleet: &Fleet<'_>, progress: &Progress) -> anyhow::Result<Vec<Mark>> {
    fleet.ask_for(1, progress)?;
    progress.detail("onboarding it");
    let mut workers: Vec<Worker> = vec![fleet.worker("bench-idle-first-worker", &[])?];
    let looked_at = fleet.wait_for((LOOKED_AT, 1), PATIENCE, &mut workers, progress)?;
    drop(workers);
    anyhow::ensure!(
        looked_at,
        "the tenant was not looked at for drift within {} s",
        PATIENCE.as_secs()
    );
    let drift = fleet.sql("SELECT drift FROM tenants")?;
    anyhow::ensure!(
        fleet.sql(WRONG)?.trim() == "0",
        "the tenant is not as it should be: {drift}"
    );
    let first = fleet.sql(
        "SELECT json_build_object('tenant', t.id, 'name', t.name, 'app', a.id, 'pool', t.observed ->> 'user_pool_id', 'client', a.client_id) \
         FROM tenants t JOIN apps a ON a.tenant_id = t.id",
    )?;
    serde_json::from_str::<First>(&first)
        .context("the row of the tenant")?
        .marks()
}

/// The one tenant, with its app and its policy, so many times, and none of them looked at yet. Whatever columns there are.
fn multiply(fleet: &Fleet<'_>, marks: &[Mark], times: u32) -> anyhow::Result<()> {
    let renamed = marks
        .iter()
        .fold("to_jsonb(t)::text".to_owned(), |text, Mark { own, prefix }| {
            let digits = own.len().saturating_sub(prefix.len());
            format!("replace({text}, '{own}', '{prefix}' || lpad(n::text, {digits}, '0'))")
        });
    let copy = |table: &str, changed: &str| {
        format!(
            "INSERT INTO {table} SELECT (jsonb_populate_record(NULL::{table}, {renamed}::jsonb || jsonb_build_object({changed}))).* \
             FROM {table} t, generate_series(1, {times}) AS n"
        )
    };
    let tenant = "'drift', '{}'::jsonb, 'drift_due_at', NULL, 'drift_claimed_at', NULL";
    let copies = [
        copy("tenants", tenant),
        copy("apps", ""),
        copy("policy_versions", ""),
    ];
    // One transaction: the tables refer to each other.
    fleet.sql(&format!("BEGIN; {}; COMMIT", copies.join("; ")))?;
    fleet.sql("VACUUM ANALYZE").map(drop)
}

fn looks(fleet: &Fleet<'_>, within: Duration) -> anyhow::Result<Looks> {
    let count = |query: &str| -> anyhow::Result<f64> { Ok(fleet.sql(query)?.trim().parse()?) };
    anyhow::ensure!(count(LOOKS)? > 0.0, "no tenant was looked at for drift");
    let seen: Vec<serde_json::Value> = serde_json::from_str(&fleet.seen()?)?;
    let calls = seen.iter().filter(|call| !call["whose"].is_null()).count();
    Ok(Looks {
        most_in_a_minute: count(MOST_IN_A_MINUTE)?,
        calls_a_second: as_f64(calls) / within.as_secs_f64(),
        wrong: count(WRONG)?,
    })
}

fn rows(
    tenants: u32,
    within: Duration,
    shares: Vec<f64>,
    memory: &[f64],
    looks: &Looks,
) -> anyhow::Result<Vec<Row>> {
    let shares = Series::new(shares).context("no intervals")?;
    let (first, last) = memory.first().zip(memory.last()).context("no intervals")?;
    let minutes = figure(within.as_secs_f64() / 60.0);
    let all = figure(f64::from(tenants));
    Ok(vec![
        Row::of(&format!("idle worker, {all} tenants"), &shares, "% of a core").aims_at(Target::AtMost(2.0)),
        Row::alone("idle worker, memory", *last, "MiB")
            .beside_figure(&format!("{minutes} minutes before"), *first)
            .aims_at(Target::RatioAtMost(1.05)),
        Row::alone(
            "idle looks for drift, most in a minute",
            looks.most_in_a_minute,
            "looks",
        )
        .aims_at(Target::AtMost(LOOKS_A_MINUTE)),
        Row::alone(
            "idle looks for drift that failed or found something",
            looks.wrong,
            "looks",
        )
        .aims_at(Target::AtMost(0.0)),
        Row::alone("idle calls of AWS", looks.calls_a_second, "calls/s"),
    ])
}

fn pause(context: &Context, interval: Duration) -> anyhow::Result<()> {
    context
        .processes
        .signals
        .wait_until(interval, || Ok(false))
        .map(drop)
}

/// Processor time so far, in the kernel's ticks: fields 14 and 15 of `/proc/{pid}/stat` (proc(5)). Linux only.
fn ticks(child: &Child) -> anyhow::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).context("the worker is gone")?;
    ticks_in(&stat).context("the kernel's line about the worker has another form")
}

fn ticks_in(stat: &str) -> Option<f64> {
    // The name in parentheses may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut field = || fields.next()?.parse::<f64>().ok();
    Some(field()? + field()?)
}

fn ticks_a_second() -> anyhow::Result<f64> {
    let output = Command::new("getconf")
        .arg("CLK_TCK")
        .output()
        .context("cannot start getconf")?;
    String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .context("getconf printed no number")
}

fn resident_mib(child: &Child) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).context("the worker is gone")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1_024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_past_any_name() {
        let stat = "42 (a ) b) S 1 42 42 0 -1 4194560 100 0 0 0 7 5 0 0 20 0 4 0 100 0 0";
        assert_eq!(ticks_in(stat), Some(12.0));
        assert_eq!(ticks_in("42 (a) S"), None);
    }

    #[test]
    fn memory_that_grows_and_looks_beyond_the_budget_are_missed() {
        let reached = |memory: &[f64], most_in_a_minute: f64| -> Vec<Option<bool>> {
            let looks = Looks {
                most_in_a_minute,
                calls_a_second: 12.0,
                wrong: 0.0,
            };
            let within = Duration::from_mins(3);
            let rows = rows(10_000, within, vec![1.0, 1.5, 1.2], memory, &looks).unwrap();
            rows.iter().map(|row| row.outcome.reached).collect()
        };
        let (yes, no) = (Some(true), Some(false));
        assert_eq!(reached(&[40.0, 40.0, 41.0], 30.0), [yes, yes, yes, yes, None]);
        assert_eq!(reached(&[40.0, 45.0, 50.0], 31.0), [yes, no, no, yes, None]);
    }

    #[test]
    fn marks_leave_room_for_the_numbers_of_copies() {
        let first = |pool: &str| First {
            tenant: "tnt_01jd7v0p3h8s5k2m4n6q9r1t0w".to_owned(),
            name: "Tenant 0000000001".to_owned(),
            app: "app_01jd7v0p3h8s5k2m4n6q9r1t0x".to_owned(),
            pool: pool.to_owned(),
            client: "4kq7example2client9id0abc1".to_owned(),
        };
        let marks = first("us-east-1_Ab3dEfGh1").marks().unwrap();
        assert_eq!(marks[0].own, "01jd7v0p3h8s5k2m4n6q9r1t0w");
        assert!(first("us-east-1_A").marks().is_err());
    }
}
