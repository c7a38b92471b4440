//! `stepgate worker`: runs what runs by itself, until a stop signal.

use crate::{config::Config, context::Context};
use tokio_util::sync::CancellationToken;

/// Runs the worker until a stop signal.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let context = Context::connect(config).await?;
    context.db.check_schema().await?;
    let stop = CancellationToken::new();
    let mut worker = Box::pin(crate::worker::run(&context, stop.clone()));
    tokio::select! {
        () = &mut worker => return Ok(()),
        signal = super::stop_signal() => signal?,
    }
    stop.cancel();
    worker.await;
    Ok(())
}
