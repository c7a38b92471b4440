//! `stepgate cell`: puts up and updates the shared parts of a cell.

use crate::{config::Config, context::Context};
use clap::Subcommand;

/// What can be done to cells.
#[derive(Debug, Subcommand)]
pub enum CellCommand {
    /// Print the registered cells.
    List,
}

/// Runs the command.
pub async fn run(config: Config, command: CellCommand) -> anyhow::Result<()> {
    let context = Context::connect(config).await?;
    match command {
        CellCommand::List => {
            let scope = crate::domain::actor::OperatorScope::command_line();
            super::print_json(&crate::storage::cells::list(&mut *context.db.acquire().await?, &scope).await?)
        }
    }
}
