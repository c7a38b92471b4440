//! `fault-proxy`: the proxy as a program, for `cargo xtask chaos`.

use clap::Parser;
use fault_proxy::{Fault, Plan, Proxy};
use std::net::SocketAddr;
use std::time::Duration;
use url::Url;

/// Between two deliveries of the calls that take effect late.
const LATE_EVERY: Duration = Duration::from_secs(3);

/// Forwards to an AWS emulator and fails a share of the calls. `GET /_faults` tells how many.
#[derive(Parser)]
struct Arguments {
    /// Where the calls go.
    #[arg(long)]
    upstream: Url,
    /// Where it listens.
    #[arg(long)]
    listen: SocketAddr,
    /// Thousandths of the calls that fail.
    #[arg(long, default_value_t = 50)]
    per_mille: u32,
    /// Decides which.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let proxy = Proxy::listen(&arguments.upstream, arguments.listen).await?;
    let (seed, per_mille) = (arguments.seed, arguments.per_mille);
    proxy.follow(Plan::Share {
        seed,
        per_mille,
        faults: Fault::ALL.to_vec(),
    });
    loop {
        tokio::time::sleep(LATE_EVERY).await;
        proxy.deliver_late().await;
    }
}
