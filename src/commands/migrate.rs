//! `stepgate migrate`: brings the schema to this binary's version, or tells whether it is there.

use crate::{config::Config, storage::Database};
use anyhow::bail;
use clap::Args;
use serde_json::json;

/// Arguments of `stepgate migrate`.
#[derive(Debug, Args)]
pub struct MigrateArgs {
    /// Change nothing: print what is pending as JSON, and fail if anything is.
    #[arg(long)]
    check: bool,
}

/// Runs the migrations that were not run yet; safe to start several times at once (an advisory lock orders them).
///
/// A newer schema is left as it is: after a rollback of the service the older binary has nothing to do here.
pub async fn run(config: Config, arguments: &MigrateArgs) -> anyhow::Result<()> {
    if arguments.check {
        return check(config).await;
    }
    let db = Database::connect_as_owner(&config.database).await?;
    db.migrate().await?;
    tracing::info!(
        version = Database::expected_schema_version(),
        "the schema is up to date"
    );
    Ok(())
}

/// Needs no more rights than `serve` has.
async fn check(config: Config) -> anyhow::Result<()> {
    let db = Database::connect(&config.database).await?;
    let pending = db.pending_migrations().await?;
    super::print_json(&json!({
        "schema_version": db.schema_version().await?,
        "wanted_schema_version": Database::expected_schema_version(),
        "pending": pending,
    }))?;
    if !pending.is_empty() {
        bail!("{} migrations are pending: run `stepgate migrate`", pending.len());
    }
    Ok(())
}
