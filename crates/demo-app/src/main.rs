//! The `demo-app` command; `cargo xtask demo` starts it.

use anyhow::Context as _;
use clap::Parser;
use demo_app::{server, settings::Settings};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

/// The app of the demonstration. It shows the demonstration user's password: never for anybody else's eyes.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    /// Loopback address to listen on.
    #[arg(long)]
    listen: SocketAddr,
    /// Settings, JSON.
    #[arg(long, value_name = "FILE")]
    settings: PathBuf,
}

#[actix_web::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    anyhow::ensure!(
        arguments.listen.ip().is_loopback(),
        "only loopback addresses are served"
    );
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow::anyhow!("a TLS provider was installed before"))?;
    let text = std::fs::read_to_string(&arguments.settings)
        .with_context(|| format!("cannot read {}", arguments.settings.display()))?;
    let settings: Settings =
        serde_json::from_str(&text).context("the settings are not what they should be")?;
    let listener = TcpListener::bind(arguments.listen)
        .with_context(|| format!("cannot listen on {}", arguments.listen))?;
    server::serve(settings, listener)?.await?;
    Ok(())
}
