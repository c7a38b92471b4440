//! `stepgatectl operations`.

use crate::{
    args::Operations,
    output::{self, Print},
};
use serde_json::json;
use std::process::ExitCode;
use stepgate_client::Client;

pub(super) async fn run(client: &Client, print: &Print, command: Operations) -> anyhow::Result<ExitCode> {
    match command {
        Operations::List { tenant, state, kind } => {
            let filters = [("tenant_id", &tenant), ("state", &state), ("kind", &kind)];
            let query: Vec<_> = filters
                .iter()
                .filter_map(|(name, value)| value.as_deref().map(|value| (*name, value)))
                .collect();
            let page = client.list_operations(&query).await?;
            output::result(print, &page, || {
                let lines: Vec<_> = page
                    .items
                    .iter()
                    .map(|one| format!("{}  {:<15} {:<10} {}", one.id, one.kind, one.state, one.tenant_id))
                    .collect();
                lines.join("\n")
            })?;
            Ok(ExitCode::SUCCESS)
        }
        Operations::Get { operation } => {
            let found = client.get_operation(&operation).await?;
            output::result(print, &found, || output::operation_text(&found))?;
            Ok(ExitCode::SUCCESS)
        }
        Operations::Watch { operation } => {
            let ended = client.wait(&operation, output::progress).await?;
            output::result(print, &ended, || output::operation_text(&ended))?;
            Ok(output::code_of(&ended))
        }
        Operations::Cancel { operation, reason } => {
            let cancelled = client
                .cancel_operation(&operation, &json!({ "reason": reason }))
                .await?;
            output::result(print, &cancelled, || output::operation_text(&cancelled))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
