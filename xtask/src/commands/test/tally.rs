//! What passed, what failed, what was skipped and why, and how long it took.

use std::time::Duration;

use crate::tools::packages;
use crate::ui::{Tone, Ui, duration};

/// A cold build may take this long on two cores.
const BUILD_BUDGET: Duration = Duration::from_mins(17);
/// The tests may take this long.
const TEST_BUDGET: Duration = Duration::from_mins(20);
const SLOWEST: usize = 10;

/// Which budget a stage counts against.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Budget {
    Build,
    Test,
}

/// Results of one `test` or `lint` run.
#[derive(Default)]
pub(crate) struct Tally {
    passed: usize,
    failures: Vec<String>,
    ignored: usize,
    /// Checks that could not run, with the command that brings what they need.
    missing: Vec<(String, String)>,
    times: Vec<(String, Duration)>,
    stages: Vec<(&'static str, Budget, Duration)>,
}

impl Tally {
    pub(crate) fn pass(&mut self) {
        self.passed += 1;
    }

    pub(crate) fn pass_many(&mut self, count: usize) {
        self.passed += count;
    }

    pub(crate) fn fail(&mut self, name: impl Into<String>) {
        self.failures.push(name.into());
    }

    /// A test that its author marked `#[ignore]`.
    pub(crate) fn ignore_many(&mut self, count: usize) {
        self.ignored += count;
    }

    /// A check that needs a tool which is not there: skipped, and on build servers failed.
    pub(crate) fn miss(&mut self, check: &str, install: &str) {
        self.miss_as(check, install, packages::missing_is_failure());
    }

    fn miss_as(&mut self, check: &str, install: &str, is_failure: bool) {
        if is_failure {
            self.fail(format!("{check}: cannot run here; `{install}`"));
        } else {
            self.missing.push((check.to_owned(), install.to_owned()));
        }
    }

    pub(crate) fn time(&mut self, test: impl Into<String>, time: Duration) {
        self.times.push((test.into(), time));
    }

    pub(crate) fn stage(&mut self, name: &'static str, budget: Budget, time: Duration) {
        self.stages.push((name, budget, time));
    }

    pub(crate) fn failed(&self) -> usize {
        self.failures.len()
    }

    pub(crate) fn passed(&self) -> usize {
        self.passed
    }

    /// The line that ends every run.
    pub(crate) fn last_line(&self) -> String {
        let skipped = self.ignored + self.missing.len();
        format!(
            "{} passed, {} failed, {skipped} skipped",
            self.passed,
            self.failures.len()
        )
    }

    /// Prints stage times, slow tests, warnings, skips and failures; the counts come last.
    pub(crate) fn report(&mut self, ui: &Ui) {
        if !self.stages.is_empty() {
            ui.line(Tone::Bold, "\nstages");
        }
        for (name, _, time) in &self.stages {
            ui.line(Tone::Plain, &format!("  {:>10}  {name}", duration(*time)));
        }
        self.times.sort_by_key(|(_, time)| std::cmp::Reverse(*time));
        if !self.times.is_empty() {
            ui.line(Tone::Bold, "\nslowest tests");
        }
        for (name, time) in self.times.iter().take(SLOWEST) {
            ui.line(Tone::Plain, &format!("  {:>10.3}  {name}", time.as_secs_f64()));
        }
        for warning in self.over_budget() {
            ui.line(Tone::Warn, &warning);
        }
        for (check, install) in &self.missing {
            ui.line(Tone::Warn, &format!("skipped: {check}; to run it: `{install}`"));
        }
        if !self.failures.is_empty() {
            ui.line(Tone::Bold, "\nfailures");
        }
        for failure in &self.failures {
            ui.line(Tone::Bad, &format!("  {failure}"));
        }
        ui.line(Tone::Plain, "");
        let tone = if self.failures.is_empty() {
            Tone::Good
        } else {
            Tone::Bad
        };
        ui.line(tone, &self.last_line());
    }

    fn over_budget(&self) -> Vec<String> {
        let spent = |budget| {
            self.stages
                .iter()
                .filter(|stage| stage.1 == budget)
                .map(|stage| stage.2)
                .sum::<Duration>()
        };
        [
            ("building", Budget::Build, BUILD_BUDGET),
            ("testing", Budget::Test, TEST_BUDGET),
        ]
        .into_iter()
        .filter(|(_, budget, limit)| spent(*budget) > *limit)
        .map(|(what, budget, limit)| {
            format!(
                "warning: {what} took {}, more than its budget of {}",
                duration(spent(budget)),
                duration(limit)
            )
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts_ignored_and_missing_as_skipped() {
        let mut tally = Tally::default();
        assert_eq!(tally.last_line(), "0 passed, 0 failed, 0 skipped");
        tally.pass();
        tally.pass_many(2);
        tally.fail("x");
        tally.ignore_many(1);
        tally.miss_as("browser", "sudo apt-get install chromium", false);
        assert_eq!(tally.last_line(), "3 passed, 1 failed, 2 skipped");
    }

    #[test]
    fn a_missing_tool_fails_a_build_server() {
        let mut tally = Tally::default();
        tally.miss_as("browser", "sudo apt-get install chromium", true);
        assert_eq!(tally.last_line(), "0 passed, 1 failed, 0 skipped");
    }

    #[test]
    fn each_budget_warns_for_itself() {
        let mut tally = Tally::default();
        tally.stage("build", Budget::Build, Duration::from_mins(10));
        tally.stage("tests", Budget::Test, Duration::from_mins(18));
        assert!(tally.over_budget().is_empty());
        tally.stage("clippy", Budget::Build, Duration::from_mins(8));
        let warnings = tally.over_budget();
        assert_eq!(
            warnings,
            ["warning: building took 18 m 00 s, more than its budget of 17 m 00 s"]
        );
    }
}
