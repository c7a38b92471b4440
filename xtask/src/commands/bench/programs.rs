//! What is measured, and what measures: built before anything is timed.

use std::path::PathBuf;

use crate::artifacts;
use crate::context::Context;
use crate::ui::Progress;

/// The profile of the service and of what measures.
const PROFILE: &str = "bench-service";

/// Functions, and what measures them.
pub(super) struct Triggers {
    pub(super) bench: PathBuf,
    /// Folder with `challenge` and `verify`.
    pub(super) functions: PathBuf,
    pub(super) empty: PathBuf,
}

/// The program that decides over and over.
pub(super) fn decisions(context: &Context, progress: &Progress) -> anyhow::Result<PathBuf> {
    build(
        context,
        "decisions",
        &["--release", "--package", "step-up", "--example", "decisions"],
        progress,
    )?;
    Ok(context.target().join("release/examples/decisions"))
}

/// The service and what measures it; hands back the folder of the programs.
pub(super) fn service(context: &Context, progress: &Progress) -> anyhow::Result<PathBuf> {
    profiled(context, &["bench", "bench-ingest", "stepgate"], progress)
}

/// The functions as the demonstration runs them, one that does nothing, and what measures them.
pub(super) fn triggers(context: &Context, progress: &Progress) -> anyhow::Result<Triggers> {
    artifacts::build_for_host(context, progress)?;
    let functions = context.target().join("trigger");
    let measuring = profiled(context, &["bench"], progress)?;
    Ok(Triggers {
        bench: measuring.join("bench"),
        empty: measuring.join("empty_function"),
        functions,
    })
}

/// Programs of these packages, in the profile of what is measured; hands back their folder.
fn profiled(context: &Context, packages: &[&str], progress: &Progress) -> anyhow::Result<PathBuf> {
    let mut arguments = vec!["--profile", PROFILE, "--bins"];
    arguments.extend(packages.iter().flat_map(|package| ["--package", *package]));
    build(context, packages[0], &arguments, progress)?;
    Ok(context.target().join(PROFILE))
}

fn build(context: &Context, what: &str, arguments: &[&str], progress: &Progress) -> anyhow::Result<()> {
    let log = context.fresh_log(&format!("bench-build-{what}"))?;
    let mut build = context.processes.command(Context::cargo());
    build.arg("build").args(arguments).current_dir(&context.root);
    context
        .processes
        .run("building what is measured", build, &log, progress)
}
