//! Commands about alarms.

use clap::Subcommand;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum Alarms {
    /// List alarms, newest first.
    List {
        /// Only those of this tenant.
        #[arg(long)]
        tenant: Option<String>,
        /// Only those that are on.
        #[arg(long)]
        raised: bool,
        /// Only those of this kind: `success_rate`, `provider_errors` or `latency`.
        #[arg(long)]
        kind: Option<String>,
    },
    /// Print what a tenant is watched for; with `--output json` also what is on.
    Get {
        /// Tenant.
        tenant: String,
    },
    /// Replace what a tenant is watched for, unless somebody else did meanwhile.
    Set {
        /// Tenant.
        tenant: String,
        /// File with the thresholds, as `alarms get` prints them; `-` reads standard input.
        thresholds: PathBuf,
    },
}
