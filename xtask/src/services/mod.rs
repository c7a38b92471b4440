//! What the system needs around it on a developer's machine: Postgres and the AWS emulator.
//!
//! Both start from nothing each time, which takes about four seconds: no state of an earlier run can change what a test or the
//! demonstration shows, and a crash leaves nothing to recover. Only one xtask of a clone runs services at a time ([`lock`]).

pub(crate) mod lock;
pub(crate) mod ministack;
pub(crate) mod ports;
pub(crate) mod postgres;
pub(crate) mod postgres_home;

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use self::ministack::MiniStack;
use self::ports::Ports;
use self::postgres::Postgres;
use crate::context::Context;
use crate::tools::Tools;

/// Running services. They end with [`Context`]; the lock must have been taken before.
pub(crate) struct Services {
    pub(crate) postgres: Postgres,
    pub(crate) ministack: MiniStack,
}

impl Services {
    /// Starts both, as two steps.
    pub(crate) fn start(context: &Context, tools: &Tools, ports: &Ports) -> anyhow::Result<Self> {
        let postgres = context.ui.step("Postgres", |progress| {
            Postgres::start(context, &tools.postgres, ports, progress)
        })?;
        let ministack = context.ui.step("MiniStack", |progress| {
            MiniStack::start(context, &tools.venv, ports, progress)
        })?;
        Ok(Self { postgres, ministack })
    }

    /// What the tests read: the environment that `cargo xtask test` gives them.
    pub(crate) fn test_environment(&self, context: &Context, tools: &Tools) -> Vec<(&'static str, String)> {
        vec![
            ("STEPGATE_TEST_DATABASE_URL", self.postgres.url("postgres")),
            ("STEPGATE_TEST_AWS_ENDPOINT_URL", self.ministack.url()),
            (
                "STEPGATE_TEST_ARTIFACTS_DIR",
                context.state().join("artifacts").display().to_string(),
            ),
            (
                "STEPGATE_TEST_BLOCKID_SIM",
                context.target().join("debug/blockid-sim").display().to_string(),
            ),
            ("STEPGATE_TEST_PYTHON", tools.venv.python().display().to_string()),
        ]
    }
}

/// The file that tests run by hand read; it is there as long as the services run.
pub(crate) struct EnvironmentFile {
    path: PathBuf,
}

impl EnvironmentFile {
    /// Writes `NAME=value` lines, readable by the owner alone: the database password is in them.
    pub(crate) fn write(context: &Context, environment: &[(&'static str, String)]) -> anyhow::Result<Self> {
        let path = Self::location(context);
        let lines: Vec<String> = environment
            .iter()
            .map(|(name, value)| format!("{name}={value}\n"))
            .collect();
        let _stale = fs::remove_file(&path);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        file.and_then(|mut file| file.write_all(lines.concat().as_bytes()))
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { path })
    }

    pub(crate) fn location(context: &Context) -> PathBuf {
        context.state().join("services.env")
    }

    /// Removes the file, if there is one.
    pub(crate) fn forget(context: &Context) {
        let _absent = fs::remove_file(Self::location(context));
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// One value of the file of running services.
    pub(crate) fn read(context: &Context, name: &str) -> Option<String> {
        value_of(&fs::read_to_string(Self::location(context)).ok()?, name)
    }
}

impl Drop for EnvironmentFile {
    fn drop(&mut self) {
        let _already_gone = fs::remove_file(&self.path);
    }
}

fn value_of(text: &str, name: &str) -> Option<String> {
    text.lines()
        .find_map(|line| Some(line.strip_prefix(name)?.strip_prefix('=')?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_whole_name() {
        let text = "STEPGATE_TEST_DATABASE_URL=postgres://a=b\nSTEPGATE_TEST_PYTHON=/p\n";
        assert_eq!(
            value_of(text, "STEPGATE_TEST_DATABASE_URL").as_deref(),
            Some("postgres://a=b")
        );
        assert_eq!(value_of(text, "STEPGATE_TEST_DATABASE"), None);
    }
}
