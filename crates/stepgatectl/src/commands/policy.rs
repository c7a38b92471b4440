//! `stepgatectl policy`.

use crate::{
    args::Policy,
    output::{self, Print},
};
use anyhow::Context as _;
use serde_json::{Map, Value, json};
use std::{path::Path, process::ExitCode};
use step_up::policy;
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
            document,
        } => {
            if let Some(path) = document {
                return diff_document(client, print, (&tenant, &app), &path, against).await;
            }
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
            user,
            action,
            document,
        } => {
            let mut attributes = match user {
                Some(path) => serde_json::from_value::<Map<String, Value>>(super::read_json(&path)?)
                    .with_context(|| format!("{} is not a JSON object", path.display()))?,
                None => Map::new(),
            };
            attributes.extend(attribute.into_iter().map(|(name, value)| (name, json!(value))));
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

/// What a document would change. The service and the functions read policies by the same code, so the comparison is theirs.
async fn diff_document(
    client: &Client,
    print: &Print,
    (tenant, app): (&str, &str),
    path: &Path,
    against: Option<i64>,
) -> anyhow::Result<ExitCode> {
    let ours = policy::parse_str(&super::read(path)?)
        .with_context(|| format!("{} is not a policy document", path.display()))?;
    let (against, theirs, in_force) = if let Some(version) = against {
        let found = client
            .get_policy_version(tenant, app, &version.to_string())
            .await?;
        (version, found["document"].clone(), true)
    } else {
        let newest = client.get_policy(tenant, app).await?;
        (newest.version, newest.document, newest.in_force)
    };
    if !in_force {
        eprintln!("version {against} is the newest, and the triggers do not have it yet");
    }
    let theirs = policy::parse(&theirs).context("this program is older than the policy in force")?;
    let changes = policy::diff(&theirs, &ours);
    let result = json!({ "against": against, "version": null, "changes": changes });
    output::result(print, &result, || {
        if changes.is_empty() {
            format!("version {against} says so already")
        } else {
            pretty(&result["changes"])
        }
    })?;
    Ok(ExitCode::SUCCESS)
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
    // Fields that a document leaves out have their defaults in the stored one.
    let same = match (policy::parse(&current.document), policy::parse(&document)) {
        (Ok(theirs), Ok(ours)) => policy::diff(&theirs, &ours).is_empty(),
        _ => current.document == document,
    };
    if same {
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
