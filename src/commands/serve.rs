//! `stepgate serve`: serves the API until a stop signal.

use crate::{
    Context,
    api::{self, draining::Draining},
    config::Config,
};
use anyhow::Context as _;
use std::net::TcpListener;

/// Serves until a stop signal; then is not ready but still answers for the configured delay, and after that takes no
/// new connections and lets running requests finish for the configured time.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let (listen, delay) = (config.listen, config.shutdown_delay);
    let context = Context::connect(config).await?;
    context.db.check_schema().await?;
    super::serve_metrics(&context, "serve")?;
    let listener = TcpListener::bind(listen).with_context(|| format!("cannot listen on {listen}"))?;
    let address = listener.local_addr()?;
    let draining = Draining::default();
    let server = api::server::build(context, listener, draining.clone())?;
    let handle = server.handle();
    tracing::info!(%address, "serving");
    let stopper = tokio::spawn(async move {
        let result = super::stop_signal().await;
        draining.begin();
        tracing::info!(delay_s = delay.as_secs(), "stopping");
        tokio::time::sleep(delay).await;
        handle.stop(true).await;
        result
    });
    server.await?;
    stopper.await??;
    tracing::info!("stopped");
    Ok(())
}
