//! `policy`: decisions a second of one core on a document of 50 rules.

use super::Scale;
use super::measured::Measured;
use super::programs;
use super::row::{Row, Target};
use crate::context::Context;
use crate::ui::Progress;

/// Asked of one core, decisions a second.
const WANTED: f64 = 1_000_000.0;

pub(super) fn run(context: &Context, scale: Scale, progress: &Progress) -> anyhow::Result<Vec<Row>> {
    let program = programs::decisions(context, progress)?;
    progress.detail("deciding");
    let (samples, sample_ms) = scale.choose(("41", "200"), ("3", "5"));
    let mut command = context.processes.command(program);
    command.args([samples, sample_ms]);
    rows(&Measured::by(context, "policy", &mut command)?)
}

fn rows(measured: &Measured) -> anyhow::Result<Vec<Row>> {
    let row = |name: &str, series: &str| {
        anyhow::Ok(Row::of(name, &measured.series(series)?, "decisions/s").aims_at(Target::AtLeast(WANTED)))
    };
    Ok(vec![
        row("policy every rule equally often", "all")?,
        row("policy no rule holds", "unmatched")?,
    ])
}
