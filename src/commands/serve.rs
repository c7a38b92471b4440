//! `stepgate serve`: serves the API until a stop signal.

use crate::{Context, api, config::Config};
use anyhow::Context as _;
use std::net::TcpListener;

/// Serves until a stop signal; then takes no new connections and lets running requests finish for the
/// configured time.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let listen = config.listen;
    let context = Context::connect(config).await?;
    context.db.check_schema().await?;
    let listener = TcpListener::bind(listen).with_context(|| format!("cannot listen on {listen}"))?;
    let address = listener.local_addr()?;
    let server = api::server::build(context, listener)?;
    let handle = server.handle();
    tracing::info!(%address, "serving");
    let stopper = tokio::spawn(async move {
        let result = super::stop_signal().await;
        tracing::info!("stopping");
        handle.stop(true).await;
        result
    });
    server.await?;
    stopper.await??;
    tracing::info!("stopped");
    Ok(())
}
