//! `cargo xtask lint`, and the checks it shares with `cargo xtask test`.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::Context as _;

use crate::commands::test::tally::Tally;
use crate::context::Context;
use crate::tools::find_on_path;
use crate::tools::python::Venv;
use crate::ui::{Progress, Tone, tail};

const TEMPLATES: &str = "src/provisioning/templates";

pub(crate) fn run(context: &Context) -> anyhow::Result<ExitCode> {
    let mut tally = Tally::default();
    context
        .ui
        .step("format", |progress| format(context, &mut tally, progress))?;
    context.ui.step("clippy", |progress| {
        clippy(context, &["--workspace"], &mut tally, progress)
    })?;
    let venv = context
        .ui
        .step("Python tools", |progress| Venv::ready(context, progress))?;
    context.ui.step("templates", |progress| {
        templates(context, &venv, &mut tally, progress)
    })?;
    context.ui.step("dependencies", |progress| {
        dependencies(context, &mut tally, progress)
    })?;
    tally.report(&context.ui);
    Ok(if tally.failed() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// rustfmt.
pub(crate) fn format(context: &Context, tally: &mut Tally, progress: &Progress) -> anyhow::Result<()> {
    let mut command = context.processes.command(Context::cargo());
    command.args(["fmt", "--all", "--check"]);
    check(context, "format", "cargo fmt --all", command, tally, progress)
}

/// Clippy with every warning an error.
pub(crate) fn clippy(
    context: &Context,
    selection: &[&str],
    tally: &mut Tally,
    progress: &Progress,
) -> anyhow::Result<()> {
    let mut command = context.processes.command(Context::cargo());
    command
        .arg("clippy")
        .args(selection)
        .args(["--all-targets", "--", "-D", "warnings"]);
    check(context, "clippy", "the messages above", command, tally, progress)
}

/// cfn-lint over every template.
pub(crate) fn templates(
    context: &Context,
    venv: &Venv,
    tally: &mut Tally,
    progress: &Progress,
) -> anyhow::Result<()> {
    let folder = context.root.join(TEMPLATES);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .with_context(|| format!("cannot read {}", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    for file in &files {
        let shown = context.shown(file);
        let mut command = context.processes.command(venv.program("cfn-lint"));
        command.arg("--").arg(file);
        check(
            context,
            &format!("cfn-lint {shown}"),
            "the messages above",
            command,
            tally,
            progress,
        )?;
    }
    progress.set_note(format!("{} templates", files.len()));
    Ok(())
}

/// Licences, bans and sources of every dependency, where cargo-deny is installed.
fn dependencies(context: &Context, tally: &mut Tally, progress: &Progress) -> anyhow::Result<()> {
    if find_on_path("cargo-deny").is_none() {
        progress.set_note("skipped: no cargo-deny");
        tally.miss("cargo deny", "cargo install --locked cargo-deny");
        return Ok(());
    }
    let mut command = context.processes.command(Context::cargo());
    command.args(["deny", "--offline", "check", "bans", "licenses", "sources"]);
    check(context, "cargo deny", "deny.toml", command, tally, progress)
}

/// Runs one check and counts it; what it printed is shown when it fails.
pub(crate) fn check(
    context: &Context,
    name: &str,
    mends: &str,
    mut command: Command,
    tally: &mut Tally,
    progress: &Progress,
) -> anyhow::Result<()> {
    let log = context.fresh_log(name.split(' ').next().unwrap_or(name))?;
    progress.follow(&log);
    let status = context
        .processes
        .run_status(name, command.current_dir(&context.root), &log)?;
    if status.success() {
        tally.pass();
    } else {
        context.ui.interject(Tone::Plain, &tail(&log, 200));
        context
            .ui
            .interject(Tone::Bad, &format!("{name} failed; mend it with: {mends}"));
        tally.fail(name);
    }
    Ok(())
}
