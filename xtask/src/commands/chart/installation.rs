//! The commands of `docs/install.md`, run as they stand: the service starts with the arguments and variables that the chart renders.

use crate::commands::test::tally::Tally;
use crate::context::Context;
use crate::services::Services;
use crate::tools::Tools;
use crate::tools::python::Venv;
use crate::ui::Progress;

/// Runs them against Postgres and an AWS emulator; programs and artifacts must have been built.
pub(crate) fn installation(
    context: &Context,
    venv: &Venv,
    tools: &Tools,
    services: &Services,
    tally: &mut Tally,
    progress: &Progress,
) -> anyhow::Result<()> {
    let mut command = context.processes.command(venv.python());
    command
        .arg(context.root.join("xtask/python/chart/install.py"))
        .arg(&context.root)
        .arg("--stepgate")
        .arg(context.target().join("debug/stepgate"))
        .arg("--simulator")
        .arg(context.target().join("debug/blockid-sim"))
        .arg("--artifacts")
        .arg(context.state().join("artifacts"))
        .arg("--psql")
        .arg(tools.postgres.bin.join("psql"))
        // One of its own: it evaluates policies, and the shared one does not.
        .arg("--ministack")
        .arg(tools.venv.program("ministack"))
        .arg("--logs")
        .arg(context.logs())
        // Not an argument: it holds a password.
        .env("STEPGATE_TEST_DATABASE_URL", services.postgres.url("postgres"));
    super::count(context, "installation", command, tally, progress)
}
