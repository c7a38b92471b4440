//! `stepgate cell`: puts up and updates the shared parts of a cell.

use crate::{
    config::Config,
    context::Context,
    domain::{actor::OperatorScope, cell::Architecture},
    ids::TenantId,
    provisioning::{
        cell::{CellRequest, apply},
        rebuild::{RebuildRequest, rebuild},
    },
};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// What can be done to cells.
#[derive(Debug, Subcommand)]
pub enum CellCommand {
    /// Print the registered cells as JSON.
    List,
    /// Put up a cell in the account of the AWS credentials, or bring it to what is asked.
    ///
    /// Creates or changes the stack `stepgate-cell-NAME`, uploads the trigger artifacts that are not there yet and
    /// registers the cell. Repeating it changes nothing. Progress goes to standard error, the cell as JSON to
    /// standard output. AWS access comes from the SDK's standard variables (AWS_PROFILE, AWS_ACCESS_KEY_ID, …).
    Apply(ApplyArgs),
    /// Find the tenants of a registered cell in AWS, and give those a row that have none: for an installation whose
    /// database is lost.
    ///
    /// Without `--apply` it only tells, as JSON on standard output. It changes nothing in AWS and no row that is there.
    Rebuild(RebuildArgs),
}

/// Arguments of `stepgate cell rebuild`.
#[derive(Debug, Args)]
pub struct RebuildArgs {
    /// AWS region of the cell, which `stepgate cell apply` has registered.
    #[arg(long, env = "AWS_REGION")]
    region: String,
    /// Only this tenant.
    #[arg(long, value_name = "ID")]
    tenant: Option<TenantId>,
    /// Write the rows.
    #[arg(long)]
    apply: bool,
}

/// Arguments of `stepgate cell apply`.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// Name of the cell: 1 to 32 lower-case letters, digits and inner hyphens. An account and region has one cell.
    #[arg(long)]
    name: String,
    /// AWS region.
    #[arg(long, env = "AWS_REGION")]
    region: String,
    /// Processor of the functions: arm64 or x86_64. The artifacts must be built for it.
    #[arg(long, value_parser = parse_architecture, default_value = "arm64")]
    architecture: Architecture,
    /// Folder with `manifest.json`, `challenge.zip` and `verify.zip`.
    #[arg(long, value_name = "DIR")]
    artifacts: PathBuf,
    /// Network beside the public internet in which BlockID providers may be; may be given several times. What is
    /// not given is no longer allowed.
    #[arg(long = "allowed-provider-network", value_name = "CIDR")]
    allowed_provider_networks: Vec<ipnet::IpNet>,
}

fn parse_architecture(text: &str) -> Result<Architecture, String> {
    text.parse().map_err(|_| "must be arm64 or x86_64".to_owned())
}

/// Runs the command.
pub async fn run(config: Config, command: CellCommand) -> anyhow::Result<()> {
    let context = Context::connect(config).await?;
    context.db.check_schema().await?;
    match command {
        CellCommand::List => {
            let scope = OperatorScope::command_line();
            let mut tx = context.db.begin(&scope).await?;
            super::print_json(&crate::storage::cells::list(&mut tx, &scope).await?)
        }
        CellCommand::Apply(arguments) => {
            let request = CellRequest {
                name: arguments.name,
                region: arguments.region,
                architecture: arguments.architecture,
                artifacts: arguments.artifacts,
                allowed_provider_networks: arguments.allowed_provider_networks,
            };
            #[expect(clippy::print_stderr, reason = "progress of a command")]
            let mut progress = |text| eprintln!("{text}");
            let cell = apply(&context, &request, &mut progress).await?;
            super::print_json(&cell)
        }
        CellCommand::Rebuild(arguments) => {
            let request = RebuildRequest {
                region: arguments.region,
                tenant_id: arguments.tenant,
                apply: arguments.apply,
            };
            super::print_json(&rebuild(&context, &request).await?)
        }
    }
}
