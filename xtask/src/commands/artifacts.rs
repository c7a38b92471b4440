//! `cargo xtask artifacts`: the triggers for this machine.

use std::process::ExitCode;

use crate::artifacts;
use crate::context::Context;

pub(crate) fn run(context: &Context) -> anyhow::Result<ExitCode> {
    context.ui.step("build triggers", |progress| {
        artifacts::build_for_host(context, progress)
    })?;
    Ok(ExitCode::SUCCESS)
}
