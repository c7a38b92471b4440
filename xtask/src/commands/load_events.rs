//! `cargo xtask load-events`: a million step-up events through SQS into Postgres, and every total compared.
//!
//! The load is a test of the service (`tests/integration/events/load.rs`), which `cargo xtask test` runs with few events.
//! Here it runs alone, with as many as asked for, and tells how far it is.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;

use super::test::{self, executables};
use crate::context::Context;
use crate::services::ports::Ports;
use crate::services::{Services, lock};
use crate::tools::Tools;
use crate::ui::{Tone, tail};

/// The test, and what its lines begin with.
const TEST: &str = "events::load::every_total_is_what_was_sent";
const MARK: &str = "load: ";

/// What `load-events` may be told.
#[derive(Args)]
pub(crate) struct Options {
    /// How many events.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=20_000_000))]
    events: u64,
    /// Write events, seconds, events a second and the slowest report to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub(crate) fn run(context: &Context, options: &Options) -> anyhow::Result<ExitCode> {
    lock::take(context, "load-events")?;
    let tools = context
        .ui
        .step("tools", |progress| Tools::ready(context, progress))?;
    let executables = context.ui.step("build tests", |progress| {
        executables::build(context, &test::Options::only(TEST), progress)
    })?;
    let executable = executables
        .iter()
        .find(|one| one.is_test("stepgate", "integration"))
        .context("the service has no integration tests")?;
    let services = Services::start(context, &tools, &Ports::free())?;
    let mut environment = services.test_environment(context, &tools);
    environment.push(("STEPGATE_LOAD_EVENTS", options.events.to_string()));
    if let Some(file) = &options.json {
        let file = std::path::absolute(file).context("the file of --json")?;
        environment.push(("STEPGATE_LOAD_REPORT", file.display().to_string()));
    }
    let log = context.fresh_log("load-events")?;
    let ended = context.ui.step("load", |progress| {
        let mut command = executables::prepare(context, executable, &test::Options::only(TEST), &environment);
        command.args(["--exact", "--nocapture"]);
        let mut last = String::new();
        let status = context
            .processes
            .stream("the load test", &mut command, &log, |line| {
                if let Some((_, told)) = line.split_once(MARK) {
                    told.clone_into(&mut last);
                    progress.detail(told);
                }
            })?;
        if !status.success() || !last.starts_with("every total") {
            bail!(
                "the load test ended with {status} after `{last}`:\n{}",
                tail(&log, 30)
            );
        }
        progress.set_note(format!("{} events", options.events));
        Ok(last)
    })?;
    context.processes.stop_all();
    context.ui.line(Tone::Good, &ended);
    Ok(ExitCode::SUCCESS)
}
