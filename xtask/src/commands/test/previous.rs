//! The service of an earlier release, for the tests of updates.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};

use crate::context::Context;
use crate::ui::Progress;

/// Where the tests look for the program.
pub(super) const VARIABLE: &str = "STEPGATE_TEST_PREVIOUS_STEPGATE";

/// Builds the service of a commit or tag in a folder of its own, and hands back the program's path.
pub(super) fn build(context: &Context, revision: &str, progress: &Progress) -> anyhow::Result<String> {
    let folder = context.state().join("previous");
    let source = folder.join("source");
    check_out(context, revision, &source)?;
    let log = context.fresh_log("build-previous")?;
    let target = folder.join("target");
    let mut build = context.processes.command(Context::cargo());
    build
        .args(["build", "--workspace", "--bin", "stepgate", "--target-dir"])
        .arg(&target)
        .current_dir(&source);
    context
        .processes
        .run("building the previous release", build, &log, progress)?;
    progress.set_note(revision);
    Ok(target.join("debug/stepgate").display().to_string())
}

/// The files of a revision. Those that are there already and the same keep their times: cargo builds again what changed.
fn check_out(context: &Context, revision: &str, source: &Path) -> anyhow::Result<()> {
    let git = |arguments: &[&str]| {
        let mut command = context.processes.command("git");
        command.args(arguments).current_dir(&context.root);
        context.processes.text("git", &mut command)
    };
    let commit = git(&[
        "rev-parse",
        "--verify",
        "--quiet",
        &format!("{revision}^{{commit}}"),
    ]);
    let Ok(commit) = commit else {
        bail!(
            "there is no revision `{revision}` here; a shallow clone gets more with `git fetch --unshallow --tags`"
        );
    };
    let at = source.display().to_string();
    if source.join(".git").exists() {
        let mut command = context.processes.command("git");
        command
            .args(["checkout", "--quiet", "--force", "--detach", commit.trim()])
            .current_dir(source);
        context.processes.text("git checkout", &mut command)?;
        return Ok(());
    }
    fs::create_dir_all(source).with_context(|| format!("cannot make {at}"))?;
    // What a removed folder left behind in the list of worktrees.
    git(&["worktree", "prune"])?;
    git(&[
        "worktree",
        "add",
        "--quiet",
        "--force",
        "--detach",
        &at,
        commit.trim(),
    ])?;
    Ok(())
}
