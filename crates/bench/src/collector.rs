//! A collector of traces that takes everything and keeps nothing: what is measured is what making and sending them costs.

use crate::http_stub::{self, Response};
use crate::measured::Measured;
use std::net::SocketAddr;

/// What it may be told.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Where it listens.
    #[arg(long)]
    listen: SocketAddr,
}

/// Answers until the program is ended.
pub(crate) async fn run(options: &Options) -> anyhow::Result<Measured> {
    let answer = |_request| async { Response::json("") };
    http_stub::serve_at(options.listen, answer).await?;
    std::future::pending().await
}
