//! Trigger artifacts: one zip a function with one executable called `bootstrap`, and a manifest with their digests.
//!
//! The same executable gives the same zip, byte for byte: the cell names artifacts by digest, and an unchanged build must not look new.

use std::env::consts;
use std::fs;
use std::io::{Cursor, Write as _};
use std::path::Path;

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::context::Context;
use crate::ui::Progress;

/// The functions that are built; their names are binaries of the package `triggers`.
pub(crate) const FUNCTIONS: [&str; 3] = ["challenge", "verify", "forwarder"];

#[derive(Serialize)]
struct Manifest {
    version: &'static str,
    architecture: &'static str,
    artifacts: serde_json::Map<String, serde_json::Value>,
}

#[derive(Serialize)]
struct Artifact {
    file: String,
    sha256_base64: String,
    size_bytes: usize,
}

/// Builds the triggers for this machine and writes `.stepgate/artifacts/`.
pub(crate) fn build_for_host(context: &Context, progress: &Progress) -> anyhow::Result<()> {
    let log = context.fresh_log("build-triggers")?;
    let mut build = context.processes.command(Context::cargo());
    build
        .args(["build", "--package", "triggers", "--bins", "--profile", "trigger"])
        .current_dir(&context.root);
    context
        .processes
        .run("building the triggers", build, &log, progress)?;
    let folder = context.state().join("artifacts");
    let note = write_artifacts(&context.target().join("trigger"), &folder, architecture_of_host())?;
    progress.set_note(note);
    Ok(())
}

/// Builds the service, the BlockID simulator and the demonstration's app for this machine.
pub(crate) fn build_programs(context: &Context, progress: &Progress) -> anyhow::Result<()> {
    build(
        context,
        "building the service, the simulator and the app",
        &["stepgate", "blockid-sim", "demo-app"],
        progress,
    )
}

/// Builds what a chaos run consists of.
pub(crate) fn build_for_chaos(context: &Context, progress: &Progress) -> anyhow::Result<()> {
    build(
        context,
        "building the service, the simulator and the proxy",
        &["stepgate", "blockid-sim", "fault-proxy"],
        progress,
    )
}

/// Builds the BlockID simulator.
pub(crate) fn build_simulator(context: &Context, progress: &Progress) -> anyhow::Result<()> {
    build(context, "building the simulator", &["blockid-sim"], progress)
}

/// Builds the attack catalogue's program, together with those that it attacks.
pub(crate) fn build_attacks(context: &Context, progress: &Progress) -> anyhow::Result<()> {
    build(
        context,
        "building the attack catalogue",
        &["attacks", "stepgate", "blockid-sim"],
        progress,
    )
}

/// Builds some of the workspace's programs. Dependencies' features are chosen over the whole workspace, as the tests' are: chosen for
/// a few packages they would be others, and hundreds of crates be compiled once more.
fn build(
    context: &Context,
    what: &'static str,
    programs: &[&str],
    progress: &Progress,
) -> anyhow::Result<()> {
    let log = context.fresh_log("build-programs")?;
    let mut build = context.processes.command(Context::cargo());
    build.args(["build", "--workspace"]).current_dir(&context.root);
    for program in programs {
        build.args(["--bin", program]);
    }
    context.processes.run(what, build, &log, progress)
}

/// Lambda's name of this machine's architecture.
pub(crate) fn architecture_of_host() -> &'static str {
    if consts::ARCH == "aarch64" {
        "arm64"
    } else {
        "x86_64"
    }
}

/// Zips the executables in `built` into `folder`; hands back a line for people.
pub(crate) fn write_artifacts(
    built: &Path,
    folder: &Path,
    architecture: &'static str,
) -> anyhow::Result<String> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut artifacts = serde_json::Map::new();
    let mut sizes = Vec::new();
    for function in FUNCTIONS {
        let program = built.join(function);
        let executable = fs::read(&program).with_context(|| format!("cannot read {}", program.display()))?;
        let bytes = zip_bootstrap(&executable)?;
        let file = format!("{function}.zip");
        replace(&folder.join(&file), &bytes)?;
        sizes.push(format!("{function} {} KiB", bytes.len() / 1024));
        let artifact = Artifact {
            file,
            sha256_base64: BASE64_STANDARD.encode(Sha256::digest(&bytes)),
            size_bytes: bytes.len(),
        };
        artifacts.insert(function.to_owned(), serde_json::to_value(artifact)?);
    }
    let manifest = Manifest {
        version: env!("CARGO_PKG_VERSION"),
        architecture,
        artifacts,
    };
    let mut text = serde_json::to_string_pretty(&manifest)?;
    text.push('\n');
    replace(&folder.join("manifest.json"), text.as_bytes())?;
    Ok(format!("{architecture}: {}", sizes.join(", ")))
}

/// Writes through a neighbour, so that a reader never sees half a file.
fn replace(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let temporary = path.with_extension("new");
    fs::write(&temporary, bytes)
        .and_then(|()| fs::rename(&temporary, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// A zip with one executable file and no time in it.
fn zip_bootstrap(executable: &[u8]) -> anyhow::Result<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(9))
        .last_modified_time(DateTime::default())
        .unix_permissions(0o755);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("bootstrap", options)?;
    writer.write_all(executable)?;
    Ok(writer.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::random_hex;

    #[test]
    fn the_same_executable_gives_the_same_zip() {
        let executable: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        let first = zip_bootstrap(&executable).unwrap();
        assert_eq!(first, zip_bootstrap(&executable).unwrap());
        assert_ne!(first, zip_bootstrap(&executable[1..]).unwrap());
        assert!(first.len() < executable.len(), "compressed");
    }

    #[test]
    fn the_zip_holds_one_file_that_may_be_run() {
        let bytes = zip_bootstrap(b"program").unwrap();
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        assert_eq!(archive.len(), 1);
        let entry = archive.by_index(0).unwrap();
        assert_eq!(entry.name().unwrap(), "bootstrap");
        assert_eq!(entry.unix_mode().map(|mode| mode & 0o777), Some(0o755));
    }

    #[test]
    fn the_manifest_names_what_was_written() {
        let base = std::env::temp_dir().join(format!("stepgate-artifacts-{}", random_hex(4).unwrap()));
        fs::create_dir_all(&base).unwrap();
        for function in FUNCTIONS {
            fs::write(base.join(function), function).unwrap();
        }
        write_artifacts(&base, &base.join("out"), "arm64").unwrap();
        let manifest: serde_json::Value =
            serde_json::from_slice(&fs::read(base.join("out/manifest.json")).unwrap()).unwrap();
        assert_eq!(manifest["architecture"], "arm64");
        let written = fs::read(base.join("out/verify.zip")).unwrap();
        assert_eq!(manifest["artifacts"]["verify"]["size_bytes"], written.len());
        assert_eq!(
            manifest["artifacts"]["verify"]["sha256_base64"],
            BASE64_STANDARD.encode(Sha256::digest(&written))
        );
        fs::remove_dir_all(base).unwrap();
    }
}
