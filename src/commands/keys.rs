//! `stepgate keys`: the first operator key, and the installation's encryption keys.

use crate::{Context, config::Config, encryption::EncryptionKeys, ids::IdSource, usecases};
use anyhow::anyhow;
use clap::Subcommand;
use secrecy::ExposeSecret;
use serde_json::json;

/// What can be done to keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make the first operator key and print it once; refused when there is one.
    Bootstrap,
    /// Print a new encryption key for STEPGATE_ENCRYPTION_KEY. It is kept nowhere.
    GenerateEncryptionKey,
    /// Seal every secret in the database with the present encryption key; older ones are not needed after that.
    Reseal,
}

/// Runs the command.
pub async fn run(command: KeysCommand) -> anyhow::Result<()> {
    match command {
        KeysCommand::Bootstrap => bootstrap().await,
        KeysCommand::GenerateEncryptionKey => {
            // Needs no configuration: the configuration needs it.
            let key = EncryptionKeys::generate(&IdSource::from_os());
            super::print_json(&json!({ "encryption_key": key.expose_secret() }))
        }
        KeysCommand::Reseal => {
            let resealed = usecases::webhooks::reseal_all(&connect().await?)
                .await
                .map_err(readable)?;
            super::print_json(&json!({ "resealed": resealed }))
        }
    }
}

async fn bootstrap() -> anyhow::Result<()> {
    let new = usecases::api_keys::bootstrap(&connect().await?)
        .await
        .map_err(readable)?;
    super::print_json(&json!({"id": new.key.id, "key": new.presented.reveal()}))
}

async fn connect() -> anyhow::Result<Context> {
    let context = Context::connect(Config::load()?).await?;
    context.db.check_schema().await?;
    Ok(context)
}

/// What is wrong in the words that are for whoever gave the command.
fn readable(error: crate::Error) -> anyhow::Error {
    match error.cause() {
        None => anyhow!("{}", error.detail()),
        Some(_) => error.into(),
    }
}
