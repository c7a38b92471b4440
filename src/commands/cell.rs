//! `stepgate cell`: puts up and updates the shared parts of a cell.

use crate::{
    config::Config,
    context::Context,
    domain::{
        actor::OperatorScope,
        cell::{Architecture, CellAccess},
    },
    ids::TenantId,
    provisioning::{
        cell::{CellRequest, apply, plan::plan},
        rebuild::{RebuildRequest, rebuild},
    },
};
use clap::{Args, Subcommand};
use std::{path::PathBuf, process::ExitCode};

/// Exit code of `stepgate cell plan` when `apply` would change something; 0 is that it would not, 1 a failure.
const PLAN_HAS_CHANGES: u8 = 2;

/// What can be done to cells.
#[derive(Debug, Subcommand)]
pub enum CellCommand {
    /// Print the registered cells as JSON.
    List,
    /// Say what `apply` with the same arguments would change, without changing it.
    ///
    /// For people, or with `--json` for programs. Exit codes: 0 nothing would change, 2 something would, 1 it could not
    /// be found out.
    Plan(PlanArgs),
    /// Put up a cell, or bring it to what is asked.
    ///
    /// Creates the stack `stepgate-cell-NAME`, or changes it through a change set, uploads the trigger artifacts that are
    /// not there yet, registers the cell, and a release of triggers and template. A first release is what tenants get;
    /// a later one reaches them by a rollout. Repeating it changes nothing. Progress goes to standard error, the cell as JSON to
    /// standard output. AWS access comes from the SDK's standard variables (AWS_PROFILE, AWS_ACCESS_KEY_ID, …).
    Apply(ApplyArgs),
    /// Print what the roles of the API, the worker and the functions may do in a cell; needs no access to anything.
    Policy(super::cell_policy::PolicyArgs),
    /// Find the tenants of a registered cell in AWS, and give those a row that have none: for an installation whose
    /// database is lost.
    ///
    /// Without `--apply` it only tells, as JSON on standard output. It changes nothing in AWS and no row that is there.
    Rebuild(RebuildArgs),
}

/// Arguments of `stepgate cell plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    wanted: ApplyArgs,
    /// Print the plan as JSON.
    #[arg(long)]
    json: bool,
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
    /// Role that leads into the cell's account; by default the credentials belong to it.
    #[arg(long, value_name = "ARN")]
    role_arn: Option<String>,
    /// External id that the role's trust policy asks for.
    #[arg(long, value_name = "ID", requires = "role_arn")]
    external_id: Option<String>,
}

impl From<ApplyArgs> for CellRequest {
    fn from(arguments: ApplyArgs) -> Self {
        let ApplyArgs { external_id, .. } = arguments;
        Self {
            name: arguments.name,
            region: arguments.region,
            access: arguments.role_arn.map(|role_arn| CellAccess {
                role_arn,
                external_id,
            }),
            architecture: arguments.architecture,
            artifacts: arguments.artifacts,
            allowed_provider_networks: arguments.allowed_provider_networks,
        }
    }
}

fn parse_architecture(text: &str) -> Result<Architecture, String> {
    text.parse().map_err(|_| "must be arm64 or x86_64".to_owned())
}

/// Runs the command.
pub async fn run(config: Config, command: CellCommand) -> anyhow::Result<ExitCode> {
    let context = Context::connect(config).await?;
    context.db.check_schema().await?;
    match command {
        CellCommand::List => {
            let scope = OperatorScope::command_line();
            let mut tx = context.db.begin(&scope).await?;
            super::print_json(&crate::storage::cells::list(&mut tx, &scope).await?)?;
        }
        CellCommand::Plan(PlanArgs { wanted, json }) => {
            let plan = plan(&context, &wanted.into()).await?;
            if json {
                super::print_json(&plan)?;
            } else {
                #[expect(clippy::print_stdout, reason = "the result of a command")]
                for line in plan.lines() {
                    println!("{line}");
                }
            }
            if plan.changes() {
                return Ok(ExitCode::from(PLAN_HAS_CHANGES));
            }
        }
        CellCommand::Policy(arguments) => super::cell_policy::run(arguments)?,
        CellCommand::Apply(arguments) => {
            #[expect(clippy::print_stderr, reason = "progress of a command")]
            let mut progress = |text| eprintln!("{text}");
            let cell = apply(&context, &arguments.into(), &mut progress).await?;
            super::print_json(&cell)?;
        }
        CellCommand::Rebuild(arguments) => {
            let request = RebuildRequest {
                region: arguments.region,
                tenant_id: arguments.tenant,
                apply: arguments.apply,
            };
            super::print_json(&rebuild(&context, &request).await?)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
