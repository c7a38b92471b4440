//! Tools that only a package manager has.
//!
//! Used where present; installed where xtask may (root on Debian or Ubuntu); otherwise the caller hears the command that installs them,
//! and lists what it had to skip. With `CI=true` such a skip is a failure ([`missing_is_failure`]).

use std::env;
use std::path::Path;

use crate::context::Context;
use crate::tools::{find_on_path, is_root};
use crate::ui::Progress;

/// One tool and the packages that bring it.
pub(crate) struct PackagedTool {
    /// What a person calls it.
    pub(crate) name: &'static str,
    /// Debian and Ubuntu packages.
    pub(crate) apt: &'static [&'static str],
    /// Homebrew formula.
    pub(crate) brew: &'static str,
}

/// Needed only where no wheel exists, which is Linux on arm64.
pub(crate) const POSTGRES: PackagedTool = PackagedTool {
    name: "Postgres",
    apt: &["postgresql"],
    brew: "postgresql@16",
};
/// Debian splits `ensurepip` off the interpreter.
pub(crate) const PYTHON_VENV: PackagedTool = PackagedTool {
    name: "Python's venv module",
    apt: &["python3-venv"],
    brew: "python@3.12",
};

/// Puts container images together.
pub(crate) const BUILDAH: PackagedTool = PackagedTool {
    name: "buildah",
    apt: &["buildah"],
    brew: "buildah",
};

/// Drives the end-to-end tests of the browser SDK.
pub(crate) const CHROMIUM: PackagedTool = PackagedTool {
    name: "Chromium",
    apt: &["chromium", "fonts-dejavu-core"],
    brew: "--cask chromium",
};

impl PackagedTool {
    /// The command a person runs to get it.
    pub(crate) fn install_command(&self) -> String {
        if cfg!(target_os = "macos") {
            format!("brew install {}", self.brew)
        } else {
            format!("sudo apt-get install {}", self.apt.join(" "))
        }
    }

    /// Installs it when we may; `Ok(false)` when we may not or the package manager could not.
    pub(crate) fn install(&self, context: &Context, progress: &Progress) -> anyhow::Result<bool> {
        if !is_root() || !Path::new("/etc/debian_version").exists() || find_on_path("apt-get").is_none() {
            return Ok(false);
        }
        let log = context.fresh_log("apt-get")?;
        progress.detail(format!("installing {}", self.name));
        progress.follow(&log);
        let apt_get = |arguments: &[&str]| {
            let mut command = context.processes.command("apt-get");
            command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
            // A database package would otherwise make and start a cluster of its own.
            command.env("PG_CREATECLUSTER_ARGUMENTS", "--no-start");
            context.processes.run_status("apt-get", &mut command, &log)
        };
        let install: Vec<&str> = ["install", "-y", "--no-install-recommends"]
            .into_iter()
            .chain(self.apt.iter().copied())
            .collect();
        // Package lists may be missing (a fresh container) or old: refresh them only when the first try fails.
        Ok(apt_get(&install)?.success() || (apt_get(&["update"])?.success() && apt_get(&install)?.success()))
    }
}

/// Whether a check that cannot run for want of a tool counts as failed: on build servers, which must have everything.
pub(crate) fn missing_is_failure() -> bool {
    env::var("CI").is_ok_and(|value| value == "true" || value == "1")
}
