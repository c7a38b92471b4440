//! `cargo xtask`: everything a developer or a build server runs.
//!
//! What belongs here: getting the tools, starting and stopping what the system needs around it, and driving builds, checks and the
//! demonstration. What does not: anything the product itself does. `xtask` knows the service only by its public interfaces.
//!
//! - [`commands`]: one file or folder a command.
//! - [`tools`]: what must be on the machine, and how it gets there.
//! - [`services`]: Postgres and the AWS emulator.
//! - [`process`]: children that never outlive us, not even after `kill -9`.
//! - [`ui`]: steps with a name, a life sign and a time.
//!
//! A new command is a variant of [`Command`] and a file in [`commands`]; it brings its own set-up by calling into `tools` and `services`.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool talks to its user by printing"
)]

mod artifacts;
mod commands;
mod context;
mod http;
mod process;
mod random;
mod services;
mod tools;
mod ui;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::commands::{
    artifacts as artifacts_command, attacks, bench, chaos, chart, demo, fuzz, fuzz_api, image, lint,
    load_events, openapi_lint, package, services as services_command, sqlx, test,
};
use crate::context::Context;
use crate::process::Interrupted;

const ENVIRONMENT: &str = "\
Environment:
  STEPGATE_POSTGRES  folder with postgres, initdb and psql, or `wheel`; by default PATH, then the usual folders, then a wheel
  CARGO_TARGET_DIR   respected, by default target/
  NO_COLOR           no colours
  CI=true            a check that cannot run for want of a tool is a failure

As root, Postgres runs as the user `postgres` or `nobody`; a clone that they cannot reach has its database files in
/var/tmp/stepgate-*. Tried on Debian; macOS is untested.";

/// Stepgate's developer tool. Every command prepares what it needs by itself, in the ignored folder `.stepgate/` of the clone.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", after_help = ENVIRONMENT)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prepare and run the whole system on loopback and do the main job once before your eyes.
    Demo(demo::Options),
    /// Run every check and every test; the last line is `N passed, N failed, N skipped`.
    Test(test::Options),
    /// Run the attack catalogue on a system started for it, or against a deployed tenant; exit code 1 if one gets through or is not built.
    Attacks(attacks::Options),
    /// Onboard tenants while workers and Postgres are killed and calls of AWS fail; exit code 1 unless all end as they should.
    Chaos(chaos::Options),
    /// Measure, beside the limit or what people use instead, and say which targets are reached.
    Bench(bench::Options),
    /// Feed the parsers damaged input for longer than the tests do; what breaks one is kept in its corpus.
    Fuzz(fuzz::Options),
    /// Send the API requests made from its own document, as each role, and hold every answer against the document.
    FuzzApi(fuzz_api::Options),
    /// Send a million step-up events through the queue into Postgres and compare every total.
    LoadEvents(load_events::Options),
    /// Keep Postgres and the AWS emulator up for tests run by hand, until Ctrl-C.
    Services(services_command::Options),
    /// Check formatting, clippy, the CloudFormation templates and the dependency rules.
    Lint,
    /// Have other people's tools judge the API document, and compile a TypeScript program against it.
    OpenapiLint,
    /// Check the Helm chart: lint, render, schemas of Kubernetes, policies, alert rules.
    Chart(chart::Options),
    /// Refresh the query metadata in `.sqlx/`, which lets the service build without a database.
    Sqlx(sqlx::Options),
    /// Build the triggers for this machine and zip them into `.stepgate/artifacts/`.
    Artifacts,
    /// Build the container image without pulling any base image, into `.stepgate/image/`.
    Image(image::Options),
    /// Build the triggers for AWS, as small as they get, and zip them into `.stepgate/package/`.
    Package(package::Options),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments.command) {
        Ok(code) => code,
        Err(error) if error.is::<Interrupted>() => {
            eprintln!("interrupted");
            ExitCode::from(130)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    let context = Context::new()?;
    match command {
        Command::Demo(options) => demo::run(&context, &options),
        Command::Test(options) => test::run(&context, &options),
        Command::Attacks(options) => attacks::run(&context, &options),
        Command::Chaos(options) => chaos::run(&context, &options),
        Command::Bench(options) => bench::run(&context, &options),
        Command::Fuzz(options) => fuzz::run(&context, &options),
        Command::FuzzApi(options) => fuzz_api::run(&context, &options),
        Command::LoadEvents(options) => load_events::run(&context, &options),
        Command::Services(options) => services_command::run(&context, &options),
        Command::Lint => lint::run(&context),
        Command::OpenapiLint => openapi_lint::run(&context),
        Command::Chart(options) => chart::run(&context, &options),
        Command::Sqlx(options) => sqlx::run(&context, &options),
        Command::Image(options) => image::run(&context, &options),
        Command::Package(options) => package::run(&context, &options),
        Command::Artifacts => artifacts_command::run(&context),
    }
}
