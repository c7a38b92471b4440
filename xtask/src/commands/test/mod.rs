//! `cargo xtask test`: every check and every test, with what they need started first and ended last.

mod events;
pub(crate) mod executables;
mod previous;
pub(crate) mod tally;
mod web;

use std::process::ExitCode;
use std::time::Instant;

use clap::Args;

use self::tally::{Budget, Tally};
use crate::artifacts;
use crate::commands::{chaos, chart, fuzz_api, lint, openapi_lint};
use crate::context::Context;
use crate::process::Interrupted;
use crate::services::ports::Ports;
use crate::services::{Services, lock};
use crate::tools::{Tools, promtool};
use crate::ui::{Progress, Tone, tail};

/// What `test` may be told.
#[derive(Args)]
pub(crate) struct Options {
    /// Run only tests whose path contains this.
    #[arg(long, value_name = "TEXT")]
    pub(crate) filter: Option<String>,
    /// Build and run only this package's tests; may be given more than once.
    #[arg(long, short, value_name = "NAME")]
    package: Vec<String>,
    /// Leave out formatting, clippy and the template checks.
    #[arg(long)]
    no_lint: bool,
    /// Build the service of this commit or tag too, and let the update tests go from it to this one and back.
    #[arg(long, value_name = "REVISION")]
    upgrade_from: Option<String>,
}

impl Options {
    /// Tests of this path, of every package.
    pub(crate) fn only(filter: &str) -> Self {
        Self {
            filter: Some(filter.to_owned()),
            package: Vec::new(),
            no_lint: true,
            upgrade_from: None,
        }
    }

    /// Whether the chart is checked too: it has no packages and no test names to choose from.
    fn deploys(&self) -> bool {
        self.package.is_empty() && self.filter.is_none()
    }

    /// Cargo's arguments for the packages.
    fn selection(&self) -> Vec<&str> {
        if self.package.is_empty() {
            return vec!["--workspace"];
        }
        self.package.iter().flat_map(|name| ["--package", name]).collect()
    }
}

pub(crate) fn run(context: &Context, options: &Options) -> anyhow::Result<ExitCode> {
    let mut tally = Tally::default();
    if let Err(error) = run_stages(context, options, &mut tally) {
        if error.is::<Interrupted>() {
            return Err(error);
        }
        context.ui.line(Tone::Bad, &format!("error: {error:#}"));
        tally.fail(error.to_string().lines().next().unwrap_or_default());
    }
    context.processes.stop_all();
    tally.report(&context.ui);
    Ok(if tally.failed() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn run_stages(context: &Context, options: &Options, tally: &mut Tally) -> anyhow::Result<()> {
    lock::take(context, "test")?;
    let mut stages = Stages { context, tally };
    let tools = stages.run("tools", Budget::Build, |_, progress| {
        Tools::ready(context, progress)
    })?;
    if !options.no_lint {
        stages.run("format", Budget::Build, |tally, progress| {
            lint::format(context, tally, progress)
        })?;
        stages.run("clippy", Budget::Build, |tally, progress| {
            lint::clippy(context, &options.selection(), tally, progress)
        })?;
    }
    let executables = stages.run("build tests", Budget::Build, |_, progress| {
        executables::build(context, options, progress)
    })?;
    // The build of all tests makes the programs too. Built alone, they would want their dependencies
    // compiled once more, with fewer features.
    if !options.package.is_empty() {
        stages.run("build programs", Budget::Build, |_, progress| {
            artifacts::build_programs(context, progress)
        })?;
    }
    stages.run("build triggers", Budget::Build, |_, progress| {
        artifacts::build_for_host(context, progress)
    })?;
    let previous = match &options.upgrade_from {
        Some(revision) => Some(
            stages.run("build previous release", Budget::Build, |_, progress| {
                previous::build(context, revision, progress)
            })?,
        ),
        None => None,
    };
    let web = stages.run("web tools", Budget::Build, |_, progress| {
        web::Tools::ready(context, &tools.venv, progress)
    })?;
    let services = Services::start(context, &tools, &Ports::free())?;
    let mut environment = services.test_environment(context, &tools);
    environment.extend(web.test_environment());
    environment.extend(previous.map(|program| (previous::VARIABLE, program)));
    environment.extend(stages.run("Prometheus", Budget::Build, |tally, progress| {
        let found = promtool::test_environment(context, progress)?;
        if found.is_none() {
            progress.set_note("skipped: no prometheus");
            tally.miss(
                "the dashboards against a live Prometheus",
                promtool::INSTALL_COMMAND,
            );
        }
        Ok(found)
    })?);
    stages.run("tests", Budget::Test, |tally, progress| {
        context.fresh_log("tests")?;
        for executable in &executables {
            context.processes.check_services()?;
            executables::run(context, executable, options, &environment, tally, progress)?;
        }
        progress.set_note(tally.last_line());
        Ok(())
    })?;
    stages.run("doc tests", Budget::Test, |tally, progress| {
        doc_tests(context, options, &environment, tally, progress)
    })?;
    if options.deploys() {
        stages.run("API fuzzing", Budget::Test, |tally, progress| {
            fuzz_api::bounded(context, &tools.venv, &services, tally, progress)
        })?;
        deployment(context, &tools, &services, &mut stages)?;
        stages.run("chaos", Budget::Test, |tally, progress| {
            chaos::bounded(context, &tools, &services, tally, progress)
        })?;
    }
    if options.package.is_empty() {
        stages.run("web tests", Budget::Test, |tally, progress| {
            web::unit_tests(context, &web, options, tally, progress)
        })?;
        let begun = Instant::now();
        let outcome = web::browser_tests(context, &web, &tools.venv, &services, options, stages.tally);
        stages.tally.stage("browser tests", Budget::Test, begun.elapsed());
        outcome?;
    }
    if !options.no_lint {
        stages.run("templates", Budget::Test, |tally, progress| {
            lint::templates(context, &tools.venv, tally, progress)
        })?;
        stages.run("API document", Budget::Test, |tally, progress| {
            openapi_lint::judge(context, tally, progress)
        })?;
    }
    Ok(())
}

/// The chart, its alert rules, and the commands of `docs/install.md`.
fn deployment(
    context: &Context,
    tools: &Tools,
    services: &Services,
    stages: &mut Stages<'_>,
) -> anyhow::Result<()> {
    let venv = stages.run("deployment tools", Budget::Build, |_, progress| {
        chart::deployment_tools(context, progress)
    })?;
    stages.run("chart", Budget::Test, |tally, progress| {
        chart::manifests(context, &venv, false, tally, progress)
    })?;
    stages.run("alert rules", Budget::Test, |tally, progress| {
        chart::rules(context, &venv, tally, progress)
    })?;
    stages.run("bill of materials", Budget::Test, |tally, progress| {
        chart::bill(context, &venv, tally, progress)
    })?;
    stages.run("installation", Budget::Test, |tally, progress| {
        chart::installation(context, &venv, tools, services, tally, progress)
    })
}

/// Runs stages as steps and notes their times.
struct Stages<'a> {
    context: &'a Context,
    tally: &'a mut Tally,
}

impl Stages<'_> {
    fn run<T>(
        &mut self,
        name: &'static str,
        budget: Budget,
        work: impl FnOnce(&mut Tally, &Progress) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let begun = Instant::now();
        let outcome = self.context.ui.step(name, |progress| work(self.tally, progress));
        self.tally.stage(name, budget, begun.elapsed());
        outcome
    }
}

fn doc_tests(
    context: &Context,
    options: &Options,
    environment: &[(&'static str, String)],
    tally: &mut Tally,
    progress: &Progress,
) -> anyhow::Result<()> {
    let log = context.fresh_log("doc-tests")?;
    let packages = packages_with_library(context, options)?;
    if packages.is_empty() {
        return Ok(());
    }
    progress.follow(&log);
    let mut command = context.processes.command(Context::cargo());
    command.args(["test", "--doc", "--no-fail-fast"]);
    if options.package.is_empty() {
        // Not one by one: with other packages chosen, dependencies would be compiled once more.
        command.arg("--workspace");
    } else {
        command.args(packages.iter().flat_map(|name| ["--package", name]));
    }
    command.current_dir(&context.root);
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    if let Some(filter) = &options.filter {
        command.args(["--", filter]);
    }
    let (mut passed, mut failed, mut ignored) = (0, 0, 0);
    let mut output = String::new();
    let status = context
        .processes
        .stream("cargo test --doc", &mut command, &log, |line| {
            if let Some(counts) = events::summary(line) {
                passed += counts.0;
                failed += counts.1;
                ignored += counts.2;
            }
            output.push_str(line);
            output.push('\n');
        })?;
    tally.pass_many(passed);
    tally.ignore_many(ignored);
    for _ in 0..failed {
        tally.fail("a doc test, see above");
    }
    if !status.success() {
        context.ui.interject(Tone::Plain, &output);
        if failed == 0 {
            context.ui.interject(Tone::Plain, &tail(&log, 40));
            tally.fail(format!("doc tests ended with {status}"));
        }
    }
    progress.set_note(format!("{passed} passed, {failed} failed, {ignored} skipped"));
    Ok(())
}

/// Packages that doc tests exist for: cargo refuses `--doc` for one without a library.
fn packages_with_library(context: &Context, options: &Options) -> anyhow::Result<Vec<String>> {
    let members = crate::commands::workspace::members(context)?;
    Ok(members
        .into_iter()
        .filter(|member| {
            member.has_library && (options.package.is_empty() || options.package.contains(&member.name))
        })
        .map(|member| member.name)
        .collect())
}
