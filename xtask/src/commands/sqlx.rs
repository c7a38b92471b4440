//! `cargo xtask sqlx`: the query metadata in `.sqlx/`.
//!
//! sqlx's macros write a file a query when they are expanded against a live database and told a folder. So: an empty database with all
//! migrations, a `cargo check` of what uses sqlx, and the folder's files are the new `.sqlx/`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, bail};
use clap::Args;

use super::workspace;
use crate::context::Context;
use crate::services::ports::Ports;
use crate::services::postgres::Postgres;
use crate::services::{EnvironmentFile, lock};
use crate::tools::Tools;
use crate::ui::{Progress, Tone};

const DATABASE: &str = "stepgate_sqlx";

/// What `sqlx` may be told.
#[derive(Args)]
pub(crate) struct Options {
    /// Change nothing; fail if the committed files are not what the queries need.
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(context: &Context, options: &Options) -> anyhow::Result<ExitCode> {
    let tools = context
        .ui
        .step("tools", |progress| Tools::ready(context, progress))?;
    let psql = Psql {
        program: tools.postgres.bin.join("psql"),
        server: server(context, &tools)?,
    };
    context
        .ui
        .step("migrations", |progress| migrate(context, &psql, progress))?;
    let fresh = context
        .ui
        .step("cargo check", |progress| expand(context, &psql, progress))?;
    psql.run(
        context,
        "postgres",
        &["-c", &format!("drop database {DATABASE} with (force)")],
    )?;
    let committed_folder = context.root.join(".sqlx");
    let committed = read_folder(&committed_folder)?;
    let changes = differences(&committed, &fresh);
    if changes.is_empty() {
        context.ui.line(
            Tone::Good,
            &format!(".sqlx/ is up to date: {} queries", fresh.len()),
        );
        return Ok(ExitCode::SUCCESS);
    }
    for change in &changes {
        context.ui.line(Tone::Plain, change);
    }
    if options.check {
        context
            .ui
            .line(Tone::Bad, ".sqlx/ is out of date; mend it with: cargo xtask sqlx");
        return Ok(ExitCode::FAILURE);
    }
    write_folder(&committed_folder, &committed, &fresh)?;
    context.ui.line(
        Tone::Good,
        &format!(".sqlx/ now holds {} queries; commit it", fresh.len()),
    );
    Ok(ExitCode::SUCCESS)
}

/// `psql` on a server given by its URL without a database.
struct Psql {
    program: PathBuf,
    server: String,
}

impl Psql {
    fn url(&self, database: &str) -> String {
        format!("{}/{database}", self.server)
    }

    /// The password travels by environment: arguments are public.
    fn run(&self, context: &Context, database: &str, arguments: &[&str]) -> anyhow::Result<()> {
        let (user, password, address) =
            parts(&self.server).context("a database URL has user, password and address")?;
        let mut command = Command::new(&self.program);
        command.args([
            "-X",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            &format!("postgres://{user}@{address}/{database}"),
        ]);
        command.env("PGPASSWORD", password).args(arguments);
        context.processes.text("psql", &mut command).map(drop)
    }
}

/// User, password and address of `postgres://user:password@address`.
fn parts(server: &str) -> Option<(&str, &str, &str)> {
    let (credentials, address) = server.strip_prefix("postgres://")?.split_once('@')?;
    let (user, password) = credentials.split_once(':')?;
    Some((user, password, address))
}

/// A Postgres of our own, or that of the `cargo xtask services` that runs in this clone.
fn server(context: &Context, tools: &Tools) -> anyhow::Result<String> {
    let url = match lock::try_take(context, "sqlx")? {
        None => {
            let ports = Ports::free();
            let start = |progress: &Progress| Postgres::start(context, &tools.postgres, &ports, progress);
            context.ui.step("Postgres", start)?.url("postgres")
        }
        Some(holder) => EnvironmentFile::read(context, "STEPGATE_TEST_DATABASE_URL").with_context(|| {
            format!(
                "`cargo xtask {}` (pid {}) runs in this clone: end it first",
                holder.command, holder.pid
            )
        })?,
    };
    let (server, _database) = url.rsplit_once('/').context("a database URL has a database")?;
    Ok(server.to_owned())
}

fn migrate(context: &Context, psql: &Psql, progress: &Progress) -> anyhow::Result<()> {
    psql.run(
        context,
        "postgres",
        &["-c", &format!("drop database if exists {DATABASE} with (force)")],
    )?;
    psql.run(
        context,
        "postgres",
        &["-c", &format!("create database {DATABASE}")],
    )?;
    let folder = context.root.join("migrations");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .with_context(|| format!("cannot read {}", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| is_forward_migration(path))
        .collect();
    files.sort();
    for file in &files {
        let path = file.to_str().context("the clone's path is not UTF-8")?;
        psql.run(context, DATABASE, &["--single-transaction", "-f", path])
            .with_context(|| format!("{} cannot be applied", context.shown(file)))?;
    }
    progress.set_note(format!("{} applied", files.len()));
    Ok(())
}

fn is_forward_migration(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".sql") && !name.ends_with(".down.sql")
}

/// Expands every query against the database and hands back the metadata by file name.
fn expand(context: &Context, psql: &Psql, progress: &Progress) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let folder = context.state().join("sqlx");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut users = workspace::members(context)?;
    users.retain(|member| member.dependencies.iter().any(|name| name == "sqlx"));
    if users.is_empty() {
        bail!("no package of the workspace uses sqlx");
    }
    let mut command = context.processes.command(Context::cargo());
    // The whole workspace: with fewer packages, their dependencies would be checked once more with fewer features.
    command
        .args(["check", "--workspace", "--all-targets"])
        .current_dir(&context.root);
    command
        .env("SQLX_OFFLINE", "false")
        .env("SQLX_OFFLINE_DIR", &folder)
        .env("DATABASE_URL", psql.url(DATABASE));
    let log = context.fresh_log("sqlx")?;
    touch_roots(&users)?;
    let checked = context.processes.run("cargo check", command, &log, progress);
    // What was checked against the database must not pass for checked against `.sqlx/`.
    touch_roots(&users)?;
    checked?;
    let fresh = read_folder(&folder)?;
    progress.set_note(format!("{} queries", fresh.len()));
    Ok(fresh)
}

/// Makes cargo check every target of `members` again, without changing any.
fn touch_roots(members: &[workspace::Member]) -> anyhow::Result<()> {
    #[expect(
        clippy::disallowed_methods,
        reason = "cargo compares file times with the real clock"
    )]
    let now = std::time::SystemTime::now();
    for root in members.iter().flat_map(|member| &member.roots) {
        let touched = File::options()
            .append(true)
            .open(root)
            .and_then(|file| file.set_modified(now));
        touched.with_context(|| format!("cannot touch {}", root.display()))?;
    }
    Ok(())
}

/// The metadata files of a folder; none when it does not exist.
fn read_folder(folder: &Path) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(files);
    };
    for entry in entries {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name.starts_with("query-") && path.extension().is_some_and(|extension| extension == "json") {
            files.insert(
                name,
                fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?,
            );
        }
    }
    Ok(files)
}

fn differences(committed: &BTreeMap<String, Vec<u8>>, fresh: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let gone = committed
        .keys()
        .filter(|name| !fresh.contains_key(*name))
        .map(|name| format!("  - {name}"));
    let changed = fresh
        .iter()
        .filter_map(|(name, bytes)| match committed.get(name) {
            None => Some(format!("  + {name}")),
            Some(before) if before != bytes => Some(format!("  ~ {name}")),
            Some(_) => None,
        });
    gone.chain(changed).collect()
}

fn write_folder(
    folder: &Path,
    committed: &BTreeMap<String, Vec<u8>>,
    fresh: &BTreeMap<String, Vec<u8>>,
) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for name in committed.keys().filter(|name| !fresh.contains_key(*name)) {
        fs::remove_file(folder.join(name)).with_context(|| format!("cannot remove {name}"))?;
    }
    for (name, bytes) in fresh {
        fs::write(folder.join(name), bytes).with_context(|| format!("cannot write {name}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_name_each_file_once() {
        let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, Vec<u8>> {
            pairs
                .iter()
                .map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()))
                .collect()
        };
        let committed = map(&[("a", "1"), ("b", "1"), ("c", "1")]);
        let fresh = map(&[("b", "2"), ("c", "1"), ("d", "1")]);
        assert_eq!(differences(&committed, &fresh), ["  - a", "  ~ b", "  + d"]);
        assert!(differences(&fresh, &fresh).is_empty());
    }

    #[test]
    fn down_migrations_are_not_applied() {
        assert!(is_forward_migration(Path::new("migrations/0001_a.sql")));
        assert!(is_forward_migration(Path::new("migrations/0002_b.up.sql")));
        assert!(!is_forward_migration(Path::new("migrations/0002_b.down.sql")));
        assert!(!is_forward_migration(Path::new("migrations/README.md")));
    }
}
