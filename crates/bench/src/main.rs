//! What `cargo xtask bench` measures with. Each subcommand measures one thing beside its limit or baseline, in turns,
//! and prints its samples as one line of JSON ([`measured::Measured`]); what they come to, and whether that is enough,
//! is judged by xtask.
//!
//! - [`http_stub`], [`stage`]: AWS and a provider that answer at once, with what never changes.
//! - [`function`]: Lambda's Runtime API around a function that is measured; [`identity`]: what the provider signs.
//! - [`triggers`]: start and calls of the functions; [`bare`]: the calls of *verify* and nothing else.
//! - [`load`]: requests to a running API; [`collector`]: where its traces go.
//! - [`quotas`], [`aws`], [`replay`]: an AWS with real quotas and latencies around an emulator; its calls once more, bare.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a program of the benchmark: it prints, and the clock and the randomness are the machine's"
)]

mod aws;
mod bare;
mod collector;
mod function;
mod http_stub;
mod identity;
mod load;
mod measured;
mod quotas;
mod replay;
mod stage;
mod triggers;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "bench")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// From the start of a function's process to its first answer, in turns with Node.js.
    TriggersCold(triggers::Cold),
    /// Calls of running functions, in turns with the bare calls behind *verify*.
    TriggersWarm(triggers::Warm),
    /// Requests to a running API, as fast as it answers or at a rate.
    Load(load::Options),
    /// Stands before an AWS emulator with the quotas and latencies of AWS, until it is ended.
    Aws(aws::Options),
    /// Takes traces and keeps none, until it is ended.
    Collector(collector::Options),
    /// The calls that such an AWS saw once more, by a loop that does nothing else.
    Replay(replay::Options),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // One TLS implementation; a second call would find the same one installed.
    drop(rustls::crypto::ring::default_provider().install_default());
    let measured = match Arguments::parse().command {
        Command::TriggersCold(options) => triggers::cold(&options).await?,
        Command::TriggersWarm(options) => triggers::warm(&options).await?,
        Command::Load(options) => load::run(&options).await?,
        Command::Aws(options) => aws::run(&options).await?,
        Command::Collector(options) => collector::run(&options).await?,
        Command::Replay(options) => replay::run(&options).await?,
    };
    println!("{}", serde_json::to_string(&measured)?);
    Ok(())
}
