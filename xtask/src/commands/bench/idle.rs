//! `idle`: a worker over ten thousand tenants that are as they should be.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::Scale;
use super::row::{Row, Target};
use super::service::Stand;
use super::statistics::{Series, as_f64};
use crate::context::Context;
use crate::services::Services;
use crate::ui::Progress;

/// Intervals of a run, each a sample.
const INTERVALS: usize = 6;

/// A worker that ends with its measurement.
struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        let _already_gone = self.0.kill();
        let _reaped_before = self.0.wait();
    }
}

pub(super) fn run(
    context: &Context,
    services: &Services,
    scale: Scale,
    progress: &Progress,
) -> anyhow::Result<Vec<Row>> {
    let (tenants, interval) = scale.choose(
        (10_000, Duration::from_secs(20)),
        (10, Duration::from_millis(500)),
    );
    let stand = Stand::start(context, services, "bench_idle", 1, progress)?;
    progress.detail("multiplying tenants");
    multiply(context, &stand, tenants)?;
    let mut command = stand.program("stepgate", &["worker"]);
    // As often as a worker looks by default.
    command.env_remove("STEPGATE_WORKER_POLL_MS");
    let log = fs::File::create(context.log("bench-worker"))?;
    command.stdout(log.try_clone()?).stderr(log).stdin(Stdio::null());
    let mut worker = Worker(command.spawn().context("cannot start the worker")?);
    progress.detail("idling");
    // What starting costs is not what idling costs.
    pause(context, interval)?;
    let ticks_a_second = ticks_a_second()?;
    let (mut shares, mut memory) = (Vec::new(), Vec::new());
    for _ in 0..INTERVALS {
        let (ticks, begun) = (ticks(&worker.0)?, Instant::now());
        pause(context, interval)?;
        let used_s = (self::ticks(&worker.0)? - ticks) / ticks_a_second;
        shares.push(100.0 * used_s / begun.elapsed().as_secs_f64());
        memory.push(resident_mib(&worker.0)?);
        anyhow::ensure!(
            worker.0.try_wait()?.is_none(),
            "the worker ended by itself; see {}",
            context.shown(&context.log("bench-worker"))
        );
    }
    rows(shares, &memory)
}

fn rows(shares: Vec<f64>, memory: &[f64]) -> anyhow::Result<Vec<Row>> {
    let shares = Series::new(shares).context("no intervals")?;
    let (first, last) = memory.first().zip(memory.last()).context("no intervals")?;
    let minutes = as_f64(INTERVALS.saturating_sub(1)) / 3.0;
    Ok(vec![
        Row::of("idle worker, 10 000 tenants", &shares, "% of a core").aims_at(Target::AtMost(2.0)),
        Row::alone("idle worker, memory", *last, "MiB")
            .beside_figure(&format!("{minutes:.1} minutes before"), *first)
            .aims_at(Target::RatioAtMost(1.05)),
    ])
}

/// The one tenant, with its app, so many times, and all of them brought to what is wanted. Whatever columns there are.
fn multiply(context: &Context, stand: &Stand<'_>, times: u32) -> anyhow::Result<()> {
    let copy = |table: &str, changed: &str| {
        format!(
            "INSERT INTO {table} SELECT (jsonb_populate_record(NULL::{table}, to_jsonb(t) || jsonb_build_object({changed}))).* \
             FROM {table} t, generate_series(1, {times}) AS n"
        )
    };
    let id = |prefix: &str| format!("'{prefix}_' || lpad(n::text, 26, '0')");
    let tenant = format!(
        "'id', {}, 'name', 'idle ' || n, 'credentials_secret_name', 'idle/' || n, 'settings_secret_name', 'idle/settings/' || n",
        id("tnt")
    );
    let app = format!("'id', {}, 'tenant_id', {}", id("app"), id("tnt"));
    for statement in [
        copy("tenants", &tenant),
        copy("apps", &app),
        "UPDATE tenants SET observed_generation = generation, next_attempt_at = now() + interval '1 day'"
            .to_owned(),
        "VACUUM ANALYZE".to_owned(),
    ] {
        stand.sql(context, &statement)?;
    }
    Ok(())
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
    fn memory_that_grows_is_missed() {
        let reached = |memory: &[f64]| {
            let rows = rows(vec![1.0, 1.5, 1.2], memory).unwrap();
            (rows[0].outcome.reached, rows[1].outcome.reached)
        };
        assert_eq!(reached(&[40.0, 40.0, 41.0]), (Some(true), Some(true)));
        assert_eq!(reached(&[40.0, 45.0, 50.0]), (Some(true), Some(false)));
    }
}
