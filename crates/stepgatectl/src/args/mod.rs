//! The command line. Its help is written to be read from top to bottom by somebody who has never used it.

mod alarms;
mod connections;
mod rollouts;
mod tenants;

pub(crate) use alarms::Alarms;
pub(crate) use connections::{BlockId, Rotate, StepUp};
pub(crate) use rollouts::{NewRollout, Rollout};
pub(crate) use tenants::{Export, ExportFormat, Purge, Tenant};

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

const AFTER: &str = "\
Where and as whom:
  STEPGATE_URL           address of the API, for example https://stepgate.example
  STEPGATE_API_KEY       API key; or
  STEPGATE_API_KEY_FILE  a file that holds it
  STEPGATE_PROFILE       name of a section in $XDG_CONFIG_HOME/stepgate/profiles.toml (or ~/.config/…):
                           [acme]
                           url = \"https://stepgate.example\"
                           api_key_file = \"/run/secrets/acme\"
  A key is never an argument: arguments are seen by everybody on the machine.

First steps:
  export STEPGATE_URL=… STEPGATE_API_KEY=…
  stepgatectl onboard \"Acme customers\" --tenant-dns acme.1kosmos.net --community default \\
      --client-id acme-portal --client-secret-file secret.txt --app Portal --origin https://portal.acme.example
  stepgatectl apps integration TENANT APP

Exit codes:
  0  done
  1  the operation failed or was cancelled, or the answer is no (a policy that is not valid)
  2  the command line, a file or the profile is at fault
  3  the service refused; the reason is on standard error
  4  no answer from the service, or an error of its own: try again";

/// Onboard tenants, change policies and watch what Stepgate does about it.
#[derive(Debug, Parser)]
#[command(name = "stepgatectl", version, after_help = AFTER)]
pub(crate) struct Arguments {
    /// How results are printed.
    #[arg(long, short, global = true, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
    /// Print only the value at this JSON pointer of the answer, for scripts: `--pick /tenant/id`.
    #[arg(long, global = true, value_name = "POINTER")]
    pub(crate) pick: Option<String>,
    /// Profile to use.
    #[arg(long, global = true, env = "STEPGATE_PROFILE")]
    pub(crate) profile: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Form of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Text,
    /// One JSON document, as the API answered.
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a tenant, wait until users can sign in, and add a first app if you like.
    Onboard(Onboard),
    /// Show a tenant, its apps and what is being done for it.
    Status(Status),
    /// List tenants.
    Tenants,
    /// Show what AWS has of a tenant other than wanted; exit code 1 when there is something.
    Drift(Drift),
    /// The end of a tenant: deleted, restored, its users exported, purged.
    #[command(subcommand)]
    Tenant(Tenant),
    /// Apps of a tenant.
    #[command(subcommand)]
    Apps(Apps),
    /// The step-up policy of an app.
    #[command(subcommand)]
    Policy(Policy),
    /// Change the client secret of a tenant's BlockID connection, or the client, and watch it being tried.
    Rotate(Rotate),
    /// BlockID connections: looked at and checked.
    #[command(subcommand, name = "blockid")]
    BlockId(BlockId),
    /// What became of step-ups.
    #[command(subcommand)]
    StepUp(StepUp),
    /// Rollouts: bring tenants to another release, wave by wave. For operators.
    #[command(subcommand)]
    Rollout(Rollout),
    /// What tenants are watched for, and what was raised.
    #[command(subcommand)]
    Alarms(Alarms),
    /// Accepted work and how far it is.
    #[command(subcommand)]
    Operations(Operations),
    /// Print a CloudFormation template: a tenant's, or the one for deploying by hand.
    Template {
        /// Tenant; without one the standalone template.
        tenant: Option<String>,
    },
    /// Call any operation of the API: `stepgatectl call GET /v1/cells`.
    Call {
        /// HTTP method.
        method: String,
        /// Path, with a query if it has one.
        path: String,
        /// File with the JSON body; `-` reads standard input.
        #[arg(long)]
        body: Option<PathBuf>,
        /// Revision for `If-Match`.
        #[arg(long)]
        if_match: Option<i64>,
    },
    /// Print a completion script: `stepgatectl completion bash > /etc/bash_completion.d/stepgatectl`.
    Completion {
        /// Shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Onboard {
    /// Name of the tenant. Repeating the command with the same name completes what was not finished.
    pub(crate) name: String,
    /// Host name of the tenant at 1Kosmos.
    #[arg(long)]
    pub(crate) tenant_dns: String,
    /// Community name.
    #[arg(long)]
    pub(crate) community: String,
    /// OAuth client id, as registered in AdminX.
    #[arg(long)]
    pub(crate) client_id: String,
    /// File with the OAuth client secret; `-` reads standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) client_secret_file: PathBuf,
    /// File with further fields of the request as JSON, for example `pool`.
    #[arg(long, value_name = "FILE")]
    pub(crate) settings: Option<PathBuf>,
    /// Make a sandbox: nothing of it is protected against deletion.
    #[arg(long)]
    pub(crate) sandbox: bool,
    /// Add an app of this name.
    #[arg(long, value_name = "NAME")]
    pub(crate) app: Option<String>,
    /// Web origin of that app; may be given more than once.
    #[arg(long, requires = "app")]
    pub(crate) origin: Vec<String>,
    /// Do not wait for the work.
    #[arg(long)]
    pub(crate) no_wait: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Tenant.
    pub(crate) tenant: String,
    /// Wait for what is being done, and show its steps as they change.
    #[arg(long, short)]
    pub(crate) watch: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Drift {
    /// Tenant.
    pub(crate) tenant: String,
    /// Have it compared now, and wait for that.
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Apps {
    /// List the apps of a tenant.
    List {
        /// Tenant.
        tenant: String,
    },
    /// Add an app and wait until users can sign in through it.
    Create {
        /// Tenant.
        tenant: String,
        /// Name.
        name: String,
        /// Web origin; may be given more than once.
        #[arg(long)]
        origin: Vec<String>,
        /// File with its first policy.
        #[arg(long)]
        policy: Option<PathBuf>,
    },
    /// Change an app: a JSON object with the fields to change.
    Update {
        /// Tenant.
        tenant: String,
        /// App.
        app: String,
        /// File with the change; `-` reads standard input.
        change: PathBuf,
    },
    /// Delete an app: nobody signs in through it any more.
    Delete {
        /// Tenant.
        tenant: String,
        /// App.
        app: String,
        /// Say it again: the app client id cannot be had back.
        #[arg(long)]
        yes: bool,
    },
    /// Print ids, addresses and code that the app's developer pastes.
    Integration {
        /// Tenant.
        tenant: String,
        /// App.
        app: String,
        /// Print only this snippet, for example `amplify`.
        #[arg(long)]
        snippet: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Print the policy document of an app.
    Get {
        /// Tenant.
        tenant: String,
        /// App.
        app: String,
    },
    /// Put a document in force, unless somebody else changed the policy meanwhile. A document that is there already
    /// changes nothing.
    Apply {
        /// Tenant.
        tenant: String,
        /// App.
        app: String,
        /// File with the document; `-` reads standard input.
        document: PathBuf,
        /// Do not wait until the triggers have it.
        #[arg(long)]
        no_wait: bool,
    },
    /// Check a document without storing it; exit code 1 when it is not acceptable.
    Validate {
        /// Tenant.
        tenant: String,
        /// App.
        app: String,
        /// File with the document.
        document: PathBuf,
    },
    /// Show what changed between two versions, by default the newest and the one before; or what a document of yours
    /// would change.
    Diff {
        /// Tenant.
        tenant: String,
        /// App.
        app: String,
        /// Newer version.
        #[arg(long)]
        version: Option<i64>,
        /// Version to compare with.
        #[arg(long)]
        against: Option<i64>,
        /// Compare this document with the newest version, or with `--against`: what applying it would change.
        #[arg(long, value_name = "FILE", conflicts_with = "version")]
        document: Option<PathBuf>,
    },
    /// Ask what the policy decides about a user, and why.
    Simulate {
        /// Tenant.
        tenant: String,
        /// App.
        app: String,
        /// User attribute as NAME=VALUE; may be given more than once.
        #[arg(long, short, value_parser = name_and_value)]
        attribute: Vec<(String, String)>,
        /// File with the user's attributes, a JSON object; `--attribute` has the last word.
        #[arg(long, value_name = "FILE")]
        user: Option<PathBuf>,
        /// Action to step up for; without one it is a sign-in.
        #[arg(long)]
        action: Option<String>,
        /// Decide by this draft instead of the newest version.
        #[arg(long, value_name = "FILE")]
        document: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Operations {
    /// List operations, newest first.
    List {
        /// Only those of this tenant.
        #[arg(long)]
        tenant: Option<String>,
        /// Only those in this state.
        #[arg(long)]
        state: Option<String>,
        /// Only those of this kind.
        #[arg(long)]
        kind: Option<String>,
    },
    /// Show an operation and its steps.
    Get {
        /// Operation.
        operation: String,
    },
    /// Show steps as they change until the operation has ended; exit code 1 unless it succeeded.
    Watch {
        /// Operation.
        operation: String,
    },
    /// Stop the work on an operation. What was asked for stays asked for.
    Cancel {
        /// Operation.
        operation: String,
        /// Why, for the audit log.
        #[arg(long)]
        reason: String,
    },
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent_and_takes_no_key() {
        let command = Arguments::command();
        command.clone().debug_assert();
        let mut all = vec![command];
        while let Some(one) = all.pop() {
            for argument in one.get_arguments() {
                let long = argument.get_long().unwrap_or_default();
                assert!(!long.contains("key") && !long.ends_with("secret"), "--{long}");
                assert!(
                    argument.get_help().is_some() || long.is_empty(),
                    "--{long} has no help"
                );
            }
            all.extend(one.get_subcommands().cloned());
        }
    }
}
