//! `cargo xtask demo`: the whole system on loopback, and its main job done once before your eyes.
//!
//! - [`system`]: starts what the system consists of.
//! - [`job`]: onboards a customer, only through public interfaces.
//! - [`sign_in`]: signs a user in as a client SDK and a browser would.
//! - [`app`]: starts the app with the page.
//! - [`report`]: what `--json` writes.
//! - [`traffic`]: signs users in all the time, with `--traffic`.
//!
//! [`attacked`] starts the same system for the attack catalogue, [`ApiAlone`] the API for what fuzzes or measures it.
//!
//! Database and emulator start from nothing each time; tools and builds are kept. So a second run takes seconds and shows the same.

pub(crate) mod api;
mod app;
mod cognito;
mod job;
mod report;
mod sign_in;
pub(crate) mod system;
mod traffic;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use serde_json::Value;

use self::report::Report;
pub(crate) use self::system::ApiAlone;
use self::system::System;
use crate::context::Context;
use crate::process::Interrupted;
use crate::services::ports::Ports;
use crate::services::postgres_home::PostgresHome;
use crate::services::{Services, lock};
use crate::tools::python::Venv;
use crate::ui::Tone;

/// What `demo` may be told.
#[derive(Args)]
pub(crate) struct Options {
    /// End after the job instead of staying up: exit code 0 if it was done, 1 if not.
    #[arg(long)]
    once: bool,
    /// Write addresses, keys, ids, steps and the token's claims to this file when the job is done or has failed.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Fixed ports instead of free ones: API here, then BlockID simulator, MiniStack, Postgres, the app.
    #[arg(long, value_name = "PORT")]
    port_base: Option<u16>,
    /// Onboard two more customers and sign their users in all the time, so many a minute: with all methods, failures and people who
    /// give up. Everything goes the way of real sign-ins, and the figures that the API reports are shown. With `--once` it ends after
    /// some sign-ins whose figures arrived.
    #[arg(long, value_name = "PER_MINUTE", num_args = 0..=1, default_missing_value = "40",
          value_parser = clap::value_parser!(u16).range(1..=120))]
    traffic: Option<u16>,
    /// Forget all tools and state in `.stepgate/` first.
    #[arg(long)]
    reset: bool,
}

pub(crate) fn run(context: &Context, options: &Options) -> anyhow::Result<ExitCode> {
    lock::take(context, "demo")?;
    if options.reset {
        reset(context)?;
    }
    if let Some(file) = &options.json {
        // What an earlier run wrote must not pass for this one's.
        let _absent = fs::remove_file(file);
    }
    let mut report = Report::default();
    let done = prepare_and_do(context, options, &mut report);
    if done.as_ref().is_err_and(anyhow::Error::is::<Interrupted>) {
        return done.map(|_| ExitCode::FAILURE);
    }
    report.ok = done.is_ok();
    if let Some(file) = &options.json {
        report.write(file)?;
    }
    let system = done.context("the demonstration did not reach its end; logs are in .stepgate/logs")?;
    job::print_what_next(&context.ui, &report);
    if let Some(per_minute) = options.traffic {
        traffic::run(context, &system, &mut report, per_minute, options.once)?;
    } else if !options.once {
        context.ui.line(Tone::Bold, "\nup until Ctrl-C");
        context.processes.wait_for_signal()?;
    }
    if options.once {
        return Ok(ExitCode::SUCCESS);
    }
    context.ui.line(Tone::Dim, "ending every process");
    Ok(ExitCode::SUCCESS)
}

fn prepare_and_do(context: &Context, options: &Options, report: &mut Report) -> anyhow::Result<System> {
    let system = System::start(context, &Ports::from_base(options.port_base), report)?;
    job::run(context, &system, report, |story, logged| {
        job::tell_all(&context.ui, story, logged);
    })?;
    // The main job is done by now. Whoever cannot have npm's packages misses the page and hears why.
    if let Err(error) = app::start(context, &system, report) {
        if error.is::<Interrupted>() {
            return Err(error);
        }
        let hint = "the page could not be started; everything else runs";
        context
            .ui
            .line(Tone::Warn, &format!("warning: {hint}: {error:#}"));
    }
    Ok(system)
}

/// The same system for the browser tests, around services that run; writes what they need to know to `file`.
pub(crate) fn start_for_tests(
    context: &Context,
    venv: &Venv,
    services: &Services,
    file: &Path,
) -> anyhow::Result<()> {
    let mut report = Report::default();
    let running = (&services.postgres, &services.ministack);
    let system = System::start_around(context, &Ports::free(), venv, running, &mut report)?;
    job::run(context, &system, &mut report, |_, _| {})?;
    app::start(context, &system, &mut report)?;
    report.ok = true;
    report.write(file)
}

/// Starts the system and onboards a customer; hands back what the attack catalogue is told of it: the file that `--json` writes, and
/// the account, the client secret and the emulator's Python beside it.
pub(crate) fn attacked(context: &Context, ports: &Ports) -> anyhow::Result<Value> {
    let mut report = Report::default();
    let system = System::start(context, ports, &mut report)?;
    // Who may sign up writes `email`, which the catalogue's rules on links rest on: a tenant of defaults has it closed.
    job::onboard(context, &system, false, &mut report)?;
    let mut target = serde_json::to_value(&report)?;
    target["other_partner_api_key"] = job::another_partner(context, &system, &mut report)?.into();
    target["aws_access_key_id"] = system::AWS_ACCESS_KEY_ID.into();
    target["aws_secret_access_key"] = system::AWS_SECRET_ACCESS_KEY.into();
    target["client_secret"] = system.blockid_client_secret.into();
    target["python"] = system.venv.python().display().to_string().into();
    Ok(target)
}

/// Removes everything but what this very run has open.
fn reset(context: &Context) -> anyhow::Result<()> {
    PostgresHome::remove(context)?;
    for entry in fs::read_dir(context.state())? {
        let path = entry?.path();
        if path.ends_with("runs") || path.ends_with("services.lock") {
            continue;
        }
        let removed = if path.symlink_metadata()?.is_dir() {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        removed.with_context(|| format!("cannot remove {}", path.display()))?;
    }
    fs::create_dir_all(context.logs()).context("cannot make the folder of logs")
}
