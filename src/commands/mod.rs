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

use crate::config::{Config, LogConfig};
use clap::{Parser, Subcommand};
use std::process::ExitCode;

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

/// Runs the command; the process's entry point after parsing the command line.
pub async fn run(cli: Cli) -> ExitCode {
    crate::observability::logging::install(&LogConfig::load());
    // One TLS provider for everything in the process; an error means that it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match dispatch(cli.command).await {
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
