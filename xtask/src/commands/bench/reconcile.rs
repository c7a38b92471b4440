//! `reconcile`: workers onboard tenants at AWS's pace, then a bare loop makes the same calls.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::Scale;
use super::fleet::{Fleet, Worker};
use super::measured::Measured;
use super::row::{Row, Target, figure};
use super::statistics::as_f64;
use crate::context::Context;
use crate::services::Services;
use crate::ui::Progress;

/// Tenants that a worker has under way at once by default.
const AT_ONCE_EACH: u32 = 8;
/// How long a tenant's stack takes on AWS. An assumption.
const STACKS_TAKE_MS: u64 = 60_000;

const READY: &str =
    "SELECT count(*) FROM tenants WHERE state = 'active' AND observed_generation = generation";

pub(super) fn run(
    context: &Context,
    services: &Services,
    scale: Scale,
    progress: &Progress,
) -> anyhow::Result<Vec<Row>> {
    let (tenants, workers, stacks_take_ms) = match scale {
        Scale::Full { tenants, workers, .. } => (tenants, workers, STACKS_TAKE_MS),
        Scale::Tiny => (3, 2, 1_500),
    };
    let at_once = workers * AT_ONCE_EACH;
    let all = format!("{} tenants, {workers} workers", figure(f64::from(tenants)));
    let fleet = Fleet::start(context, services, "bench_reconcile", stacks_take_ms, progress)?;
    fleet.ask_for(tenants, progress)?;
    let begun = Instant::now();
    let mut workers: Vec<Worker> = (1..=workers)
        .map(|number| {
            // Looks for drift at tenants that are ready would be calls of another kind.
            let settings = [("STEPGATE_DRIFT_CHECKS_PER_MIN", "0")];
            fleet.worker(&format!("bench-reconcile-worker-{number}"), &settings)
        })
        .collect::<anyhow::Result<_>>()?;
    // Twice what it takes where nothing but the stacks is waited for, with room for a small number.
    let limit = Duration::from_mins(5) + Duration::from_secs(150) * tenants.div_ceil(at_once);
    let ready = fleet.wait_for((READY, tenants), limit, &mut workers, progress)?;
    let took_s = begun.elapsed().as_secs_f64();
    anyhow::ensure!(
        ready,
        "not every tenant was ready within {} s; see {}",
        limit.as_secs(),
        context.shown(&workers[0].log)
    );
    let logs: Vec<_> = workers.iter().map(|worker| worker.log.clone()).collect();
    drop(workers);
    let seen = context.state().join("bench/reconcile-seen.json");
    fs::create_dir_all(seen.with_file_name("")).context("cannot make the folder of the bench")?;
    fs::write(&seen, fleet.seen()?)?;
    progress.detail("the same calls, bare");
    let mut replay = fleet.bench(&["replay", "--stacks-take-ms", &stacks_take_ms.to_string()]);
    replay
        .args(["--at-once", &at_once.to_string()])
        .arg("--seen")
        .arg(&seen);
    let measured = Measured::by(context, "reconcile", &mut replay)?;
    let mut throttled = 0;
    for log in logs {
        let text = fs::read_to_string(&log).with_context(|| format!("cannot read {}", log.display()))?;
        throttled += text.lines().filter(|line| tells_of_throttling(line)).count();
    }
    rows(&all, took_s, throttled, &measured)
}

fn rows(all: &str, took_s: f64, throttled: usize, measured: &Measured) -> anyhow::Result<Vec<Row>> {
    let (quotas_s, replay_s) = (measured.fact("quotas_s")?, measured.fact("replay_s")?);
    let (limit, limit_s) = if quotas_s > replay_s {
        ("the quotas' time", quotas_s)
    } else {
        ("the same calls, bare", replay_s)
    };
    let name = |what: &str| format!("reconcile {all}, {what}");
    Ok(vec![
        Row::alone(&name("all ready"), took_s, "s")
            .beside_figure(limit, limit_s)
            .aims_at(Target::RatioAtMost(1.15)),
        Row::alone(&name("the same calls, bare"), replay_s, "s").beside_figure("the quotas' time", quotas_s),
        Row::alone(
            &name("throttling errors that reached an operation"),
            as_f64(throttled),
            "errors",
        )
        .aims_at(Target::AtMost(0.0)),
        Row::alone(
            &name("calls that AWS refused"),
            measured.fact("refused")?,
            "calls",
        )
        .beside_figure("calls", measured.fact("calls")?),
    ])
}

/// Whether a line of a worker's log is about a step that failed because of AWS's quotas, or of the budget that keeps to them.
fn tells_of_throttling(line: &str) -> bool {
    let codes = [
        "Throttl",
        "TooManyRequests",
        "RequestLimitExceeded",
        "SlowDown",
        "BudgetUsedUp",
    ];
    line.contains("provisioning step failed") && codes.iter().any(|code| line.contains(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_larger_of_both_is_the_limit() {
        let measured = |quotas_s: f64, replay_s: f64| {
            let facts = serde_json::json!({"facts": {
                "quotas_s": quotas_s, "replay_s": replay_s, "calls": 9.0, "refused": 0.0,
            }});
            serde_json::from_value::<Measured>(facts).unwrap()
        };
        let first = |measured: &Measured| rows("9 tenants", 115.0, 0, measured).unwrap().swap_remove(0);
        let row = first(&measured(100.0, 90.0));
        assert_eq!(row.compared_with.as_deref(), Some("the quotas' time"));
        assert_eq!((row.outcome.ratio, row.outcome.reached), (Some(1.15), Some(true)));
        assert_eq!(row.outcome.name, "reconcile 9 tenants, all ready");
        let row = first(&measured(90.0, 80.0));
        assert_eq!(row.outcome.reached, Some(false));
    }

    #[test]
    fn only_failed_steps_count_as_errors_of_an_operation() {
        let failed = r#"{"message":"provisioning step failed","code":"ThrottlingException"}"#;
        assert!(tells_of_throttling(failed));
        assert!(tells_of_throttling(
            &failed.replace("ThrottlingException", "BudgetUsedUp")
        ));
        assert!(!tells_of_throttling(
            &failed.replace("ThrottlingException", "AccessDenied")
        ));
        assert!(!tells_of_throttling(
            r#"{"message":"AWS throttles; calls become fewer"}"#
        ));
    }
}
