//! Building test executables, and running them one after another as cargo would.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::bail;
use serde::Deserialize;

use super::Options;
use super::events::{self, Event};
use super::tally::Tally;
use crate::context::Context;
use crate::ui::{Progress, Tone, tail};

/// One test executable.
pub(crate) struct Executable {
    package: String,
    version: String,
    target: String,
    program: PathBuf,
    manifest: PathBuf,
}

impl Executable {
    /// Package that it tests.
    pub(crate) fn package(&self) -> &str {
        &self.package
    }

    /// Whether it is the package's test target of this name.
    pub(crate) fn is_test(&self, package: &str, target: &str) -> bool {
        self.package == package && self.target == format!("test {target}")
    }
}

#[derive(Deserialize)]
struct CargoMessage {
    reason: String,
    #[serde(default)]
    executable: Option<PathBuf>,
    #[serde(default)]
    manifest_path: PathBuf,
    #[serde(default)]
    target: CargoTarget,
    #[serde(default)]
    profile: CargoProfile,
    #[serde(default)]
    message: CargoDiagnostic,
}

#[derive(Deserialize, Default)]
struct CargoTarget {
    #[serde(default)]
    name: String,
    #[serde(default)]
    kind: Vec<String>,
}

#[derive(Deserialize, Default)]
struct CargoProfile {
    #[serde(default)]
    test: bool,
}

#[derive(Deserialize, Default)]
struct CargoDiagnostic {
    #[serde(default)]
    level: String,
    #[serde(default)]
    rendered: Option<String>,
}

/// Builds every test executable that the options ask for.
pub(crate) fn build(
    context: &Context,
    options: &Options,
    progress: &Progress,
) -> anyhow::Result<Vec<Executable>> {
    let log = context.fresh_log("build-tests")?;
    progress.follow(&log);
    let mut command = context.processes.command(Context::cargo());
    command
        .arg("test")
        .args(options.selection())
        .args(["--no-run", "--message-format=json"]);
    command.current_dir(&context.root);
    let (mut executables, mut errors) = (Vec::new(), Vec::new());
    let status = context
        .processes
        .stream("cargo test --no-run", &mut command, &log, |line| {
            let Ok(message) = serde_json::from_str::<CargoMessage>(line) else {
                return;
            };
            match message.reason.as_str() {
                "compiler-artifact" if message.profile.test => executables.extend(executable(message)),
                "compiler-message" if message.message.level == "error" => {
                    errors.extend(message.message.rendered);
                }
                _ => {}
            }
        })?;
    if !status.success() {
        let errors = if errors.is_empty() {
            tail(&log, 40)
        } else {
            errors.concat()
        };
        bail!("the tests do not build:\n{errors}");
    }
    progress.set_note(format!("{} executables", executables.len()));
    Ok(executables)
}

fn executable(message: CargoMessage) -> Option<Executable> {
    let program = message.executable?;
    let kind = message.target.kind.first()?.clone();
    let (package, version) = package(&message.manifest_path)?;
    let target = if kind == "lib" {
        "lib".to_owned()
    } else {
        format!("{kind} {}", message.target.name)
    };
    Some(Executable {
        package,
        version,
        target,
        program,
        manifest: message.manifest_path,
    })
}

/// Name and version of a package of this workspace, which shares one version.
fn package(manifest: &Path) -> Option<(String, String)> {
    let text = std::fs::read_to_string(manifest).ok()?;
    let package = text.split("[package]").nth(1)?;
    let name = package
        .lines()
        .find_map(|line| line.strip_prefix("name = "))?
        .trim_matches('"')
        .to_owned();
    Some((name, env!("CARGO_PKG_VERSION").to_owned()))
}

/// Runs one executable and counts what it tells.
pub(crate) fn run(
    context: &Context,
    executable: &Executable,
    options: &Options,
    environment: &[(&'static str, String)],
    tally: &mut Tally,
    progress: &Progress,
) -> anyhow::Result<()> {
    let title = format!("{} ({})", executable.package, executable.target);
    let log = context.log("tests");
    let mut run = Run::new(context, &title, tally, progress);
    let mut command = prepare(context, executable, options, environment);
    command
        .env("RUSTC_BOOTSTRAP", "1")
        .args(["-Zunstable-options", "--format", "json", "--report-time"]);
    let mut lines_of_json = 0_usize;
    let mut status = context.processes.stream(&title, &mut command, &log, |line| {
        lines_of_json += usize::from(line.contains("{ \"type\":"));
        if let Some(event) = events::from_json(line) {
            run.take(event);
        }
    })?;
    if lines_of_json == 0 && !status.success() {
        let mut plain = prepare(context, executable, options, environment);
        let mut other_lines = String::new();
        status = context.processes.stream(&title, &mut plain, &log, |line| {
            if let Some(event) = events::from_plain(line) {
                run.take(event);
            } else {
                other_lines.push_str(line);
                other_lines.push('\n');
            }
        })?;
        if !status.success() {
            context.ui.interject(Tone::Plain, &other_lines);
        }
    }
    run.end(status, &log);
    Ok(())
}

/// Runs a command that tells its tests in the same JSON lines, and counts them.
pub(super) fn run_reporter(
    context: &Context,
    title: &str,
    command: &mut Command,
    log: &Path,
    tally: &mut Tally,
    progress: &Progress,
) -> anyhow::Result<()> {
    let mut run = Run::new(context, title, tally, progress);
    let status = context.processes.stream(title, command, log, |line| {
        if let Some(event) = events::from_json(line) {
            run.take(event);
        }
    })?;
    run.end(status, log);
    Ok(())
}

/// The command that runs an executable's tests.
pub(crate) fn prepare(
    context: &Context,
    executable: &Executable,
    options: &Options,
    environment: &[(&'static str, String)],
) -> Command {
    let mut command = context.processes.command(&executable.program);
    let folder = executable.manifest.parent().unwrap_or(&context.root);
    command.args(options.filter.iter()).current_dir(folder);
    // As `cargo test` would, so that a test finds its files.
    command
        .env("CARGO_MANIFEST_DIR", folder)
        .env("CARGO_MANIFEST_PATH", &executable.manifest);
    command
        .env("CARGO_PKG_NAME", &executable.package)
        .env("CARGO_PKG_VERSION", &executable.version);
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command
}

/// One executable while it runs.
struct Run<'a> {
    title: &'a str,
    context: &'a Context,
    tally: &'a mut Tally,
    progress: &'a Progress,
    running: BTreeSet<String>,
    told: usize,
    failed: bool,
}

impl<'a> Run<'a> {
    fn new(context: &'a Context, title: &'a str, tally: &'a mut Tally, progress: &'a Progress) -> Self {
        Self {
            title,
            context,
            tally,
            progress,
            running: BTreeSet::new(),
            told: 0,
            failed: false,
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Started { name } => {
                self.running.insert(name);
            }
            Event::Passed { name, time } => {
                self.end_one(&name, time);
                self.tally.pass();
            }
            Event::Failed { name, time, output } => {
                self.end_one(&name, time);
                self.failed = true;
                self.context
                    .ui
                    .interject(Tone::Bad, &format!("FAIL {}: {name}", self.title));
                self.context.ui.interject(Tone::Plain, &indented(&output));
                self.tally.fail(format!("{}: {name}", self.title));
            }
            Event::Ignored { name } => {
                self.end_one(&name, None);
                self.tally.ignore_many(1);
            }
        }
        let (passed, failed) = (self.tally.passed(), self.tally.failed());
        let running = self
            .running
            .iter()
            .take(2)
            .cloned()
            .collect::<Vec<_>>()
            .join(", ");
        self.progress.detail(format!(
            "{passed} passed, {failed} failed; {}: {running}",
            self.title
        ));
    }

    fn end_one(&mut self, name: &str, time: Option<Duration>) {
        self.told += 1;
        self.running.remove(name);
        if let Some(time) = time {
            self.tally.time(format!("{}: {name}", self.title), time);
        }
    }

    /// A crash takes the tests with it that were running: they failed, though they could not say so.
    fn end(self, status: ExitStatus, log: &Path) {
        for name in &self.running {
            self.tally.fail(format!(
                "{}: {name}: the executable ended ({status}) in the middle of it",
                self.title
            ));
        }
        if !status.success() && !self.failed && self.running.is_empty() {
            self.tally.fail(format!(
                "{}: the executable failed ({status}) after {} tests",
                self.title, self.told
            ));
        }
        if !status.success() && (!self.failed || !self.running.is_empty()) {
            self.context.ui.interject(Tone::Plain, &indented(&tail(log, 20)));
        }
    }
}

fn indented(text: &str) -> String {
    text.lines()
        .map(|line| format!("       {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargos_messages_about_tests_become_executables() {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let line = serde_json::json!({
            "reason": "compiler-artifact", "package_id": "x", "manifest_path": manifest,
            "target": {"kind": ["bin"], "crate_types": ["bin"], "name": "xtask", "src_path": "x"},
            "profile": {"opt_level": "0", "test": true}, "executable": "/target/xtask-1", "fresh": true,
        });
        let message: CargoMessage = serde_json::from_value(line).unwrap();
        assert!(message.profile.test);
        let executable = executable(message).unwrap();
        assert_eq!(
            (executable.package.as_str(), executable.target.as_str()),
            ("xtask", "bin xtask")
        );
        assert_eq!(executable.program, Path::new("/target/xtask-1"));
    }
}
