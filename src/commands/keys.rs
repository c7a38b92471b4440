//! `stepgate keys`: the first operator key.
use crate::config::Config;
use clap::Subcommand;

/// What can be done to keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make the first operator key and print it once; refused when there is one.
    Bootstrap,
}

/// Runs the command.
pub async fn run(config: Config, command: KeysCommand) -> anyhow::Result<()> {
    let KeysCommand::Bootstrap = command;
    let context = crate::Context::connect(config).await?;
    context.db.check_schema().await
}
