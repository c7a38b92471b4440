//! `stepgate keys`: the first operator key.

use crate::{Context, config::Config, usecases};
use anyhow::anyhow;
use clap::Subcommand;
use serde_json::json;

/// What can be done to keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make the first operator key and print it once; refused when there is one.
    Bootstrap,
}

/// Runs the command.
pub async fn run(config: Config, command: KeysCommand) -> anyhow::Result<()> {
    let KeysCommand::Bootstrap = command;
    let context = Context::connect(config).await?;
    context.db.check_schema().await?;
    let new = usecases::api_keys::bootstrap(&context)
        .await
        .map_err(|error| match error.cause() {
            None => anyhow!("{}", error.detail()),
            Some(_) => error.into(),
        })?;
    super::print_json(&json!({"id": new.key.id, "key": new.presented.reveal()}))
}
