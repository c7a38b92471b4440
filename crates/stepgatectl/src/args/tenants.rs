//! Commands about the end of a tenant.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum Tenant {
    /// Delete a tenant: nobody signs in any more. Nothing is removed, and it can be restored.
    Delete {
        /// Tenant.
        tenant: String,
        /// Say it again: every user of every app of the tenant is locked out.
        #[arg(long)]
        yes: bool,
    },
    /// Restore a deleted tenant.
    Restore {
        /// Tenant.
        tenant: String,
        /// Why, for the audit log.
        #[arg(long)]
        reason: String,
    },
    /// Export all users of a tenant.
    Export(Export),
    /// Remove a deleted tenant for good.
    Purge(Purge),
}

#[derive(Debug, Args)]
#[command(after_help = "\
What is exported is personal data. A file is made readable for its owner alone, and none that is there is written over.
An export that breaks off leaves no file. Passwords cannot be had from Cognito.")]
pub(crate) struct Export {
    /// Tenant.
    pub(crate) tenant: String,
    /// Form of the export.
    #[arg(long, value_enum, default_value_t = ExportFormat::Ndjson)]
    pub(crate) format: ExportFormat,
    /// File to write; without one, standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
    /// Why, for the audit log.
    #[arg(long)]
    pub(crate) reason: String,
}

/// Form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// One JSON object a line.
    Ndjson,
    /// A table for spreadsheets.
    Csv,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The user pool stays in the cell's AWS account unless you say --delete-users, which wants the users exported since the tenant
was deleted, or --without-export. A purge is refused at first, with exit code 3; the refusal says what is lost, and what
--confirm must be.")]
#[expect(clippy::struct_excessive_bools, reason = "switches of a command line")]
pub(crate) struct Purge {
    /// Tenant.
    pub(crate) tenant: String,
    /// Delete the user pool too, with all users and their links.
    #[arg(long)]
    pub(crate) delete_users: bool,
    /// Delete users whom nobody has exported.
    #[arg(long, requires = "delete_users")]
    pub(crate) without_export: bool,
    /// Purge although the tenant could still be restored; for operators.
    #[arg(long)]
    pub(crate) before_its_time: bool,
    /// What a refusal with `confirmation_required` told to repeat.
    #[arg(long, value_name = "TOKEN")]
    pub(crate) confirm: Option<String>,
    /// Why, for the audit log.
    #[arg(long)]
    pub(crate) reason: String,
    /// Do not wait until it is gone.
    #[arg(long)]
    pub(crate) no_wait: bool,
}
