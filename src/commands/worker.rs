//! `stepgate worker`: runs what runs by itself, until a stop signal.

use crate::{config::Config, context::Context};

/// Runs the worker until a stop signal.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let context = Context::connect(config).await?;
    context.db.check_schema().await?;
    super::stop_signal().await
}
