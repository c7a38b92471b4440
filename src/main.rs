//! The `stepgate` binary: reads the command line and hands over to [`stepgate::commands`].

use clap::Parser;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    stepgate::commands::run(stepgate::commands::Cli::parse()).await
}
