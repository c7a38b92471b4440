//! The browser SDK, run by Node: what an app's page does with what an attacker sends it.
//!
//! The script is `sdk/web/test/hostile.js`. It hands the SDK real challenges in a page that is only as much of a browser as the SDK
//! touches; the same trials in a real browser are in `sdk/web/e2e/`.

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::Value;
use std::path::PathBuf;
use std::process::Stdio;
use tokio::io::AsyncWriteExt as _;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk/web/test/hostile.js");

/// What the script tells.
#[derive(Debug, Deserialize)]
pub struct Told {
    /// What was tried.
    pub trials: Vec<SdkTrial>,
    /// What the SDK hands to Cognito after the genuine message, when one was asked for.
    #[serde(default)]
    pub answer: Option<String>,
}

/// One trial.
#[derive(Debug, Deserialize)]
pub struct SdkTrial {
    /// What was tried.
    pub what: String,
    /// Whether the SDK did not fall for it.
    pub refused: bool,
    /// The SDK's error code, or why it ignored the message.
    pub reason: String,
}

/// The Node that runs it: `STEPGATE_TEST_NODE`, or the one on the PATH. `None` without Node, or without the sources.
pub fn node() -> Option<PathBuf> {
    let given = std::env::var_os("STEPGATE_TEST_NODE").map(PathBuf::from);
    let on_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path)
            .map(|folder| folder.join("node"))
            .find(|program| program.is_file())
    };
    given.or_else(on_path).filter(|_| PathBuf::from(SCRIPT).is_file())
}

/// Runs the script with this input.
pub async fn run(input: &Value) -> anyhow::Result<Told> {
    let mut child = tokio::process::Command::new(node().context("no Node")?)
        .arg(SCRIPT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut stdin = child.stdin.take().context("a piped child has an input")?;
    stdin.write_all(input.to_string().as_bytes()).await?;
    drop(stdin);
    let output = child.wait_with_output().await?;
    anyhow::ensure!(
        output.status.success(),
        "the SDK's script failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).context("the SDK's script did not tell its trials")
}
