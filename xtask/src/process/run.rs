//! Children that we wait for: builds, checks, test executables.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::Processes;
use super::service::append;
use crate::ui::{Progress, tail};

/// Kills the whole group of a child that we stop waiting for.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        if let (Ok(None), Ok(pid)) = (self.0.try_wait(), i32::try_from(self.0.id())) {
            let _already_gone = killpg(Pid::from_raw(pid), Signal::SIGTERM);
            thread::sleep(Duration::from_millis(200));
            let _already_gone = killpg(Pid::from_raw(pid), Signal::SIGKILL);
            let _reaped_before = self.0.wait();
        }
    }
}

impl Processes {
    /// Runs a command to its end with its output in `log`, whose last line is the step's life sign. Fails with the log's end.
    pub(crate) fn run(
        &self,
        what: &str,
        mut command: Command,
        log: &Path,
        progress: &Progress,
    ) -> anyhow::Result<()> {
        progress.follow(log);
        let status = self.run_status(what, &mut command, log)?;
        if !status.success() {
            bail!(
                "{what} failed ({status}); end of {}:\n{}",
                log.display(),
                tail(log, 40)
            );
        }
        Ok(())
    }

    /// The same, handing back the exit status.
    pub(crate) fn run_status(
        &self,
        what: &str,
        command: &mut Command,
        log: &Path,
    ) -> anyhow::Result<ExitStatus> {
        self.signals.check()?;
        let log = log.to_path_buf();
        let child = command.stdout(append(&log)?).stderr(append(&log)?).spawn();
        let mut child = Group(child.with_context(|| format!("cannot start {what}"))?);
        loop {
            if let Some(status) = child.0.try_wait()? {
                return Ok(status);
            }
            self.signals.check()?;
            thread::sleep(Duration::from_millis(30));
        }
    }

    /// Runs a command to its end and hands each line of its output to `on_line`; its errors go to `log`.
    pub(crate) fn stream(
        &self,
        what: &str,
        command: &mut Command,
        log: &Path,
        mut on_line: impl FnMut(&str),
    ) -> anyhow::Result<ExitStatus> {
        self.signals.check()?;
        let child = command
            .stdout(Stdio::piped())
            .stderr(append(&log.to_path_buf())?)
            .spawn();
        let mut child = Group(child.with_context(|| format!("cannot start {what}"))?);
        let output = child.0.stdout.take().context("a piped child has an output")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    return;
                }
            }
        });
        let mut ended = None;
        loop {
            match lines.recv_timeout(Duration::from_millis(100)) {
                Ok(line) => on_line(&line),
                Err(RecvTimeoutError::Disconnected) => break,
                // A grandchild may keep the pipe open after the child has ended: what has been written by then is all there is.
                Err(RecvTimeoutError::Timeout) if ended.is_some() => break,
                Err(RecvTimeoutError::Timeout) => {
                    self.signals.check()?;
                    ended = child.0.try_wait()?;
                }
            }
        }
        loop {
            if let Some(status) = child.0.try_wait()? {
                return Ok(status);
            }
            self.signals.check()?;
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Runs a short command and hands back what it printed.
    pub(crate) fn output(&self, what: &str, command: &mut Command) -> anyhow::Result<Output> {
        self.signals.check()?;
        command.output().with_context(|| format!("cannot start {what}"))
    }

    /// Runs a short command that must succeed and hands back its standard output.
    pub(crate) fn text(&self, what: &str, command: &mut Command) -> anyhow::Result<String> {
        let output = self.output(what, command)?;
        if !output.status.success() {
            bail!(
                "{what} failed ({}): {}",
                output.status,
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
