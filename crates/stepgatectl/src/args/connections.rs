//! Commands about BlockID connections and what comes of them.

use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "\
The new secret is stored beside the one in force and tried by the tenant's own function: it is put in force when BlockID
accepts it, and taken back when it does not. Nobody's sign-in fails meanwhile, as long as BlockID accepts the old one.

Another host, community or issuer makes every link and all evidence void. Such a change is refused at first, with exit
code 3; the refusal says what is lost, and what --confirm must be to have it all the same.")]
pub(crate) struct Rotate {
    /// Tenant.
    pub(crate) tenant: String,
    /// File with the new OAuth client secret; `-` reads standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) client_secret_file: PathBuf,
    /// Another OAuth client id.
    #[arg(long)]
    pub(crate) client_id: Option<String>,
    /// Another host name at 1Kosmos.
    #[arg(long)]
    pub(crate) tenant_dns: Option<String>,
    /// Another community.
    #[arg(long)]
    pub(crate) community: Option<String>,
    /// The issuer that the provider names from now on, when it has changed.
    #[arg(long)]
    pub(crate) issuer: Option<String>,
    /// What a refusal with `confirmation_required` told to repeat.
    #[arg(long, value_name = "TOKEN")]
    pub(crate) confirm: Option<String>,
    /// Why, for the audit log.
    #[arg(long)]
    pub(crate) reason: Option<String>,
    /// Do not wait until it was tried.
    #[arg(long)]
    pub(crate) no_wait: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BlockId {
    /// Show a tenant's connection and its newest change.
    Get {
        /// Tenant.
        tenant: String,
    },
    /// Check a tenant's connection, secret included; exit code 1 when sign-ins cannot work.
    Check {
        /// Tenant.
        tenant: String,
    },
    /// Check a connection before there is a tenant; nothing is kept. Exit code 1 when sign-ins could not work.
    Preflight {
        /// Host name of the tenant at 1Kosmos.
        #[arg(long)]
        tenant_dns: String,
        /// Community name.
        #[arg(long)]
        community: String,
        /// OAuth client id, as registered in AdminX.
        #[arg(long)]
        client_id: String,
        /// File with the OAuth client secret; `-` reads standard input.
        #[arg(long, value_name = "FILE")]
        client_secret_file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum StepUp {
    /// Count started, succeeded, failed and abandoned step-ups; the last 24 hours by default.
    Report {
        /// Tenant; without one everything that the key may see.
        tenant: Option<String>,
        /// From this time on (RFC 3339).
        #[arg(long)]
        from: Option<String>,
        /// Before this time (RFC 3339).
        #[arg(long)]
        to: Option<String>,
        /// Length of the slices: `minute`, `hour` or `day`.
        #[arg(long)]
        step: Option<String>,
        /// Split by `app`, `method`, `outcome`, `reason`, `policy_version` or `trigger_version`.
        #[arg(long)]
        group_by: Option<String>,
        /// Time zone of the days, for example `Europe/Berlin`.
        #[arg(long)]
        time_zone: Option<String>,
        /// Only this app.
        #[arg(long)]
        app: Option<String>,
    },
}
