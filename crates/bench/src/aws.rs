//! AWS as a worker meets it: an emulator behind real quotas and latencies.

use crate::measured::Measured;
use crate::quotas;
use anyhow::Context as _;
use fault_proxy::Proxy;
use std::net::SocketAddr;
use std::time::Duration;
use url::Url;

/// What it may be told.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Address of the emulator.
    #[arg(long)]
    upstream: Url,
    /// Where it listens.
    #[arg(long)]
    listen: SocketAddr,
    /// How long a new stack takes.
    #[arg(long)]
    stacks_take_ms: u64,
}

/// Forwards until the program is ended.
pub(crate) async fn run(options: &Options) -> anyhow::Result<Measured> {
    let proxy = Proxy::listen(&options.upstream, options.listen)
        .await
        .with_context(|| format!("cannot listen on {}", options.listen))?;
    proxy.keep_pace(quotas::pace(Duration::from_millis(options.stacks_take_ms)));
    std::future::pending().await
}
