//! The commands, one file each.

mod alarms;
mod apps;
mod blockid;
mod call;
mod drift;
mod onboard;
mod operations;
mod policy;
mod rollout;
mod rotate;
mod status;
mod step_up;
mod tenant;

use crate::{
    args::{Arguments, Command},
    output::{self, Print},
    profile,
};
use anyhow::Context as _;
use clap::CommandFactory as _;
use std::{io::Read as _, path::Path, process::ExitCode};

/// Runs a command.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    if let Command::Completion { shell } = arguments.command {
        clap_complete::generate(
            shell,
            &mut Arguments::command(),
            "stepgatectl",
            &mut std::io::stdout(),
        );
        return Ok(ExitCode::SUCCESS);
    }
    let client = profile::client(arguments.profile.as_deref())?;
    let print = Print {
        output: arguments.output,
        pick: arguments.pick,
    };
    match arguments.command {
        Command::Onboard(onboard) => onboard::run(&client, &print, &onboard).await,
        Command::Status(status) => status::run(&client, &print, &status).await,
        Command::Tenants => status::list(&client, &print).await,
        Command::Drift(asked) => drift::run(&client, &print, &asked).await,
        Command::Tenant(command) => tenant::run(&client, &print, command).await,
        Command::Apps(command) => apps::run(&client, &print, command).await,
        Command::Policy(command) => policy::run(&client, &print, command).await,
        Command::Rotate(rotate) => rotate::run(&client, &print, &rotate).await,
        Command::BlockId(command) => blockid::run(&client, &print, command).await,
        Command::StepUp(command) => step_up::run(&client, &print, command).await,
        Command::Rollout(command) => rollout::run(&client, &print, command).await,
        Command::Alarms(command) => alarms::run(&client, &print, command).await,
        Command::Operations(command) => operations::run(&client, &print, command).await,
        Command::Template { tenant } => template(&client, &print, tenant.as_deref()).await,
        Command::Call {
            method,
            path,
            body,
            if_match,
        } => call::run(&client, &print, (&method, &path), body.as_deref(), if_match).await,
        Command::Completion { .. } => Ok(ExitCode::SUCCESS),
    }
}

async fn template(
    client: &stepgate_client::Client,
    print: &Print,
    tenant: Option<&str>,
) -> anyhow::Result<ExitCode> {
    if let Some(tenant) = tenant {
        let shown = client.get_tenant_template(tenant).await?;
        output::result(print, &shown, || {
            shown["template"].as_str().unwrap_or_default().to_owned()
        })?;
    } else {
        let text = client.get_standalone_template().await?;
        output::result(print, &serde_json::json!({ "template": text }), || text.clone())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A file with a secret, without the end of its line.
fn read_secret(path: &Path) -> anyhow::Result<String> {
    Ok(read(path)?.trim_end_matches(['\r', '\n']).to_owned())
}

/// A file as text; `-` is standard input.
fn read(path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let result = if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map(drop)
    } else {
        std::fs::read_to_string(path).map(|read| text = read)
    };
    result.with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(text)
}

/// A file as JSON; `-` is standard input.
fn read_json(path: &Path) -> anyhow::Result<serde_json::Value> {
    serde_json::from_str(&read(path)?).with_context(|| format!("{} is not JSON", path.display()))
}
