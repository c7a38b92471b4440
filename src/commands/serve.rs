//! `stepgate serve`: serves the API until a stop signal.

use crate::{Context, config::Config};

/// Serves until a stop signal.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let context = Context::connect(config).await?;
    context.db.check_schema().await?;
    super::stop_signal().await
}
