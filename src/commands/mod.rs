//! The subcommands of the binary, one a file: each reads what it needs, wires it and runs.
//!
//! To add one: a variant of [`Command`], a module with `run`, a line in [`dispatch`]. Results go to standard
//! output as JSON, logs and errors to standard error.

pub mod cell;
pub mod cell_policy;
pub mod console;
pub mod keys;
pub mod migrate;
pub mod openapi;
pub mod probe;
pub mod problems;
pub mod serve;
pub mod worker;

use crate::{
    api,
    config::{Config, LogConfig},
    observability::{logging, metrics::metrics, traces::Traces},
};
use anyhow::Context as _;
use clap::{Parser, Subcommand};
use std::{net::TcpListener, process::ExitCode};
use tokio::runtime::{Builder, Runtime};

/// Control plane that puts a BlockID step-up into Amazon Cognito sign-ins.
#[derive(Debug, Parser)]
#[command(name = "stepgate", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the binary can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the API until a stop signal.
    Serve,
    /// Bring tenants to what their rows ask for, until a stop signal.
    Worker,
    /// Bring the database schema to this version.
    Migrate(migrate::MigrateArgs),
    /// Print the OpenAPI document.
    Openapi,
    /// Ask for a URL and fail unless the answer is a success.
    Probe(probe::ProbeArgs),
    /// Print the page of the kinds of problems.
    Problems,
    /// Cells: accounts and regions that tenants are placed in.
    #[command(subcommand)]
    Cell(cell::CellCommand),
    /// The console.
    #[command(subcommand)]
    Console(console::ConsoleCommand),
    /// API keys.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
}

impl Command {
    /// What the command runs on.
    ///
    /// A worker waits nearly always, for AWS and the database: with more threads than one, each answer wakes a second one for
    /// nothing (`docs/performance.md`, idle). What takes a processor for long it does on threads beside
    /// this one. More work at a time is more workers.
    pub fn runtime(&self) -> std::io::Result<Runtime> {
        let mut builder = match self {
            Self::Worker => Builder::new_current_thread(),
            _ => Builder::new_multi_thread(),
        };
        builder.enable_all().build()
    }
}

/// Runs the command; the process's entry point after parsing the command line.
pub async fn run(cli: Cli) -> ExitCode {
    // One TLS provider for everything in the process; an error means that it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match observed(cli.command).await {
        Ok(code) => code,
        Err(error) => {
            #[expect(
                clippy::print_stderr,
                reason = "a command-line tool tells its user on standard error"
            )]
            {
                eprintln!("stepgate: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

/// Runs the command with its logs and, where it is one that stays, its traces.
async fn observed(command: Command) -> anyhow::Result<ExitCode> {
    let traces = match command {
        Command::Serve => Traces::begin("serve"),
        Command::Worker => Traces::begin("worker"),
        _ => Ok(Traces::default()),
    };
    let traces = traces.inspect_err(|_| logging::install(&LogConfig::load(), &Traces::default()))?;
    logging::install(&LogConfig::load(), &traces);
    let result = Box::pin(dispatch(command)).await;
    traces.end().await;
    result
}

async fn dispatch(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve => serve::run(Config::load()?).await?,
        Command::Worker => worker::run(Config::load()?).await?,
        Command::Migrate(arguments) => migrate::run(Config::load()?, &arguments).await?,
        Command::Openapi => openapi::run()?,
        Command::Probe(arguments) => probe::run(arguments).await?,
        Command::Problems => problems::run(),
        Command::Cell(cell::CellCommand::Policy(arguments)) => cell_policy::run(arguments)?,
        Command::Cell(command) => return cell::run(Config::load()?, command).await,
        Command::Console(command) => console::run(Config::load()?, command).await?,
        Command::Keys(command) => keys::run(command).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Serves metrics for as long as the process lives, where it is configured to.
fn serve_metrics(context: &crate::Context, command: &'static str) -> anyhow::Result<()> {
    let metrics = metrics();
    let version = env!("CARGO_PKG_VERSION");
    metrics.build_info.set([version.into(), command.into()], 1.0);
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds of this age are exact in 53 bits"
    )]
    let now_s = context.clock.now().timestamp_millis() as f64 / 1000.0;
    metrics.start_time_seconds.set([], now_s);
    let Some(listen) = context.config.metrics_listen else {
        return Ok(());
    };
    let listener = TcpListener::bind(listen).with_context(|| format!("cannot serve metrics on {listen}"))?;
    tracing::info!(address = %listener.local_addr()?, "serving metrics");
    tokio::spawn(api::server::build_metrics(context.clone(), listener)?);
    Ok(())
}

/// Prints a command's result.
fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    #[expect(clippy::print_stdout, reason = "the result of a command")]
    {
        println!("{text}");
    }
    Ok(())
}

/// Resolves when the process is asked to stop (SIGTERM or Ctrl-C).
pub async fn stop_signal() -> anyhow::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => {}
        result = tokio::signal::ctrl_c() => result?,
    }
    Ok(())
}
