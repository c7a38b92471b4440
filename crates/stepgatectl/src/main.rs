//! `stepgatectl`: Stepgate on the command line, through the same API that a portal uses.
//!
//! - [`args`]: the command line and its help.
//! - [`profile`]: where the API is and with which key; the key is never an argument.
//! - [`output`]: results to standard output, as text or JSON; progress and errors to standard error.
//! - [`commands`]: one file a command: each is a few calls of [`stepgate_client::Client`].
//!
//! To add a command: a variant in [`args`], a file in [`commands`], a line in [`commands::run`].
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool talks to its user by printing"
)]

mod args;
mod commands;
mod output;
mod profile;

use clap::Parser as _;
use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = args::Arguments::parse();
    match commands::run(arguments).await {
        Ok(code) => code,
        Err(error) => output::failure(&error),
    }
}
