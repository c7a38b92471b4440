//! `cargo xtask attacks`: the attack catalogue alone, with a table of what became of each attack.
//!
//! Without a target a system is started for it, as the demonstration starts one, and a customer is onboarded. With
//! `--target` nothing is started: the tenants named are attacked, as far as the keys in the environment allow.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::Context as _;
use clap::Args;
use serde_json::Value;

use super::demo;
use crate::artifacts;
use crate::context::Context;
use crate::services::lock;
use crate::services::ports::Ports;
use crate::ui::Tone;

/// What `attacks` may be told.
#[derive(Args)]
pub(crate) struct Options {
    /// Attack these tenants instead: a file as `cargo xtask demo --json` writes it, or the tenant's address in the API
    /// (https://HOST/v1/tenants/tnt_…). The environment gives STEPGATE_API_KEY or STEPGATE_OPERATOR_KEY, and the AWS credentials of the
    /// tenant's account; a row that lacks something is skipped and says why.
    #[arg(long, value_name = "FILE|URL", num_args = 1..)]
    target: Vec<String>,
    /// Write `[{id, name, refused, reason, duration_ms}]` to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Only these rows (A01,A02,…).
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    rows: Vec<String>,
}

pub(crate) fn run(context: &Context, options: &Options) -> anyhow::Result<ExitCode> {
    lock::take(context, "attacks")?;
    context.ui.step("attack catalogue build", |progress| {
        artifacts::build_attacks(context, progress)
    })?;
    let (targets, own) = if options.target.is_empty() {
        let file = TargetFile::write(context, &demo::attacked(context, &Ports::free())?)?;
        (vec![file.0.display().to_string()], Some(file))
    } else {
        (options.target.clone(), None)
    };
    let mut command = context.processes.command(context.target().join("debug/attacks"));
    arguments(&mut command, options, &targets);
    let log = context.fresh_log("attacks")?;
    context.ui.line(Tone::Bold, "");
    let print = |line: &str| context.ui.line(Tone::Plain, line);
    let status = context
        .processes
        .stream("the attack catalogue", &mut command, &log, print)?;
    drop(own);
    context.processes.stop_all();
    Ok(match status.code() {
        Some(0) => ExitCode::SUCCESS,
        Some(2) => ExitCode::from(2),
        _ => ExitCode::FAILURE,
    })
}

fn arguments(command: &mut Command, options: &Options, targets: &[String]) {
    command.arg("--target").args(targets);
    if let Some(json) = &options.json {
        command.arg("--json").arg(json);
    }
    if !options.rows.is_empty() {
        command.arg("--rows").arg(options.rows.join(","));
    }
}

/// The target that we started, in a file that goes with the run: it holds keys.
struct TargetFile(PathBuf);

impl TargetFile {
    fn write(context: &Context, target: &Value) -> anyhow::Result<Self> {
        let path = context.state().join("attacks-target.json");
        let _left_by_a_crash = fs::remove_file(&path);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        file.and_then(|mut file| file.write_all(target.to_string().as_bytes()))
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for TargetFile {
    fn drop(&mut self) {
        let _gone_already = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_is_handed_on() {
        let options = Options {
            target: Vec::new(),
            json: Some("out.json".into()),
            rows: vec!["A01".to_owned(), "a13".to_owned()],
        };
        let mut command = Command::new("attacks");
        arguments(&mut command, &options, &["t.json".to_owned()]);
        let arguments: Vec<_> = command
            .get_args()
            .filter_map(|argument| argument.to_str())
            .collect();
        assert_eq!(
            arguments,
            ["--target", "t.json", "--json", "out.json", "--rows", "A01,a13"]
        );
    }
}
