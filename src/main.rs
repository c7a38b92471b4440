//! The `stepgate` binary: reads the command line and hands over to [`stepgate::commands`].

use anyhow::Context as _;
use clap::Parser;
use mimalloc::MiMalloc;
use std::process::ExitCode;
use stepgate::commands::{self, Cli};

/// That of musl, which the image is linked with, has one lock for all threads.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    let runtime = cli.command.runtime().context("cannot start threads")?;
    Ok(runtime.block_on(commands::run(cli)))
}
