//! `cargo xtask services`: Postgres and the AWS emulator for tests run by hand.

use std::process::ExitCode;

use clap::Args;

use crate::artifacts;
use crate::context::Context;
use crate::services::lock;
use crate::services::ports::Ports;
use crate::services::{EnvironmentFile, Services};
use crate::tools::Tools;
use crate::ui::Tone;

/// What `services` may be told.
#[derive(Args)]
pub(crate) struct Options {
    /// Fixed ports counted from here, instead of free ones.
    #[arg(long, value_name = "PORT")]
    port_base: Option<u16>,
    /// Do not build the programs and trigger artifacts that the end-to-end tests use.
    #[arg(long)]
    no_build: bool,
}

pub(crate) fn run(context: &Context, options: &Options) -> anyhow::Result<ExitCode> {
    lock::take(context, "services")?;
    let tools = context
        .ui
        .step("tools", |progress| Tools::ready(context, progress))?;
    let services = Services::start(context, &tools, &Ports::from_base(options.port_base))?;
    let environment = services.test_environment(context, &tools);
    let file = EnvironmentFile::write(context, &environment)?;
    if !options.no_build {
        context.ui.step("build programs", |progress| {
            artifacts::build_programs(context, progress)
        })?;
        context.ui.step("build triggers", |progress| {
            artifacts::build_for_host(context, progress)
        })?;
    }
    context.ui.line(
        Tone::Bold,
        &format!(
            "\nup until Ctrl-C; tests find them by {}:",
            context.shown(file.path())
        ),
    );
    for (name, value) in &environment {
        context.ui.line(Tone::Plain, &format!("  {name}={value}"));
    }
    context.processes.wait_for_signal()?;
    Ok(ExitCode::SUCCESS)
}
