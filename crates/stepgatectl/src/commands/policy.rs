//! `stepgatectl policy`.

use crate::{
    args::Policy,
    output::{self, Print},
};
use serde_json::{Map, Value, json};
use std::{path::Path, process::ExitCode};
use stepgate_client::Client;

pub(super) async fn run(client: &Client, print: &Print, command: Policy) -> anyhow::Result<ExitCode> {
    match command {
        Policy::Get { tenant, app } => {
            let policy = client.get_policy(&tenant, &app).await?;
            output::result(print, &policy, || pretty(&policy.document))?;
            Ok(ExitCode::SUCCESS)
        }
        Policy::Apply {
            tenant,
            app,
            document,
            no_wait,
        } => apply(client, print, (&tenant, &app), &document, no_wait).await,
        Policy::Validate {
            tenant,
            app,
            document,
        } => {
            let body = json!({ "document": super::read_json(&document)? });
            let report = client.validate_policy(&tenant, &app, &body).await?;
            let valid = report["valid"] == true;
            output::result(print, &report, || {
                let head = if valid { "acceptable" } else { "not acceptable" };
                [
                    head.to_owned(),
                    findings(&report["errors"]),
                    findings(&report["warnings"]),
                ]
                .join("\n")
            })?;
            Ok(if valid {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(output::NO)
            })
        }
        Policy::Diff {
            tenant,
            app,
            version,
            against,
        } => {
            let version = match version {
                Some(version) => version,
                None => client.get_policy(&tenant, &app).await?.version,
            };
            let against = against.unwrap_or(version - 1);
            let (version, against) = (version.to_string(), against.to_string());
            let diff = client
                .diff_policy_versions(&tenant, &app, &version, &against)
                .await?;
            output::result(print, &diff, || pretty(&diff["changes"]))?;
            Ok(ExitCode::SUCCESS)
        }
        Policy::Simulate {
            tenant,
            app,
            attribute,
            action,
            document,
        } => {
            let attributes: Map<String, Value> = attribute
                .into_iter()
                .map(|(name, value)| (name, json!(value)))
                .collect();
            let mut body = json!({ "attributes": attributes });
            if let Some(action) = action {
                body["action"] = json!(action);
            }
            if let Some(path) = document {
                body["document"] = super::read_json(&path)?;
            }
            let simulated = client.simulate_policy(&tenant, &app, &body).await?;
            output::result(print, &simulated, || {
                format!(
                    "rule {} decides: {}",
                    simulated["rule"],
                    pretty(&simulated["decision"])
                )
            })?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn apply(
    client: &Client,
    print: &Print,
    (tenant, app): (&str, &str),
    document: &Path,
    no_wait: bool,
) -> anyhow::Result<ExitCode> {
    let document = super::read_json(document)?;
    let current = client.get_policy(tenant, app).await?;
    if current.document == document {
        output::result(print, &current, || {
            format!("version {} says so already", current.version)
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut written = client.put_policy(tenant, app, current.version, &document).await?;
    if !no_wait {
        written.operation = client.wait(&written.operation.id, output::progress).await?;
    }
    output::result(print, &written, || {
        let head = format!("version {}: {}", written.policy.version, written.operation.state);
        [head, findings(&json!(written.warnings))].join("\n")
    })?;
    Ok(if no_wait {
        ExitCode::SUCCESS
    } else {
        output::code_of(&written.operation)
    })
}

fn findings(list: &Value) -> String {
    let lines = list.as_array().into_iter().flatten().map(|finding| {
        let text = |name: &str| finding[name].as_str().unwrap_or_default();
        format!("  {} {}: {}", text("code"), text("pointer"), text("message"))
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}
