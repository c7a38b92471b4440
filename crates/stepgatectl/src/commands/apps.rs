//! `stepgatectl apps`.

use crate::{
    args::Apps,
    output::{self, Print},
};
use anyhow::Context as _;
use serde_json::{Value, json};
use std::process::ExitCode;
use stepgate_client::{Client, types::AcceptedApp};

pub(super) async fn run(client: &Client, print: &Print, command: Apps) -> anyhow::Result<ExitCode> {
    match command {
        Apps::List { tenant } => {
            let page = client.list_apps(&tenant, &[("limit", "200")]).await?;
            output::result(print, &page, || {
                let lines: Vec<_> = page
                    .items
                    .iter()
                    .map(|app| {
                        let client_id = app.client_id.as_deref().unwrap_or("no client yet");
                        format!("{}  {}  {client_id}", app.id, app.name)
                    })
                    .collect();
                lines.join("\n")
            })?;
            Ok(ExitCode::SUCCESS)
        }
        Apps::Create {
            tenant,
            name,
            origin,
            policy,
        } => {
            let mut body = json!({ "name": name, "allowed_origins": origin });
            if let Some(path) = policy {
                body["policy"] = super::read_json(&path)?;
            }
            let made = client.create_app(&tenant, &body).await?;
            finish(client, print, made).await
        }
        Apps::Update { tenant, app, change } => {
            let change = super::read_json(&change)?;
            let revision = client.get_app(&tenant, &app).await?.revision;
            let made = client.update_app(&tenant, &app, revision, &change).await?;
            finish(client, print, made).await
        }
        Apps::Delete { tenant, app, yes } => {
            anyhow::ensure!(yes, "deleting an app ends every sign-in through it: add --yes");
            let made = client.delete_app(&tenant, &app).await?;
            let ended = client.wait(&made.operation.id, output::progress).await?;
            output::result(print, &ended, || output::operation_text(&ended))?;
            Ok(output::code_of(&ended))
        }
        Apps::Integration { tenant, app, snippet } => {
            let found = client.get_app_integration(&tenant, &app).await?;
            match snippet {
                Some(id) => {
                    let snippets = found["snippets"]
                        .as_array()
                        .map(Vec::as_slice)
                        .unwrap_or_default();
                    let ids: Vec<_> = snippets.iter().filter_map(|one| one["id"].as_str()).collect();
                    let one = snippets.iter().find(|one| one["id"] == id.as_str());
                    let one =
                        one.with_context(|| format!("there is no snippet `{id}`, but: {}", ids.join(", ")))?;
                    output::result(print, one, || one["code"].as_str().unwrap_or_default().to_owned())?;
                }
                None => output::result(print, &found, || integration_text(&found))?,
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Waits for the work on an app and shows the app as it then is.
async fn finish(client: &Client, print: &Print, made: AcceptedApp) -> anyhow::Result<ExitCode> {
    let ended = client.wait(&made.operation.id, output::progress).await?;
    let app = client.get_app(&made.app.tenant_id, &made.app.id).await?;
    let result = json!({ "app": app, "operation": ended });
    output::result(print, &result, || {
        let client_id = app.client_id.as_deref().unwrap_or("no client yet");
        format!("{}  {}  {client_id}  revision {}", app.id, app.name, app.revision)
    })?;
    Ok(output::code_of(&ended))
}

fn integration_text(found: &Value) -> String {
    let field = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let mut lines = vec![
        format!("region                   {}", field(&found["region"])),
        format!("user pool                {}", field(&found["user_pool_id"])),
        format!("client                   {}", field(&found["client_id"])),
        format!(
            "issuer                   {}",
            field(&found["endpoints"]["issuer"])
        ),
        format!(
            "Content-Security-Policy  {}",
            field(&found["browser"]["content_security_policy"])
        ),
        format!(
            "Permissions-Policy       {}",
            field(&found["browser"]["permissions_policy"])
        ),
    ];
    for note in found["notes"].as_array().into_iter().flatten() {
        lines.push(format!("note: {}", field(&note["text"])));
    }
    for snippet in found["snippets"].as_array().into_iter().flatten() {
        lines.push(format!(
            "snippet {}: {}",
            field(&snippet["id"]),
            field(&snippet["title"])
        ));
    }
    lines.join("\n")
}
