//! Long-lived children: started with a log, watched, ended in order with a time limit.

use std::fs::{File, OpenOptions};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::identity::Identity;
use super::{ChildRecord, Processes};
use crate::ui::tail;

/// How a service is started and ended.
pub(crate) struct Service {
    pub(crate) name: &'static str,
    pub(crate) command: Command,
    pub(crate) log: PathBuf,
    /// What asks it to end: SIGTERM for most, SIGINT for Postgres, to which SIGTERM means "when the last client has left".
    pub(crate) stop_signal: Signal,
    /// How long it may take before it is killed.
    pub(crate) stop_within: Duration,
}

/// A service that was started.
pub(super) struct Running {
    name: &'static str,
    child: Child,
    identity: Identity,
    log: PathBuf,
    stop_signal: Signal,
    stop_within: Duration,
}

impl Running {
    pub(super) fn record(&self) -> ChildRecord {
        ChildRecord {
            name: self.name.to_owned(),
            identity: self.identity.clone(),
        }
    }

    /// Asks the service to end, waits, then kills its whole group.
    pub(super) fn stop(mut self) {
        let group = pid(self.child.id());
        if let Ok(None) = self.child.try_wait() {
            let _already_gone = kill(group, self.stop_signal);
            let begun = Instant::now();
            while begun.elapsed() < self.stop_within && matches!(self.child.try_wait(), Ok(None)) {
                thread::sleep(Duration::from_millis(20));
            }
        }
        let _no_group_left = killpg(group, Signal::SIGKILL);
        let _reaped_before = self.child.wait();
    }
}

impl Processes {
    /// Starts a service and records it.
    pub(crate) fn start(&self, mut service: Service) -> anyhow::Result<()> {
        self.signals.check()?;
        let log =
            File::create(&service.log).with_context(|| format!("cannot write {}", service.log.display()))?;
        let child = service
            .command
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", service.name))?;
        let pid = child.id();
        // A service that has ended already is found by `check_services`.
        let identity = Identity::of(pid).unwrap_or(Identity {
            pid,
            started: String::new(),
        });
        let Service {
            name,
            log,
            stop_signal,
            stop_within,
            ..
        } = service;
        self.services.borrow_mut().push(Running {
            name,
            child,
            identity,
            log,
            stop_signal,
            stop_within,
        });
        self.write_record()
    }

    /// Kills a service as a crash would (SIGKILL, its whole group) and forgets it.
    pub(crate) fn kill(&self, name: &str) {
        let mut services = self.services.borrow_mut();
        while let Some(place) = services.iter().position(|service| service.name == name) {
            let mut killed = services.remove(place);
            let _no_group_left = killpg(pid(killed.child.id()), Signal::SIGKILL);
            let _reaped_before = killed.child.wait();
        }
    }

    /// Whether a service does not run: it has ended, or was never started.
    pub(crate) fn has_ended(&self, name: &str) -> bool {
        let mut services = self.services.borrow_mut();
        let found = services.iter_mut().find(|service| service.name == name);
        found.is_none_or(|service| !matches!(service.child.try_wait(), Ok(None)))
    }

    /// Fails when a service has ended by itself, with the end of its log.
    pub(crate) fn check_services(&self) -> anyhow::Result<()> {
        for service in self.services.borrow_mut().iter_mut() {
            if let Some(status) = service.child.try_wait()? {
                bail!(
                    "{} ended by itself ({status}); end of {}:\n{}",
                    service.name,
                    service.log.display(),
                    tail(&service.log, 20)
                );
            }
        }
        Ok(())
    }

    /// Waits until `ready`, and fails early when a service ends or somebody asks us to stop.
    pub(crate) fn wait_ready(
        &self,
        name: &str,
        limit: Duration,
        mut ready: impl FnMut() -> bool,
    ) -> anyhow::Result<()> {
        let became_ready = self.signals.wait_until(limit, || {
            self.check_services()?;
            Ok(ready())
        })?;
        if became_ready {
            return Ok(());
        }
        let services = self.services.borrow();
        let log = services
            .iter()
            .find(|service| service.name == name)
            .map(|service| tail(&service.log, 20));
        bail!(
            "{name} was not ready within {} s; end of its log:\n{}",
            limit.as_secs(),
            log.unwrap_or_default()
        );
    }

    /// Returns when somebody asks us to stop; fails when a service ends by itself.
    pub(crate) fn wait_for_signal(&self) -> anyhow::Result<()> {
        while !self.signals.arrived() {
            self.check_services()?;
            thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }
}

/// Opens a log for appending, for steps that run several commands.
pub(super) fn append(log: &PathBuf) -> anyhow::Result<Stdio> {
    let file = OpenOptions::new().create(true).append(true).open(log);
    Ok(file
        .with_context(|| format!("cannot write {}", log.display()))?
        .into())
}

/// Ends a process group that we are not the parent of: asks, waits, kills.
pub(super) fn end_group(leader: u32) {
    // SIGINT ends everything we start, and Postgres at once.
    let _already_gone = kill(pid(leader), Signal::SIGINT);
    wait_gone(leader, Duration::from_secs(5));
    let _no_group_left = killpg(pid(leader), Signal::SIGKILL);
    wait_gone(leader, Duration::from_secs(2));
}

/// Ends one process that we are not the parent of.
pub(super) fn end_process(process: u32) {
    let _already_gone = kill(pid(process), Signal::SIGTERM);
    wait_gone(process, Duration::from_secs(2));
    let _already_gone = kill(pid(process), Signal::SIGKILL);
}

fn wait_gone(process: u32, limit: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < limit && Identity::of(process).is_some() {
        thread::sleep(Duration::from_millis(20));
    }
}

fn pid(process: u32) -> Pid {
    // Pids fit: the kernel's limit is 2^22. A value that does not is answered with "no such process".
    Pid::from_raw(i32::try_from(process).unwrap_or(i32::MAX))
}
