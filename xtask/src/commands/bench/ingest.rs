//! `ingest`: queue messages into the database, in turns with COPY of such rows into the same table.

use super::Scale;
use super::measured::Measured;
use super::row::{Row, Target};
use super::service::Stand;
use crate::context::Context;
use crate::services::Services;
use crate::ui::Progress;

pub(super) fn run(
    context: &Context,
    services: &Services,
    scale: Scale,
    progress: &Progress,
) -> anyhow::Result<Vec<Row>> {
    let stand = Stand::start(context, services, "bench_ingest", scale.choose(40, 2), progress)?;
    progress.detail("storing events");
    let (rounds, events) = scale.choose(("7", "60000"), ("1", "1000"));
    let mut command = stand.program(
        "bench-ingest",
        &["--rounds", rounds, "--events", events, "--per-message", "250"],
    );
    let measured = Measured::by(context, "ingest", &mut command)?;
    let (ours, copy) = (measured.series("ingest")?, measured.series("copy")?);
    Ok(vec![
        Row::of("ingest stored and counted", &ours, "events/s").aims_at(Target::AtLeast(30_000.0)),
        Row::of("ingest beside COPY", &ours, "events/s")
            .beside("COPY, not counted", &copy)
            .aims_at(Target::RatioAtLeast(0.5)),
    ])
}
