//! `cargo xtask chaos`: tenants are onboarded while workers and Postgres are killed and calls of AWS fail.
//!
//! Everything is real: the API, four workers, Postgres, the AWS emulator behind `crates/fault-proxy`. In the end every
//! tenant that was accepted must be ready, and AWS and the database must hold exactly what those tenants are made of.

mod inventory;
mod storm;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

use self::inventory::{Found, Inventory, Rows};
use self::storm::Storm;
use crate::artifacts;
use crate::commands::test::tally::Tally;
use crate::context::Context;
use crate::services::ports::Ports;
use crate::services::{Services, lock};
use crate::tools::Tools;
use crate::ui::{Progress, Tone};

/// Tenants of the run that is part of `cargo xtask test`.
const BOUNDED_TENANTS: usize = 8;
const BOUNDED_SEED: u64 = 1;
/// How long the workers have, once every tenant is ready, to remove what late calls made.
const SETTLES_WITHIN: Duration = Duration::from_mins(2);
/// Between two counts meanwhile.
const LOOK_PAUSE: Duration = Duration::from_secs(2);

/// What `chaos` may be told.
#[derive(Args)]
pub(crate) struct Options {
    /// Tenants to onboard.
    #[arg(long, default_value_t = 50, value_name = "N")]
    tenants: usize,
    /// Decides which calls fail and what is killed when.
    #[arg(long, default_value_t = 1, value_name = "S")]
    seed: u64,
    /// Write `{tenants, ready, orphans, duplicates, lost, kills, faults, duration_s}` to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Outcome {
    /// Tenants that the API accepted.
    tenants: usize,
    /// Tenants that are ready.
    ready: usize,
    /// Stacks, pools, secrets, tables, app clients and rows that belong to no tenant.
    orphans: usize,
    /// Things that a tenant has more of than it should.
    duplicates: usize,
    /// Accepted tenants without a row, and things that a ready tenant lacks.
    lost: usize,
    /// Processes that were killed.
    kills: usize,
    /// Calls of AWS that failed.
    faults: usize,
    duration_s: u64,
}

impl Outcome {
    fn is_clean(&self) -> bool {
        self.ready == self.tenants && self.orphans == 0 && self.duplicates == 0 && self.lost == 0
    }
}

pub(crate) fn run(context: &Context, options: &Options) -> anyhow::Result<ExitCode> {
    lock::take(context, "chaos")?;
    let tools = context
        .ui
        .step("tools", |progress| Tools::ready(context, progress))?;
    let services = Services::start(context, &tools, &Ports::free())?;
    context.ui.step("trigger build", |progress| {
        artifacts::build_for_host(context, progress)
    })?;
    context.ui.step("service build", |progress| {
        artifacts::build_for_chaos(context, progress)
    })?;
    let outcome = context.ui.step("chaos", |progress| {
        rage(
            context,
            &tools,
            &services,
            (options.tenants, options.seed),
            progress,
        )
    });
    context.processes.stop_all();
    let (outcome, found) = outcome?;
    let text = serde_json::to_string_pretty(&outcome)?;
    if let Some(json) = &options.json {
        fs::write(json, format!("{text}\n")).with_context(|| format!("cannot write {}", json.display()))?;
    }
    for line in &found.complaints {
        context.ui.line(Tone::Bad, line);
    }
    context.ui.line(Tone::Bold, &text);
    Ok(if outcome.is_clean() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// A few tenants, on services that run; the programs are built.
pub(crate) fn bounded(
    context: &Context,
    tools: &Tools,
    services: &Services,
    tally: &mut Tally,
    progress: &Progress,
) -> anyhow::Result<()> {
    let (outcome, found) = rage(
        context,
        tools,
        services,
        (BOUNDED_TENANTS, BOUNDED_SEED),
        progress,
    )?;
    progress.set_note(format!(
        "{} of {} ready, {} kills, {} faults",
        outcome.ready, outcome.tenants, outcome.kills, outcome.faults
    ));
    if outcome.is_clean() && outcome.kills > 0 && outcome.faults > 0 {
        tally.pass();
    } else {
        tally.fail(format!("chaos: {outcome:?}: {}", found.complaints.join("; ")));
    }
    Ok(())
}

fn rage(
    context: &Context,
    tools: &Tools,
    services: &Services,
    (tenants, seed): (usize, u64),
    progress: &Progress,
) -> anyhow::Result<(Outcome, Found)> {
    let mut storm = Storm::prepare(context, tools, services, seed, progress)?;
    let begun = Instant::now();
    let deadline = begun + Duration::from_mins(3) + Duration::from_secs(10) * u32::try_from(tenants)?;
    storm.onboard(tenants, deadline, progress)?;
    storm.until_ready(deadline, progress)?;
    let duration_s = begun.elapsed().as_secs();
    progress.detail("counting what AWS holds");
    let count = |storm: &Storm<'_>| -> anyhow::Result<(Rows, Found)> {
        let rows = storm.rows()?;
        let inventory = Inventory::take(&services.ministack.url(), &storm.account)?;
        let found = inventory.compare(&rows, &storm.accepted);
        Ok((rows, found))
    };
    // A call may take effect after its tenant is ready. What it made is the workers' to remove, not this program's.
    let settled = Instant::now() + SETTLES_WITHIN;
    while Instant::now() < settled && !count(&storm)?.1.complaints.is_empty() {
        thread::sleep(LOOK_PAUSE);
    }
    let faults = storm.faults()?;
    storm.end()?;
    let (rows, found) = count(&storm)?;
    let outcome = Outcome {
        tenants: storm.accepted.len(),
        ready: rows.tenants.iter().filter(|tenant| tenant.ready).count(),
        orphans: found.orphans,
        duplicates: found.duplicates,
        lost: found.lost,
        kills: storm.kills,
        faults,
        duration_s,
    };
    Ok((outcome, found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anything_left_over_lost_or_not_ready_is_not_clean() {
        let clean = Outcome {
            tenants: 2,
            ready: 2,
            orphans: 0,
            duplicates: 0,
            lost: 0,
            kills: 9,
            faults: 9,
            duration_s: 1,
        };
        assert!(clean.is_clean());
        for bad in [
            Outcome {
                ready: 1,
                ..clean.clone()
            },
            Outcome {
                orphans: 1,
                ..clean.clone()
            },
            Outcome {
                duplicates: 1,
                ..clean.clone()
            },
            Outcome {
                lost: 1,
                ..clean.clone()
            },
        ] {
            assert!(!bad.is_clean(), "{bad:?}");
        }
    }
}
