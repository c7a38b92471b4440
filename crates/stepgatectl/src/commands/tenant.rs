//! `stepgatectl tenant`: deleted, restored, its users exported, purged.

use crate::{
    args::{Export, ExportFormat, Purge, Tenant},
    output::{self, Print},
};
use anyhow::Context as _;
use serde_json::{Value, json};
use std::{fs, io::Write, os::unix::fs::OpenOptionsExt as _, path::Path, process::ExitCode};
use stepgate_client::{Body, Client, types::AcceptedTenant};

pub(super) async fn run(client: &Client, print: &Print, command: Tenant) -> anyhow::Result<ExitCode> {
    match command {
        Tenant::Delete { tenant, yes } => {
            anyhow::ensure!(yes, "deleting a tenant locks all its users out: add --yes");
            finish(client, print, client.delete_tenant(&tenant).await?, true).await
        }
        Tenant::Restore { tenant, reason } => {
            let made = client
                .restore_tenant(&tenant, &json!({ "reason": reason }))
                .await?;
            finish(client, print, made, true).await
        }
        Tenant::Export(asked) => export(client, &asked).await,
        Tenant::Purge(asked) => {
            let made = client.purge_tenant(&asked.tenant, &body(&asked)).await;
            finish(client, print, made.map_err(output::refused)?, !asked.no_wait).await
        }
    }
}

fn body(asked: &Purge) -> Value {
    let mut body = json!({
        "reason": asked.reason,
        "retain_user_pool": !asked.delete_users,
        "without_export": asked.without_export,
        "before_its_time": asked.before_its_time,
    });
    if let Some(confirm) = &asked.confirm {
        body["confirm"] = json!(confirm);
    }
    body
}

async fn finish(
    client: &Client,
    print: &Print,
    mut made: AcceptedTenant,
    waits: bool,
) -> anyhow::Result<ExitCode> {
    if waits {
        made.operation = client.wait(&made.operation.id, output::progress).await?;
        made.tenant = client.get_tenant(&made.tenant.id).await?;
    }
    output::result(print, &made, || {
        let mut text = format!(
            "{}  {}  {}\n{}",
            made.tenant.id,
            made.tenant.name,
            made.tenant.state,
            output::operation_text(&made.operation)
        );
        if let Some(report) = made
            .operation
            .rest
            .get("report")
            .filter(|report| !report.is_null())
        {
            text.push('\n');
            text.push_str(&serde_json::to_string_pretty(report).unwrap_or_default());
        }
        text
    })?;
    Ok(if waits {
        output::code_of(&made.operation)
    } else {
        ExitCode::SUCCESS
    })
}

async fn export(client: &Client, asked: &Export) -> anyhow::Result<ExitCode> {
    let format = match asked.format {
        ExportFormat::Ndjson => "ndjson",
        ExportFormat::Csv => "csv",
    };
    let path = format!("/v1/tenants/{}/users:export", asked.tenant);
    let call = client
        .call("POST".parse().context("a method")?, &path)
        .body(&json!({ "format": format, "reason": asked.reason }));
    match &asked.to {
        None => copy(call.stream().await?, &mut std::io::stdout().lock()).await?,
        Some(file) => {
            let cannot = || format!("{} cannot be written", file.display());
            let mut open = fs::OpenOptions::new();
            let mut opened = open
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(file)
                .with_context(cannot)?;
            let copied = async {
                copy(call.stream().await?, &mut opened).await?;
                opened.sync_all().with_context(cannot)
            };
            if let Err(error) = copied.await {
                give_up(file);
                return Err(error);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn copy(mut body: Body, to: &mut impl Write) -> anyhow::Result<()> {
    while let Some(part) = body.next().await? {
        to.write_all(&part).context("the export cannot be written")?;
    }
    to.flush().context("the export cannot be written")
}

/// A part of the users is not to be taken for all of them.
fn give_up(file: &Path) {
    if let Err(error) = fs::remove_file(file) {
        eprintln!(
            "{} is not complete, and cannot be removed: {error}",
            file.display()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Purge {
        Purge {
            tenant: "tnt_1".into(),
            delete_users: false,
            without_export: false,
            before_its_time: false,
            confirm: None,
            reason: "ended".into(),
            no_wait: false,
        }
    }

    #[test]
    fn users_stay_unless_it_is_said_that_they_do_not() {
        assert_eq!(
            body(&asked()),
            json!({ "reason": "ended", "retain_user_pool": true, "without_export": false, "before_its_time": false })
        );
        let asked = Purge {
            delete_users: true,
            confirm: Some("c0ffee".into()),
            ..asked()
        };
        let body = body(&asked);
        assert_eq!(
            (&body["retain_user_pool"], &body["confirm"]),
            (&json!(false), &json!("c0ffee"))
        );
    }
}
