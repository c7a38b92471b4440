//! The `stepgate` binary: reads the command line and hands over to [`stepgate::commands`].

use clap::Parser;
use mimalloc::MiMalloc;
use std::process::ExitCode;

/// That of musl, which the image is linked with, has one lock for all threads.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    stepgate::commands::run(stepgate::commands::Cli::parse()).await
}
