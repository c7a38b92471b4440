//! Tests of the browser SDK and of the demonstration's page: in Node's test runner, and in a real browser against the whole system.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use super::Options;
use super::executables::run_reporter;
use super::tally::Tally;
use crate::commands::demo;
use crate::context::Context;
use crate::services::Services;
use crate::tools::browser;
use crate::tools::node::Node;
use crate::tools::packages::CHROMIUM;
use crate::tools::python::Venv;
use crate::ui::Progress;

const SDK: &str = "sdk/web";

/// What the tests run on.
pub(super) struct Tools {
    node: Node,
    /// Folder with the SDK's `node_modules`.
    modules: PathBuf,
    browser: Option<PathBuf>,
}

impl Tools {
    pub(super) fn ready(context: &Context, venv: &Venv, progress: &Progress) -> anyhow::Result<Self> {
        let node = Node::find(context, venv, progress)?;
        let modules = node.install(context, &context.root.join(SDK), "web", progress)?;
        let browser = browser::find(context, progress)?;
        let shown = browser
            .as_ref()
            .map_or("no browser".to_owned(), |path| path.display().to_string());
        progress.set_note(format!("Node {}, {shown}", node.version));
        Ok(Self {
            node,
            modules,
            browser,
        })
    }

    /// What the attack catalogue needs to run the SDK.
    pub(super) fn test_environment(&self) -> Vec<(&'static str, String)> {
        vec![("STEPGATE_TEST_NODE", self.node.program().display().to_string())]
    }

    /// A run of the test files in a folder.
    fn runner(&self, context: &Context, folder: &str, options: &Options) -> anyhow::Result<Command> {
        let mut command = self.node.command(context);
        let reporter = context.root.join("xtask/node/reporter.mjs");
        command
            .arg("--test")
            .arg(format!("--test-reporter={}", reporter.display()))
            .arg("--test-reporter-destination=stdout")
            .arg("--test-concurrency=1");
        if let Some(filter) = &options.filter {
            command.arg(format!("--test-name-pattern={}", literal(filter)));
        }
        command
            .args(test_files(&context.root.join(SDK).join(folder))?)
            .current_dir(context.root.join(SDK))
            .env("STEPGATE_WEB_TOOLS", &self.modules);
        Ok(command)
    }
}

/// The SDK's tests in Node.
pub(super) fn unit_tests(
    context: &Context,
    tools: &Tools,
    options: &Options,
    tally: &mut Tally,
    progress: &Progress,
) -> anyhow::Result<()> {
    if !wanted(context, "test", options)? {
        progress.set_note("none of that name");
        return Ok(());
    }
    let log = context.fresh_log("web-tests")?;
    let mut command = tools.runner(context, "test", options)?;
    run_reporter(context, "sdk/web", &mut command, &log, tally, progress)?;
    progress.set_note(tally.last_line());
    Ok(())
}

/// The tests in a browser, with the system of the demonstration around the services that run. Screenshots stay in `.stepgate/screenshots`.
pub(super) fn browser_tests(
    context: &Context,
    tools: &Tools,
    venv: &Venv,
    services: &Services,
    options: &Options,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    if !wanted(context, "e2e", options)? {
        return Ok(());
    }
    let Some(browser) = &tools.browser else {
        tally.miss("browser tests", &CHROMIUM.install_command());
        return Ok(());
    };
    let system = context.state().join("browser-tests.json");
    let _left_by_an_earlier_run = fs::remove_file(&system);
    demo::start_for_tests(context, venv, services, &system)?;
    let screenshots = context.state().join("screenshots");
    if screenshots.exists() {
        fs::remove_dir_all(&screenshots)
            .with_context(|| format!("cannot remove {}", screenshots.display()))?;
    }
    fs::create_dir_all(&screenshots).with_context(|| format!("cannot make {}", screenshots.display()))?;
    context.ui.step("browser tests", |progress| {
        let log = context.fresh_log("browser-tests")?;
        let mut command = tools.runner(context, "e2e", options)?;
        command
            .env("STEPGATE_E2E_SYSTEM", &system)
            .env("STEPGATE_E2E_BROWSER", browser)
            .env("STEPGATE_E2E_SCREENSHOTS", &screenshots);
        run_reporter(context, "browser", &mut command, &log, tally, progress)?;
        progress.set_note(tally.last_line());
        Ok(())
    })
}

/// Whether a filter names a test of this folder: starting the system for none would be a waste.
fn wanted(context: &Context, folder: &str, options: &Options) -> anyhow::Result<bool> {
    let Some(filter) = &options.filter else {
        return Ok(true);
    };
    for file in test_files(&context.root.join(SDK).join(folder))? {
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        if names(&text).any(|name| name.contains(filter.as_str())) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The names in `test("…"`.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split("test(\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
}

fn test_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .with_context(|| format!("cannot read {}", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().ends_with(".test.js"))
        .collect();
    files.sort();
    Ok(files)
}

/// A pattern that matches this text and nothing else.
fn literal(text: &str) -> String {
    text.chars().fold(String::new(), |mut pattern, character| {
        if !character.is_alphanumeric() && character != '_' && character != ' ' {
            pattern.push('\\');
        }
        pattern.push(character);
        pattern
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_taken_word_for_word() {
        assert_eq!(literal("a.b (c)"), "a\\.b \\(c\\)");
    }

    #[test]
    fn names_are_found_in_a_file() {
        let text = "test(\"one\", () => {});\nawait test(\"two words\", async () => {});";
        assert_eq!(names(text).collect::<Vec<_>>(), ["one", "two words"]);
    }
}
