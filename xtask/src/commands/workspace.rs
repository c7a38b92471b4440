//! What cargo knows about the packages of this workspace.

use std::path::PathBuf;

use anyhow::Context as _;
use serde::Deserialize;

use crate::context::Context;

/// One package of the workspace.
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) has_library: bool,
    /// Names of its direct dependencies.
    pub(crate) dependencies: Vec<String>,
    /// The root file of each of its targets.
    pub(crate) roots: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    targets: Vec<Target>,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
    src_path: PathBuf,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
}

/// Asks cargo.
pub(crate) fn members(context: &Context) -> anyhow::Result<Vec<Member>> {
    let mut command = context.processes.command(Context::cargo());
    command
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(&context.root);
    let text = context.processes.text("cargo metadata", &mut command)?;
    let metadata: Metadata =
        serde_json::from_str(&text).context("cargo metadata printed something unexpected")?;
    Ok(metadata.packages.into_iter().map(member).collect())
}

fn member(package: Package) -> Member {
    Member {
        has_library: package
            .targets
            .iter()
            .any(|target| target.kind.iter().any(|kind| kind == "lib")),
        dependencies: package
            .dependencies
            .into_iter()
            .map(|dependency| dependency.name)
            .collect(),
        roots: package
            .targets
            .into_iter()
            .map(|target| target.src_path)
            .collect(),
        name: package.name,
    }
}
