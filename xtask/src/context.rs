//! Where things are, and what every command shares.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use sha2::{Digest, Sha256};

use crate::process::Processes;
use crate::ui::Ui;

/// What every command is given: the clone, the terminal, and whether somebody asked us to stop.
pub(crate) struct Context {
    /// Root of the clone, found from where this crate was compiled, not from the working directory.
    pub(crate) root: PathBuf,
    /// Steps and messages.
    pub(crate) ui: Ui,
    /// Our children, and whether we were asked to stop.
    pub(crate) processes: Processes,
}

impl Context {
    pub(crate) fn new() -> anyhow::Result<Self> {
        // `cargo run` names the package of the clone it was called in, also when clones share a target folder; the compiled-in path
        // serves a binary that is started by hand.
        let manifest = env::var_os("CARGO_MANIFEST_DIR")
            .map(PathBuf::from)
            .filter(|folder| folder.ends_with("xtask"))
            .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
        let root = manifest
            .join("..")
            .canonicalize()
            .with_context(|| format!("{} is gone", manifest.display()))?;
        let state = root.join(".stepgate");
        for folder in [&state, &state.join("logs")] {
            fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        let processes = Processes::open(&state, &short_hash(root.as_os_str().as_encoded_bytes(), 12))?;
        Ok(Self {
            root,
            ui: Ui::new(),
            processes,
        })
    }

    /// The ignored folder that holds everything we install, start or write.
    pub(crate) fn state(&self) -> PathBuf {
        self.root.join(".stepgate")
    }

    /// Output of every child.
    pub(crate) fn logs(&self) -> PathBuf {
        self.state().join("logs")
    }

    /// The log file of one child.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.logs().join(format!("{name}.log"))
    }

    /// The same, emptied.
    pub(crate) fn fresh_log(&self, name: &str) -> anyhow::Result<PathBuf> {
        let log = self.log(name);
        fs::write(&log, "").with_context(|| format!("cannot write {}", log.display()))?;
        Ok(log)
    }

    /// Cargo's target folder: `CARGO_TARGET_DIR` or `target/`.
    pub(crate) fn target(&self) -> PathBuf {
        env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| self.root.join("target"), |folder| self.root.join(folder))
    }

    /// The cargo that runs us, so that one toolchain does everything.
    pub(crate) fn cargo() -> PathBuf {
        env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
    }

    /// Twelve hex digits that tell this clone from any other on the machine.
    pub(crate) fn clone_id(&self) -> String {
        short_hash(self.root.as_os_str().as_encoded_bytes(), 12)
    }

    /// `path` as a person would type it from the root of the clone.
    pub(crate) fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.root)
            .unwrap_or(path)
            .display()
            .to_string()
    }
}

/// The first `digits` hex digits of the SHA-256 of `bytes`.
pub(crate) fn short_hash(bytes: &[u8], digits: usize) -> String {
    let mut text = hex(&Sha256::digest(bytes));
    text.truncate(digits);
    text
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _infallible = write!(text, "{byte:02x}");
            text
        })
}
