//! `cargo xtask fuzz`: the fuzz targets, which are tests, for longer than the tests run them.
//!
//! A target replays its corpus and goes on with damaged files of it (`crates/fuzzing/`). What makes it fail is reduced
//! and written into the corpus: commit it with the correction.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;

use super::test::tally::Tally;
use super::test::{self, executables};
use crate::context::Context;
use crate::services::lock;
use crate::ui::Tone;

/// A target: its name, what it feeds, its package, its test.
struct Target {
    name: &'static str,
    package: &'static str,
    test: &'static str,
    corpus: &'static str,
}

const TARGETS: [Target; 4] = [
    Target {
        name: "event",
        package: "triggers",
        test: "fuzz_event",
        corpus: "crates/triggers/tests/corpus/event",
    },
    Target {
        name: "answer",
        package: "step-up",
        test: "fuzz_answer",
        corpus: "crates/step-up/corpus/answer",
    },
    Target {
        name: "policy",
        package: "step-up",
        test: "fuzz_policy",
        corpus: "crates/step-up/corpus/policy",
    },
    Target {
        name: "id_token",
        package: "blockid",
        test: "fuzz_id_token",
        corpus: "crates/blockid/tests/corpus/id_token",
    },
];

/// What `fuzz` may be told.
#[derive(Args)]
pub(crate) struct Options {
    /// `event` (trigger events), `answer` (challenge answers), `policy` (policy documents), `id_token`; by default each in turn.
    target: Option<String>,
    /// For how long each target runs.
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u64,
}

pub(crate) fn run(context: &Context, options: &Options) -> anyhow::Result<ExitCode> {
    let chosen = chosen(options.target.as_deref())?;
    lock::take(context, "fuzz")?;
    let executables = context.ui.step("build tests", |progress| {
        executables::build(context, &test::Options::only("fuzz_"), progress)
    })?;
    let environment = [("STEPGATE_FUZZ_SECONDS", options.seconds.to_string())];
    let mut tally = Tally::default();
    for target in chosen {
        context.ui.step(target.name, |progress| {
            let only = test::Options::only(target.test);
            let ran_before = tally.passed() + tally.failed();
            for executable in executables.iter().filter(|one| one.package() == target.package) {
                executables::run(context, executable, &only, &environment, &mut tally, progress)?;
            }
            if tally.passed() + tally.failed() == ran_before {
                bail!("there is no test {} in {}", target.test, target.package);
            }
            progress.set_note(format!("{} s; corpus {}", options.seconds, target.corpus));
            Ok(())
        })?;
    }
    context.ui.line(Tone::Bold, &tally.last_line());
    Ok(if tally.failed() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn chosen(name: Option<&str>) -> anyhow::Result<Vec<&'static Target>> {
    let Some(name) = name else {
        return Ok(TARGETS.iter().collect());
    };
    if let Some(target) = TARGETS.iter().find(|target| target.name == name) {
        return Ok(vec![target]);
    }
    let names = TARGETS.map(|target| target.name).join(", ");
    bail!("there is no target {name}; there are {names}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn targets_are_chosen_by_name() {
        assert_eq!(chosen(None).unwrap().len(), 4);
        assert_eq!(chosen(Some("policy")).unwrap()[0].test, "fuzz_policy");
        assert!(chosen(Some("pigeon")).is_err());
    }

    #[test]
    fn every_target_has_its_corpus() {
        for target in &TARGETS {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("..")
                .join(target.corpus);
            assert!(folder.read_dir().unwrap().next().is_some(), "{}", target.corpus);
        }
    }
}
