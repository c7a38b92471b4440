//! `cargo xtask bench`: how fast things are, beside their limit or what people use instead, in the same run.
//!
//! | module | holds |
//! | --- | --- |
//! | one a bench | what is built, run in turns, and compared |
//! | [`measured`] | what the measuring programs (`crates/bench/`, an example of `step-up`) print |
//! | [`service`], [`statements`] | a running API with tenants; what it asks of the database, for pgbench |
//! | [`fleet`] | workers in front of an AWS with real quotas and latencies |
//! | [`statistics`], [`row`] | samples, medians, ratios, targets |
//! | [`document`], [`picture`], [`machine`] | `docs/performance.md` |
//!
//! A figure that is missed is shown and fails nothing: a busy machine must not turn a build red. To add a bench: a variant of
//! [`Bench`], a file here, its row in the page.

mod api;
mod document;
mod fleet;
mod idle;
mod ingest;
mod machine;
mod measured;
mod picture;
mod policy;
mod programs;
mod reconcile;
mod reports;
mod row;
mod service;
mod size;
mod statements;
mod statistics;
mod triggers;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use self::row::{Outcome, Row, figure};
use crate::context::Context;
use crate::process::Interrupted;
use crate::services::ports::Ports;
use crate::services::{Services, lock};
use crate::tools::Tools;
use crate::ui::{Progress, Tone};

/// What `bench` may be told.
#[derive(Args)]
pub(crate) struct Options {
    /// Which; by default each in turn.
    #[arg(value_enum)]
    names: Vec<Bench>,
    /// Writes `[{name, value, unit, baseline, ratio, target, reached}]` there.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Puts what was measured into docs/performance.md and its pictures.
    #[arg(long)]
    docs: bool,
    /// Tenants that `reconcile` onboards.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    tenants: u32,
    /// Workers that onboard them in `reconcile`.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=32))]
    workers: u32,
    /// Minutes for which `idle` looks on.
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(2..=600))]
    minutes: u32,
    /// Measures next to nothing, to see that everything works.
    #[arg(long, conflicts_with = "docs")]
    tiny: bool,
}

/// One bench.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Bench {
    /// Decisions on a document of 50 rules.
    Policy,
    /// The functions' zips as packaged.
    ArtifactSize,
    /// From the start of a function to its first answer.
    TriggersCold,
    /// Calls of running functions.
    TriggersWarm,
    /// Queue messages into the database.
    Ingest,
    /// A month by the hour of one tenant among ten thousand.
    Reports,
    /// GET of a tenant.
    ApiRead,
    /// PUT of a policy.
    ApiWrite,
    /// Workers onboard tenants at AWS's pace.
    Reconcile,
    /// A worker with nothing to do but look for drift.
    Idle,
}

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scale {
    Full {
        tenants: u32,
        workers: u32,
        minutes: u32,
    },
    Tiny,
}

impl Scale {
    fn choose<T>(self, full: T, tiny: T) -> T {
        match self {
            Self::Full { .. } => full,
            Self::Tiny => tiny,
        }
    }
}

impl Bench {
    /// Whether it needs Postgres and the AWS emulator.
    fn needs_services(self) -> bool {
        matches!(
            self,
            Self::Ingest | Self::Reports | Self::ApiRead | Self::ApiWrite | Self::Reconcile | Self::Idle
        )
    }

    fn run(
        self,
        context: &Context,
        services: Option<&Services>,
        scale: Scale,
        progress: &Progress,
    ) -> anyhow::Result<Vec<Row>> {
        let services = || services.context("the services are not started");
        match self {
            Self::Policy => policy::run(context, scale, progress),
            Self::ArtifactSize => size::run(context, progress),
            Self::TriggersCold => triggers::cold(context, scale, progress),
            Self::TriggersWarm => triggers::warm(context, scale, progress),
            Self::Ingest => ingest::run(context, services()?, scale, progress),
            Self::Reports => reports::run(context, services()?, scale, progress),
            Self::ApiRead => api::read(context, services()?, scale, progress),
            Self::ApiWrite => api::write(context, services()?, scale, progress),
            Self::Reconcile => reconcile::run(context, services()?, scale, progress),
            Self::Idle => idle::run(context, services()?, scale, progress),
        }
    }

    fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }
}

pub(crate) fn run(context: &Context, options: &Options) -> anyhow::Result<ExitCode> {
    lock::take(context, "bench")?;
    let scale = if options.tiny {
        Scale::Tiny
    } else {
        Scale::Full {
            tenants: options.tenants,
            workers: options.workers,
            minutes: options.minutes,
        }
    };
    let chosen = if options.names.is_empty() {
        Bench::value_variants()
    } else {
        &options.names
    };
    let services = if chosen.iter().any(|bench| bench.needs_services()) {
        let tools = context
            .ui
            .step("tools", |progress| Tools::ready(context, progress))?;
        Some(Services::start(context, &tools, &Ports::free())?)
    } else {
        None
    };
    let mut rows = Vec::new();
    let mut broken = Vec::new();
    for bench in chosen {
        let (measured_at, load) = (machine::now(), machine::load());
        let measured = context.ui.step(&bench.name(), |progress| {
            bench.run(context, services.as_ref(), scale, progress)
        });
        let measured = match measured {
            Ok(measured) => measured,
            Err(error) if error.is::<Interrupted>() => return Err(error),
            // What the others measured is not lost with it.
            Err(error) => {
                context
                    .ui
                    .line(Tone::Bad, &format!("error: {}: {error:#}", bench.name()));
                broken.push(bench.name());
                continue;
            }
        };
        for mut row in measured {
            row.measured_at.clone_from(&measured_at);
            row.load = load;
            show(context, &row);
            rows.push(row);
        }
    }
    if let Some(path) = &options.json {
        // One row a target; what is only reported beside them is in the table.
        let outcomes = rows.iter().map(|row| &row.outcome);
        let outcomes: Vec<&Outcome> = outcomes.filter(|outcome| outcome.target.is_some()).collect();
        let text = format!("{}\n", serde_json::to_string_pretty(&outcomes)?);
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    if options.docs {
        let page = document::write(context, &rows)?;
        context
            .ui
            .line(Tone::Plain, &format!("     {}", context.shown(&page)));
    }
    if !broken.is_empty() {
        context
            .ui
            .line(Tone::Bad, &format!("not measured: {}", broken.join(", ")));
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// One row for people.
fn show(context: &Context, row: &Row) {
    let outcome = &row.outcome;
    let spread = row.spread.map_or_else(String::new, |[low, high]| {
        format!(" ({}–{})", figure(low), figure(high))
    });
    let beside = match (&row.compared_with, outcome.baseline) {
        (Some(what), Some(baseline)) => format!("; {what} {}", figure(baseline)),
        _ => String::new(),
    };
    let ratio = outcome
        .ratio
        .map_or_else(String::new, |ratio| format!("; ratio {}", figure(ratio)));
    let (tone, verdict) = match (outcome.reached, &outcome.target) {
        (Some(true), Some(target)) => (Tone::Good, format!("; reached {target}")),
        (Some(false), Some(target)) => (Tone::Warn, format!("; not reached {target}")),
        _ => (Tone::Plain, String::new()),
    };
    let value = format!("{} {}", figure(outcome.value), outcome.unit);
    context.ui.line(
        tone,
        &format!("     {}: {value}{spread}{beside}{ratio}{verdict}", outcome.name),
    );
}
