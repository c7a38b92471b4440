//! What must be on the machine, and how it gets there.
//!
//! - Prerequisites are looked for and named, never installed: Rust, git, a C compiler, Python 3.10 or later with venv.
//! - What Python packages give goes into the private environment `.stepgate/venv` ([`python`]).
//! - Node, for the browser SDK, is the machine's or comes from a wheel ([`node`]); the browser is the machine's ([`browser`]).
//! - What only a package manager has is used where present and installed where we may ([`packages`]).

pub(crate) mod browser;
pub(crate) mod node;
pub(crate) mod packages;
pub(crate) mod postgres_binaries;
pub(crate) mod promtool;
pub(crate) mod python;

use std::env;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::bail;

use crate::context::Context;
use crate::tools::postgres_binaries::PostgresBinaries;
use crate::tools::python::Venv;
use crate::ui::Progress;

/// Everything the commands use beside cargo.
pub(crate) struct Tools {
    pub(crate) venv: Venv,
    pub(crate) postgres: PostgresBinaries,
}

impl Tools {
    /// Checks the prerequisites and gets the rest.
    pub(crate) fn ready(context: &Context, progress: &Progress) -> anyhow::Result<Self> {
        check_prerequisites()?;
        let venv = Venv::ready(context, progress)?;
        let postgres = PostgresBinaries::find(context, &venv, progress)?;
        progress.set_note(format!(
            "Python {}, Postgres {} ({})",
            venv.version,
            postgres.version,
            postgres.bin.display()
        ));
        Ok(Self { venv, postgres })
    }
}

/// Fails with everything that is missing at once, and how to get it.
fn check_prerequisites() -> anyhow::Result<()> {
    let mut missing = Vec::new();
    if find_on_path("git").is_none() {
        missing.push("git: `sudo apt-get install git`, on macOS `xcode-select --install`");
    }
    if ["cc", "gcc", "clang"]
        .iter()
        .all(|compiler| find_on_path(compiler).is_none())
    {
        missing
            .push("a C compiler: `sudo apt-get install build-essential`, on macOS `xcode-select --install`");
    }
    if find_on_path("cargo").is_none() {
        missing.push("cargo on the PATH: see https://rustup.rs");
    }
    if missing.is_empty() {
        return Ok(());
    }
    bail!("missing on this machine:\n  {}", missing.join("\n  "));
}

/// The first executable file called `program` on the PATH.
pub(crate) fn find_on_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(program))
        .find(|path| is_executable(path))
}

/// Whether `path` is a file that may be run.
pub(crate) fn is_executable(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// Whether we run as root.
pub(crate) fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}
