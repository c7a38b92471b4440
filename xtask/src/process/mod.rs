//! Children that never outlive us.
//!
//! - Every child gets a process group of its own (a terminal's Ctrl-C reaches only us, and we end children in order) and a marker in its
//!   environment that names this run; what it starts inherits the marker.
//! - Long-lived children are recorded in `.stepgate/runs/{run}.json` with their start time. When xtask dies without a chance to clean up,
//!   the next start reads the records of runs whose owner is gone and ends exactly those processes: the same pid, the same start time,
//!   the same marker. A name is never used to find a process.
//! - On Linux children are also asked to end when we die (`setpriv --pdeathsig`, where util-linux is present).

mod identity;
mod run;
mod service;
mod signals;

use std::cell::RefCell;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use self::identity::Identity;
use self::service::Running;
pub(crate) use self::service::Service;
pub(crate) use self::signals::{Interrupted, Signals};
use crate::random::random_hex;

/// Environment variable that marks every process of a run.
pub(crate) const MARKER: &str = "STEPGATE_XTASK_RUN";

/// All children of this run.
pub(crate) struct Processes {
    /// Ctrl-C and SIGTERM.
    pub(crate) signals: Signals,
    marker: String,
    record: PathBuf,
    setpriv: Option<PathBuf>,
    services: RefCell<Vec<Running>>,
    /// Given back after the last child has ended.
    held: RefCell<Vec<File>>,
}

/// What is left on disk about a run.
#[derive(Serialize, Deserialize)]
struct RunRecord {
    marker: String,
    owner: Identity,
    children: Vec<ChildRecord>,
}

#[derive(Serialize, Deserialize)]
struct ChildRecord {
    name: String,
    identity: Identity,
}

/// Another user that a child runs as.
#[derive(Clone, Copy)]
pub(crate) struct RunAs {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Processes {
    /// Ends what crashed runs of this clone left behind, and opens the record of this one.
    pub(crate) fn open(state: &Path, clone_id: &str) -> anyhow::Result<Self> {
        let runs = state.join("runs");
        fs::create_dir_all(&runs).with_context(|| format!("cannot create {}", runs.display()))?;
        sweep(&runs)?;
        let marker = format!("{clone_id}-{}", random_hex(8)?);
        let processes = Self {
            signals: Signals::install()?,
            record: runs.join(format!("{marker}.json")),
            marker,
            setpriv: find_setpriv(),
            services: RefCell::default(),
            held: RefCell::default(),
        };
        processes.write_record()?;
        Ok(processes)
    }

    /// A command for a child of this run: marked, in a group of its own, without input, ended with us where the system can.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        self.build(program.as_ref(), None, "TERM")
    }

    /// The same, as another user when one is given, and with the signal that tells it to end when we die.
    pub(crate) fn command_as(
        &self,
        program: impl AsRef<OsStr>,
        user: Option<RunAs>,
        death_signal: &str,
    ) -> Command {
        self.build(program.as_ref(), user, death_signal)
    }

    fn build(&self, program: &OsStr, user: Option<RunAs>, death_signal: &str) -> Command {
        let mut command = if let Some(setpriv) = &self.setpriv {
            let mut command = Command::new(setpriv);
            if let Some(RunAs { uid, gid }) = user {
                command.args([
                    "--reuid",
                    &uid.to_string(),
                    "--regid",
                    &gid.to_string(),
                    "--clear-groups",
                ]);
            }
            command.args(["--pdeathsig", death_signal, "--"]).arg(program);
            command
        } else {
            let mut command = Command::new(program);
            if let Some(RunAs { uid, gid }) = user {
                command.uid(uid).gid(gid); // the standard library drops the supplementary groups too
            }
            command
        };
        // Cargo told us about our own package. Handed on to another cargo, that is a change of the environment to build
        // scripts that ask for such variables, and everything above them would be built anew.
        let names = std::env::vars_os().map(|(name, _)| name);
        for name in names.filter(|name| is_of_a_package(&name.to_string_lossy())) {
            command.env_remove(name);
        }
        command
            .process_group(0)
            .env(MARKER, &self.marker)
            .stdin(Stdio::null());
        command
    }

    /// Keeps a lock until the last child has ended.
    pub(crate) fn hold(&self, lock: File) {
        self.held.borrow_mut().push(lock);
    }

    fn write_record(&self) -> anyhow::Result<()> {
        let children = self.services.borrow().iter().map(Running::record).collect();
        let owner = Identity::of(std::process::id()).context("cannot read our own start time")?;
        let record = RunRecord {
            marker: self.marker.clone(),
            owner,
            children,
        };
        let temporary = self.record.with_extension("new");
        fs::write(&temporary, serde_json::to_vec(&record)?)
            .and_then(|()| fs::rename(&temporary, &self.record))
            .with_context(|| format!("cannot write {}", self.record.display()))
    }

    /// Ends every service, last started first, and whatever else carries this run's marker.
    pub(crate) fn stop_all(&self) {
        loop {
            // Taken out before it is stopped, so that no borrow is held while we wait.
            let Some(service) = self.services.borrow_mut().pop() else {
                break;
            };
            service.stop();
        }
        end_marked(&self.marker);
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        self.stop_all();
        let _already_gone = fs::remove_file(&self.record);
    }
}

/// Ends the children of every recorded run whose owner is gone.
fn sweep(runs: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(runs).with_context(|| format!("cannot read {}", runs.display()))? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        // A record that cannot be read was being written when its owner died: nothing had been started under it.
        let record = fs::read(&path)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<RunRecord>(&bytes).ok());
        if let Some(record) = record {
            if record.owner.is_alive() {
                continue;
            }
            for child in &record.children {
                if child.identity.is_alive()
                    && identity::may_be_marked(child.identity.pid, MARKER, &record.marker)
                {
                    eprintln!(
                        "ending {} (pid {}), left behind by a run that was killed",
                        child.name, child.identity.pid
                    );
                    service::end_group(child.identity.pid);
                }
            }
            end_marked(&record.marker);
        }
        fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok(())
}

/// Ends every process that carries `marker` in its environment, except ourselves. Linux only: elsewhere environments cannot be read.
fn end_marked(marker: &str) {
    for pid in identity::marked(MARKER, marker) {
        service::end_process(pid);
    }
}

/// Whether it is a variable by which cargo tells a program about the package that it is of.
fn is_of_a_package(name: &str) -> bool {
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

fn find_setpriv() -> Option<PathBuf> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    crate::tools::find_on_path("setpriv")
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt as _;
    use std::process::Command;

    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("stepgate-{name}-{}", random_hex(4).unwrap()));
        fs::create_dir_all(folder.join("runs")).unwrap();
        folder
    }

    fn sleeper(marker: Option<&str>) -> std::process::Child {
        let mut command = Command::new("sleep");
        command.arg("60").process_group(0);
        if let Some(marker) = marker {
            command.env(MARKER, marker);
        }
        command.spawn().unwrap()
    }

    /// A run whose owner is gone: our own pid with a start time that is not ours.
    fn write_crashed_run(
        state: &Path,
        marker: &str,
        child: &std::process::Child,
        child_started: Option<&str>,
    ) {
        let identity = Identity::of(child.id()).unwrap();
        let record = RunRecord {
            marker: marker.to_owned(),
            owner: Identity {
                pid: std::process::id(),
                started: "0".to_owned(),
            },
            children: vec![ChildRecord {
                name: "sleeper".to_owned(),
                identity: Identity {
                    started: child_started.map_or(identity.started, ToOwned::to_owned),
                    ..identity
                },
            }],
        };
        fs::write(
            state.join("runs").join("old.json"),
            serde_json::to_vec(&record).unwrap(),
        )
        .unwrap();
    }

    #[test]
    fn children_are_not_told_which_package_we_are() {
        assert!(std::env::var_os("CARGO_PKG_NAME").is_some(), "cargo told us");
        let state = folder("package");
        let processes = Processes::open(&state, "clone").unwrap();
        let output = processes.command("env").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(
            text.contains("PATH=") && !text.lines().any(is_of_a_package),
            "{text}"
        );
        drop(processes);
        fs::remove_dir_all(state).unwrap();
    }

    #[test]
    fn a_crashed_runs_child_is_ended() {
        let state = folder("sweep");
        let mut child = sleeper(Some("old-run"));
        write_crashed_run(&state, "old-run", &child, None);
        let opened = Processes::open(&state, "clone").unwrap();
        assert!(!child.wait().unwrap().success());
        assert!(!state.join("runs/old.json").exists());
        drop(opened);
        assert_eq!(fs::read_dir(state.join("runs")).unwrap().count(), 0);
        fs::remove_dir_all(state).unwrap();
    }

    #[test]
    fn a_process_that_only_has_the_same_pid_is_left_alone() {
        for (marker, started) in [(None, None), (Some("somebody-else"), None), (None, Some("1"))] {
            let state = folder("foreign");
            let mut child = sleeper(marker);
            write_crashed_run(&state, "old-run", &child, started);
            let opened = Processes::open(&state, "clone").unwrap();
            if cfg!(target_os = "linux") || started.is_some() {
                assert!(child.try_wait().unwrap().is_none(), "{marker:?} {started:?}");
            }
            drop(opened);
            child.kill().unwrap();
            child.wait().unwrap();
            fs::remove_dir_all(state).unwrap();
        }
    }

    #[test]
    fn a_living_run_keeps_its_children() {
        let state = folder("living");
        let first = Processes::open(&state, "clone").unwrap();
        let mut child = first.command("sleep").arg("60").spawn().unwrap();
        // `spawn` comes back before `setpriv` has become `sleep`, and in between there is no environment to read.
        while cfg!(target_os = "linux") && !identity::marked(MARKER, &first.marker).contains(&child.id()) {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let second = Processes::open(&state, "clone").unwrap();
        drop(second);
        assert!(child.try_wait().unwrap().is_none());
        drop(first);
        if cfg!(target_os = "linux") {
            assert!(!child.wait().unwrap().success(), "ended by its marker");
        } else {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        fs::remove_dir_all(state).unwrap();
    }
}
