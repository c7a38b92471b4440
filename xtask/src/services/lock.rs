//! One xtask of a clone runs services at a time; tests run by hand may use them alongside.

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};

use anyhow::{Context as _, bail};

use crate::context::Context;
use crate::services::EnvironmentFile;

/// Takes the lock for `command`, or says who has it. It is given back after the last child has ended, or when we die, however we die.
pub(crate) fn take(context: &Context, command: &str) -> anyhow::Result<()> {
    match try_take(context, command)? {
        None => Ok(()),
        Some(Holder { pid, command }) => {
            bail!(
                "`cargo xtask {command}` (pid {pid}) runs in this clone already: end it first, or use another clone"
            )
        }
    }
}

/// Takes the lock, or hands back who has it.
pub(crate) fn try_take(context: &Context, command: &str) -> anyhow::Result<Option<Holder>> {
    let path = context.state().join("services.lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&path);
    let mut file = file.with_context(|| format!("cannot write {}", path.display()))?;
    if file.try_lock().is_err() {
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let (pid, command) = text.trim().split_once(' ').unwrap_or(("?", "…"));
        return Ok(Some(Holder {
            pid: pid.to_owned(),
            command: command.to_owned(),
        }));
    }
    EnvironmentFile::forget(context); // what a killed run left there leads nowhere
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{} {command}", std::process::id())?;
    context.processes.hold(file);
    Ok(None)
}

/// Who has the lock.
pub(crate) struct Holder {
    pub(crate) pid: String,
    pub(crate) command: String,
}
