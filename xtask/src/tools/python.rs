//! The private Python environment `.stepgate/venv`: pinned versions, checked by hash, rebuilt only when something changed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use sha2::{Digest, Sha256};

use crate::context::{Context, hex};
use crate::tools::find_on_path;
use crate::tools::packages::PYTHON_VENV;
use crate::ui::Progress;

const OLDEST: (u32, u32) = (3, 10);
const CANDIDATES: [&str; 6] = [
    "python3",
    "python3.14",
    "python3.13",
    "python3.12",
    "python3.11",
    "python3.10",
];

/// An environment with everything of `xtask/python/requirements.txt` in it.
#[derive(Clone)]
pub(crate) struct Venv {
    /// Its folder.
    pub(crate) folder: PathBuf,
    /// Version of its interpreter, for people.
    pub(crate) version: String,
}

/// An interpreter found on the machine.
struct Interpreter {
    path: PathBuf,
    /// `3.11.7`
    version: String,
    /// Whether `ensurepip` is there, without which a virtual environment has no pip.
    has_venv: bool,
}

impl Venv {
    /// The environment's interpreter.
    pub(crate) fn python(&self) -> PathBuf {
        self.program("python")
    }

    /// A program installed in the environment.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.folder.join("bin").join(name)
    }

    /// The environment of the development tools.
    pub(crate) fn ready(context: &Context, progress: &Progress) -> anyhow::Result<Self> {
        Self::ready_from(context, "venv", "requirements.txt", "ministack", progress)
    }

    /// Makes the environment `name` from a requirements file, or finds it as it should be; `module` proves that it works.
    pub(crate) fn ready_from(
        context: &Context,
        name: &str,
        requirements: &str,
        module: &str,
        progress: &Progress,
    ) -> anyhow::Result<Self> {
        let _lock = setup_lock(context, progress)?;
        let interpreter = find_interpreter(context, progress)?;
        let requirements = context.root.join("xtask/python").join(requirements);
        let stamp = stamp(
            &read(&requirements)?,
            &format!("{} {}", interpreter.path.display(), interpreter.version),
        );
        let venv = Self {
            folder: context.state().join(name),
            version: interpreter.version,
        };
        let stamp_file = venv.folder.join("stepgate-stamp");
        if fs::read_to_string(&stamp_file).is_ok_and(|found| found == stamp) && venv.has(module) {
            return Ok(venv);
        }
        progress.detail("making the Python environment");
        if venv.folder.exists() {
            fs::remove_dir_all(&venv.folder)
                .with_context(|| format!("cannot remove {}", venv.folder.display()))?;
        }
        let log = context.fresh_log("python")?;
        let mut create = context.processes.command(&interpreter.path);
        create.args(["-m", "venv"]).arg(&venv.folder);
        context
            .processes
            .run("making the Python environment", create, &log, progress)?;
        let mut install = context.processes.command(venv.python());
        // Registry, proxy and certificates are pip's own configuration.
        install.args([
            "-m",
            "pip",
            "install",
            "--require-hashes",
            "--no-input",
            "--disable-pip-version-check",
            "-r",
        ]);
        install.arg(&requirements);
        context.processes.run("pip install", install, &log, progress)?;
        fs::write(&stamp_file, stamp).with_context(|| format!("cannot write {}", stamp_file.display()))?;
        Ok(venv)
    }

    /// Whether its interpreter still runs and finds `module`: the one it was made from may have been removed.
    fn has(&self, module: &str) -> bool {
        let script = format!("import importlib.util as u, sys; sys.exit(u.find_spec('{module}') is None)");
        Command::new(self.python())
            .args(["-c", &script])
            .output()
            .is_ok_and(|output| output.status.success())
    }
}

/// Held while `.stepgate/venv` and the like are written; waits for another xtask that does so.
pub(crate) fn setup_lock(context: &Context, progress: &Progress) -> anyhow::Result<File> {
    let path = context.state().join("setup.lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path);
    let file = file.with_context(|| format!("cannot write {}", path.display()))?;
    if file.try_lock().is_err() {
        progress.detail("waiting for another xtask that prepares the same tools");
        while file.try_lock().is_err() {
            context.processes.signals.check()?;
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }
    Ok(file)
}

/// Changes with the requirements and the interpreter, and with nothing else.
pub(crate) fn stamp(requirements: &str, interpreter: &str) -> String {
    hex(&Sha256::new()
        .chain_update(requirements)
        .chain_update([0])
        .chain_update(interpreter)
        .finalize())
}

/// Reads a requirements file.
pub(crate) fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn find_interpreter(context: &Context, progress: &Progress) -> anyhow::Result<Interpreter> {
    let found: Vec<Interpreter> = CANDIDATES.iter().filter_map(|name| inspect(name)).collect();
    let Some(without_venv) = found.iter().position(|interpreter| !interpreter.has_venv) else {
        return found.into_iter().next().context(format!(
            "missing on this machine:\n  Python {}.{} or later: `sudo apt-get install python3 python3-venv`, on macOS `brew install python@3.12`",
            OLDEST.0, OLDEST.1
        ));
    };
    if let Some(complete) = found.iter().position(|interpreter| interpreter.has_venv) {
        return found
            .into_iter()
            .nth(complete)
            .context("the position was just found");
    }
    if PYTHON_VENV.install(context, progress)?
        && let Some(complete) = CANDIDATES
            .iter()
            .filter_map(|name| inspect(name))
            .find(|interpreter| interpreter.has_venv)
    {
        return Ok(complete);
    }
    let (path, install) = (found[without_venv].path.display(), PYTHON_VENV.install_command());
    bail!(
        "missing on this machine:\n  {} for {path}: `{install}`",
        PYTHON_VENV.name
    );
}

/// What an interpreter says about itself; `None` when it is absent, broken or too old.
fn inspect(name: &str) -> Option<Interpreter> {
    let path = find_on_path(name)?;
    // `sys.executable` looks through version managers' shims; asked for `ensurepip` because Debian leaves it out.
    let script = "import sys, importlib.util as u; v = sys.version_info; \
                  print(sys.executable); print('%d.%d.%d' % v[:3]); print(u.find_spec('ensurepip') is not None and u.find_spec('venv') is not None)";
    let output = Command::new(path)
        .args(["-c", script])
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    parse_inspection(&String::from_utf8_lossy(&output.stdout))
}

fn parse_inspection(text: &str) -> Option<Interpreter> {
    let mut lines = text.lines();
    let (path, version, has_venv) = (lines.next()?, lines.next()?, lines.next()?);
    let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
    let supported = (numbers.next()?, numbers.next()?) >= OLDEST;
    supported.then(|| Interpreter {
        path: path.into(),
        version: version.to_owned(),
        has_venv: has_venv == "True",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stamp_changes_with_requirements_and_interpreter() {
        let base = stamp("a==1", "python 3.11.7");
        assert_eq!(base, stamp("a==1", "python 3.11.7"));
        assert_ne!(base, stamp("a==2", "python 3.11.7"));
        assert_ne!(base, stamp("a==1", "python 3.12.1"));
        assert_ne!(
            stamp("a==1p", "ython"),
            stamp("a==1", "python"),
            "the two parts do not run together"
        );
    }

    #[test]
    fn old_interpreters_are_not_taken() {
        assert!(parse_inspection("/usr/bin/python3\n3.9.18\nTrue\n").is_none());
        let taken = parse_inspection("/usr/bin/python3\n3.10.0\nFalse\n").unwrap();
        assert_eq!((taken.version.as_str(), taken.has_venv), ("3.10.0", false));
        assert!(parse_inspection("/usr/bin/python4\n4.0.0\nTrue\n").is_some());
        assert!(parse_inspection("").is_none());
    }

    #[test]
    fn every_requirement_is_pinned_and_hashed() {
        for text in [
            include_str!("../../python/requirements.txt"),
            include_str!("../../python/requirements-postgres.txt"),
            include_str!("../../python/requirements-package.txt"),
            include_str!("../../python/requirements-deploy.txt"),
            include_str!("../../python/requirements-node.txt"),
            include_str!("../../python/requirements-openapi.txt"),
            include_str!("../../python/requirements-fuzz-api.txt"),
        ] {
            let joined = text.replace("\\\n", " ");
            for line in joined
                .lines()
                .filter(|line| !line.is_empty() && !line.starts_with('#'))
            {
                assert!(line.contains("==") && line.contains("--hash=sha256:"), "{line}");
            }
        }
    }
}
