//! `cargo xtask chart`: checks the Helm chart without a cluster, starts what it renders, and the stages of `cargo xtask test` that do so.
//!
//! - [`manifests`]: lint, render, schemas of Kubernetes, policies, refusals. All of it is in `xtask/python/chart/`, which speaks the
//!   formats; this only counts.
//! - [`rules`]: `promtool` on the alert rules, as they are and as they are rendered, and on the expressions of the dashboards.
//! - [`bill`]: the bill of materials of the image.
//! - [`installation`]: the commands of `docs/install.md`, run as they stand, and the other presets, started.

mod installation;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::Context as _;
use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

pub(crate) use self::installation::installation;
use crate::artifacts;
use crate::commands::image::sbom;
use crate::commands::test::tally::Tally;
use crate::context::Context;
use crate::services::ports::Ports;
use crate::services::{Services, lock};
use crate::tools::Tools;
use crate::tools::promtool;
use crate::tools::python::Venv;
use crate::ui::{Progress, Tone, tail};

const RULES: &str = "helm/stepgate/rules";
const DASHBOARDS: &str = "helm/stepgate/dashboards";

/// What `chart` may be told.
#[derive(Args)]
pub(crate) struct Options {
    /// Write the table of values in the chart's README.
    #[arg(long)]
    write_docs: bool,
    /// Only check what is rendered, without starting it: needs no build of the service, no Postgres and no AWS emulator.
    #[arg(long)]
    no_install: bool,
}

/// One line that the checks print.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Check { check: String, ok: bool, detail: String },
    Note { note: String },
}

pub(crate) fn run(context: &Context, options: &Options) -> anyhow::Result<ExitCode> {
    let mut tally = Tally::default();
    let venv = context
        .ui
        .step("deployment tools", |progress| deployment_tools(context, progress))?;
    context.ui.step("chart", |progress| {
        manifests(context, &venv, options.write_docs, &mut tally, progress)
    })?;
    context.ui.step("alert rules", |progress| {
        rules(context, &venv, &mut tally, progress)
    })?;
    context.ui.step("bill of materials", |progress| {
        bill(context, &venv, &mut tally, progress)
    })?;
    if !options.no_install {
        lock::take(context, "chart")?;
        let tools = context
            .ui
            .step("tools", |progress| Tools::ready(context, progress))?;
        context.ui.step("build programs", |progress| {
            artifacts::build_programs(context, progress)
        })?;
        context.ui.step("build triggers", |progress| {
            artifacts::build_for_host(context, progress)
        })?;
        let services = Services::start(context, &tools, &Ports::free())?;
        context.ui.step("installation", |progress| {
            installation(context, &venv, &tools, &services, &mut tally, progress)
        })?;
    }
    context.processes.stop_all();
    tally.report(&context.ui);
    Ok(if tally.failed() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The environment with Helm, the schemas of Kubernetes, and the AWS command line.
pub(crate) fn deployment_tools(context: &Context, progress: &Progress) -> anyhow::Result<Venv> {
    Venv::ready_from(
        context,
        "venv-deploy",
        "requirements-deploy.txt",
        "kubernetes_validate",
        progress,
    )
}

/// Lint, render, schemas, policies, refusals.
pub(crate) fn manifests(
    context: &Context,
    venv: &Venv,
    write_docs: bool,
    tally: &mut Tally,
    progress: &Progress,
) -> anyhow::Result<()> {
    let mut command = context.processes.command(venv.python());
    command
        .arg(context.root.join("xtask/python/chart/check.py"))
        .arg(&context.root)
        .args(write_docs.then_some("--write-docs"));
    count(context, "chart", command, tally, progress)
}

/// Runs a program that prints a line a check, and counts them.
fn count(
    context: &Context,
    what: &str,
    mut command: Command,
    tally: &mut Tally,
    progress: &Progress,
) -> anyhow::Result<()> {
    let log = context.fresh_log(what)?;
    let (mut passed, mut failed, mut notes) = (0_usize, 0_usize, Vec::new());
    let status =
        context
            .processes
            .stream(
                what,
                command.env("PYTHONDONTWRITEBYTECODE", "1"),
                &log,
                |line| match serde_json::from_str(line) {
                    Ok(Line::Check { check, ok: true, .. }) => {
                        passed += 1;
                        progress.detail(check);
                        tally.pass();
                    }
                    Ok(Line::Check { check, detail, .. }) => {
                        failed += 1;
                        context.ui.interject(Tone::Bad, &format!("FAIL {check}"));
                        context.ui.interject(Tone::Plain, &detail);
                        tally.fail(check);
                    }
                    Ok(Line::Note { note }) => notes.push(note),
                    Err(_) => context.ui.interject(Tone::Plain, line),
                },
            )?;
    if !status.success() {
        context.ui.interject(Tone::Plain, &tail(&log, 40));
        tally.fail(format!("{what}: the checks ended with {status}"));
    } else if passed + failed == 0 {
        tally.fail(format!("{what}: nothing was checked"));
    }
    notes.push(format!("{passed} passed, {failed} failed"));
    progress.set_note(notes.join("; "));
    Ok(())
}

/// `promtool` on the rules and on their tests, where it can be had.
pub(crate) fn rules(
    context: &Context,
    venv: &Venv,
    tally: &mut Tally,
    progress: &Progress,
) -> anyhow::Result<()> {
    let log = context.fresh_log("promtool")?;
    let Some(program) = promtool::find(context, progress)? else {
        progress.set_note("skipped: no promtool");
        tally.miss("promtool on the alert rules", promtool::INSTALL_COMMAND);
        return Ok(());
    };
    let (panels, count) = panels_as_rules(context)?;
    let mut checks = vec![("check", panels), ("check", rendered_rules(context, venv)?)];
    for (verb, folder) in [("check", RULES.to_owned()), ("test", format!("{RULES}/tests"))] {
        let files = files_in(&context.root.join(folder), "yaml")?;
        checks.extend(files.into_iter().map(|file| (verb, file)));
    }
    for (verb, file) in checks {
        let mut command = context.processes.command(&program);
        command
            .args([verb, "rules"])
            .arg(&file)
            .current_dir(&context.root);
        if context
            .processes
            .run_status("promtool", &mut command, &log)?
            .success()
        {
            tally.pass();
        } else {
            context.ui.interject(Tone::Plain, &tail(&log, 40));
            tally.fail(format!("promtool {verb} rules {}", context.shown(&file)));
        }
    }
    progress.set_note(format!("and {count} expressions of dashboards"));
    Ok(())
}

/// The groups of the PrometheusRule that the chart renders, in a file as Prometheus reads it.
fn rendered_rules(context: &Context, venv: &Venv) -> anyhow::Result<PathBuf> {
    let file = context.state().join("rendered.rules.yaml");
    let mut command = context.processes.command(venv.python());
    command
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(context.root.join("xtask/python/chart/check.py"))
        .arg(&context.root)
        .arg("--rules")
        .arg(&file);
    context
        .processes
        .text("rendering the alert rules", &mut command)?;
    Ok(file)
}

/// Every expression of every dashboard as a rule, so that `promtool` reads them; hands back the file and how many there are.
fn panels_as_rules(context: &Context) -> anyhow::Result<(PathBuf, usize)> {
    let mut expressions = Vec::new();
    for file in files_in(&context.root.join(DASHBOARDS), "json")? {
        let text = fs::read_to_string(&file)?;
        let dashboard: Value =
            serde_json::from_str(&text).with_context(|| format!("{} is not JSON", context.shown(&file)))?;
        collect_expressions(&dashboard, &mut expressions);
    }
    let rules: Vec<Value> = expressions
        .iter()
        .enumerate()
        .map(|(number, expression)| json!({ "alert": format!("panel_{number}"), "expr": without_variables(expression) }))
        .collect();
    let file = context.state().join("dashboards.rules.yaml");
    // JSON is YAML.
    let groups = json!({ "groups": [{ "name": "dashboards", "rules": rules }] });
    fs::write(&file, serde_json::to_vec(&groups)?)
        .with_context(|| format!("cannot write {}", file.display()))?;
    Ok((file, expressions.len()))
}

fn collect_expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(expression)) = fields.get("expr") {
                found.push(expression.clone());
            }
            fields
                .values()
                .for_each(|field| collect_expressions(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_expressions(item, found)),
        _ => {}
    }
}

/// Grafana puts its variables in before Prometheus sees an expression: durations in brackets, text elsewhere.
fn without_variables(expression: &str) -> String {
    ["$__rate_interval", "$__interval", "$__range"]
        .iter()
        .fold(expression.to_owned(), |text, variable| {
            text.replace(variable, "5m")
        })
}

/// The bill of materials of the image, against the schema of CycloneDX.
pub(crate) fn bill(
    context: &Context,
    venv: &Venv,
    tally: &mut Tally,
    progress: &Progress,
) -> anyhow::Result<()> {
    let bill = sbom::bill_of_materials(context, "x86_64-unknown-linux-musl")?;
    let file = context.state().join("sbom.cdx.json");
    fs::write(&file, bill).with_context(|| format!("cannot write {}", file.display()))?;
    let mut command = context.processes.command(venv.python());
    command
        .arg(context.root.join("xtask/python/sbom_check.py"))
        .stdin(fs::File::open(&file)?);
    count(context, "sbom", command, tally, progress)
}

fn files_in(folder: &Path, ending: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .with_context(|| format!("cannot read {}", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == ending))
        .collect();
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_checks_are_read() {
        let line = r#"{"check": "chart lint", "ok": false, "detail": "why"}"#;
        assert!(
            matches!(serde_json::from_str(line), Ok(Line::Check { check, ok: false, detail }) if check == "chart lint" && detail == "why")
        );
        assert!(
            matches!(serde_json::from_str(r#"{"note": "Helm"}"#), Ok(Line::Note { note }) if note == "Helm")
        );
        assert!(serde_json::from_str::<Line>("Traceback").is_err());
    }

    #[test]
    fn expressions_of_a_dashboard_are_found_wherever_they_are() {
        let dashboard = json!({ "panels": [{ "targets": [{ "expr": "rate(a[$__rate_interval])" }] }, { "panels": [{ "targets": [{ "expr": "b" }] }] }] });
        let mut found = Vec::new();
        collect_expressions(&dashboard, &mut found);
        assert_eq!(found, ["rate(a[$__rate_interval])", "b"]);
        assert_eq!(without_variables(&found[0]), "rate(a[5m])");
    }

    #[test]
    fn every_alert_says_what_it_is_and_leads_to_what_to_do() {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
        let page = fs::read_to_string(root.join("docs/alerts.md")).unwrap();
        let mut names = Vec::new();
        for file in files_in(&root.join(RULES), "yaml").unwrap() {
            let text = fs::read_to_string(file).unwrap();
            for alert in text.split("- alert: ").skip(1) {
                let name = alert.lines().next().unwrap();
                let runbook = format!("runbook_url: RUNBOOK_URL#{}", name.to_lowercase());
                for wanted in ["severity: ", "summary: ", "description: ", &runbook] {
                    assert!(alert.contains(wanted), "{name} has no `{wanted}`");
                }
                names.push(name.to_owned());
            }
        }
        let sections = page.lines().filter_map(|line| line.strip_prefix("### "));
        assert_eq!(
            sections.collect::<Vec<_>>(),
            names,
            "sections of docs/alerts.md, in the order of the rules"
        );
        assert!(names.len() > 20, "{names:?}");
    }

    #[test]
    fn every_rule_file_has_a_test() {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
        let rules = files_in(&root.join(RULES), "yaml").unwrap();
        assert!(!rules.is_empty());
        for file in rules {
            let test = root.join(RULES).join("tests").join(file.file_name().unwrap());
            assert!(test.exists(), "{} has no test {}", file.display(), test.display());
        }
    }
}
