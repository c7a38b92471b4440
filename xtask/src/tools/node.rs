//! The Node packages in `.stepgate/node`: pinned with integrity hashes by `xtask/node/package-lock.json`, installed anew
//! only when that changes. Node itself is looked for, never installed.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::context::Context;
use crate::tools::find_on_path;
use crate::tools::python::{read, setup_lock, stamp};
use crate::ui::Progress;

const OLDEST: u32 = 20;

/// An installed set of packages.
pub(crate) struct NodePackages {
    folder: PathBuf,
    /// Version of Node, for people.
    pub(crate) version: String,
}

impl NodePackages {
    /// Installs the packages or finds them as they should be; `None` where there is no Node that could run them.
    pub(crate) fn ready(context: &Context, progress: &Progress) -> anyhow::Result<Option<Self>> {
        let (Some(node), Some(npm)) = (find_on_path("node"), find_on_path("npm")) else {
            return Ok(None);
        };
        let output = Command::new(node)
            .arg("--version")
            .output()
            .context("node does not start")?;
        let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let major = version
            .trim_start_matches('v')
            .split('.')
            .next()
            .unwrap_or_default();
        if major.parse::<u32>().is_ok_and(|major| major < OLDEST) {
            return Ok(None);
        }
        let _lock = setup_lock(context, progress)?;
        let source = context.root.join("xtask/node");
        let folder = context.state().join("node");
        let lock_file = read(&source.join("package-lock.json"))?;
        let stamp = stamp(&lock_file, &version);
        let stamp_file = folder.join("stepgate-stamp");
        let packages = Self { folder, version };
        if fs::read_to_string(&stamp_file).is_ok_and(|found| found == stamp) {
            return Ok(Some(packages));
        }
        progress.detail("installing the Node packages");
        fs::create_dir_all(&packages.folder)?;
        for file in ["package.json", "package-lock.json"] {
            fs::copy(source.join(file), packages.folder.join(file))
                .with_context(|| format!("cannot copy {file}"))?;
        }
        let log = context.fresh_log("npm")?;
        let mut install = context.processes.command(npm);
        // Registry, proxy and certificates are npm's own configuration; what packages want to run at installation is not run.
        install.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
        install.current_dir(&packages.folder);
        context.processes.run("npm ci", install, &log, progress)?;
        fs::write(&stamp_file, stamp).with_context(|| format!("cannot write {}", stamp_file.display()))?;
        Ok(Some(packages))
    }

    /// A program of one of the packages.
    pub(crate) fn program(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.folder.join("node_modules/.bin").join(name);
        if !path.exists() {
            bail!(
                "{name} is not among the Node packages; remove {} and try again",
                self.folder.display()
            );
        }
        Ok(path)
    }
}
