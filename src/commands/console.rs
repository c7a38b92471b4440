//! `stepgate console`: a way into the console of a demonstration.

use crate::{Context, config::Config, usecases::console_sessions};
use anyhow::anyhow;
use clap::Subcommand;
use serde_json::json;

/// What can be done for the console.
#[derive(Debug, Subcommand)]
pub enum ConsoleCommand {
    /// Print the path of a page that signs an operator in, once; only where STEPGATE_CONSOLE_DEMO_LINK is on.
    Link,
}

/// Runs the command.
pub async fn run(config: Config, command: ConsoleCommand) -> anyhow::Result<()> {
    let ConsoleCommand::Link = command;
    let context = Context::connect(config).await?;
    context.db.check_schema().await?;
    let (link, expires_at) =
        console_sessions::make_link(&context)
            .await
            .map_err(|error| match error.cause() {
                None => anyhow!("{}", error.detail()),
                Some(_) => error.into(),
            })?;
    let path = format!("/console/enter/{}", link.reveal());
    super::print_json(&json!({"path": path, "expires_at": expires_at}))
}
