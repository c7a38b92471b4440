//! `stepgate migrate`: brings the schema to this binary's version.

use crate::{config::Config, storage::Database};

/// Runs the migrations that were not run yet; safe to start several times at once (an advisory lock orders them).
pub async fn run(config: Config) -> anyhow::Result<()> {
    let db = Database::connect_as_owner(&config.database).await?;
    db.migrate().await?;
    tracing::info!(
        version = Database::expected_schema_version(),
        "the schema is up to date"
    );
    Ok(())
}
