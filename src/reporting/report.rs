//! A report's figures from what the rollups gave. Pure.
//!
//! Slices are those of the rollups, put together to the step that was asked for: hours to days of a time zone, say.
//! A day of a zone whose offset is not whole hours cannot be put together from hours and is refused.

use super::{histogram::Histogram, question::Question};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::collections::BTreeMap;

/// Events of one slice, group and outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// Begin of the slice.
    pub slice: DateTime<Utc>,
    /// Group.
    pub group: String,
    /// Type of the events, or `ended`.
    pub outcome: String,
    /// Method of answers; empty where there is none.
    pub method: String,
    /// How many.
    pub events: i64,
    /// How many of them in the first invocation of a process.
    pub cold_starts: i64,
    /// How many of them by another method than the policy's first.
    pub fallbacks: i64,
}

/// Times to complete of one slice and group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timed {
    /// Begin of the slice.
    pub slice: DateTime<Utc>,
    /// Group.
    pub group: String,
    /// The times.
    pub to_complete: Histogram,
}

/// Figures of one slice and group.
#[derive(Debug, Clone, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Figures {
    /// Journeys for which a step-up was required; `null` in a report of one method or reason, which not every event names.
    pub started: Option<i64>,
    /// Challenges handed to the browser; `null` as `started` is.
    pub offered: Option<i64>,
    /// Step-ups that satisfied the policy.
    pub succeeded: i64,
    /// Answers and sign-ins that were refused; `null` in a report of one method, which a refusal does not name.
    pub failed: Option<i64>,
    /// Journeys that were not answered before their session ended; `null` where that cannot be told: by method, outcome
    /// or reason, of one method, of one reason.
    pub abandoned: Option<i64>,
    /// Sign-ins for which the policy asked for no step-up.
    pub skipped: i64,
    /// Sign-ins for which an exemption stood in.
    pub exempted: i64,
    /// Tokens that the gate refused.
    pub refused_tokens: i64,
    /// Tokens that the gate let pass, refreshes among them.
    pub tokens: i64,
    /// Of the step-ups that came to an end (succeeded, or abandoned, or given up after a refusal), the share that
    /// succeeded, 0 to 1; `null` when there are none, or where `abandoned` is.
    pub success_rate: Option<f64>,
    /// Share of the successes that came by another method than the one that the policy names first; `null` without
    /// successes.
    pub fallback_rate: Option<f64>,
    /// Half of the successful journeys took less than this, ms.
    pub time_to_complete_p50_ms: Option<u32>,
    /// 95 % of them took less than this, ms.
    pub time_to_complete_p95_ms: Option<u32>,
    /// 99 % of them took less than this, ms.
    pub time_to_complete_p99_ms: Option<u32>,
    /// Events in the first invocation of a function's process.
    pub cold_starts: i64,
}

/// One line of a report.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct ReportRow {
    /// Begin of the slice.
    pub slice: DateTime<Utc>,
    /// Value of what the report is split by; empty for events that have none; `null` without a split.
    pub group: Option<String>,
    /// The figures.
    #[serde(flatten)]
    pub figures: Figures,
}

/// Everything of one group together. Percentiles cannot be had from those of its slices.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct GroupFigures {
    /// Value of what the report is split by; empty for events that have none.
    pub group: String,
    /// The figures.
    #[serde(flatten)]
    pub figures: Figures,
}

#[derive(Default)]
struct Sums {
    by_outcome: BTreeMap<String, i64>,
    cold_starts: i64,
    fallbacks: i64,
    open: i64,
    times: Histogram,
}

impl Sums {
    fn add(&mut self, other: &Self) {
        for (outcome, events) in &other.by_outcome {
            *self.by_outcome.entry(outcome.clone()).or_default() += events;
        }
        self.cold_starts += other.cold_starts;
        self.fallbacks += other.fallbacks;
        self.open += other.open;
        self.times.add(&other.times);
    }

    fn figures(&self, question: &Question, knows_abandoned: bool) -> Figures {
        let of = |outcome: &str| self.by_outcome.get(outcome).copied().unwrap_or_default();
        let (started, succeeded) = (of("started"), of("succeeded"));
        // A create that Cognito repeats begins a journey that nobody answers: abandoned may be too high by those.
        let abandoned = (started - of("ended") - self.open).max(0);
        // Every journey that began and is over. Some began before the slice: the rate stays one at most.
        let over = (started - self.open).max(succeeded);
        let share = |part: i64, whole: i64| {
            #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
            (whole > 0).then(|| part as f64 / whole as f64)
        };
        Figures {
            started: question.tells_journeys().then_some(started),
            offered: question.tells_journeys().then(|| of("offered")),
            succeeded,
            failed: question.filter.method.is_none().then(|| of("failed")),
            abandoned: knows_abandoned.then_some(abandoned),
            skipped: of("skipped"),
            exempted: of("exempted"),
            refused_tokens: of("refused_tokens"),
            tokens: of("tokens"),
            success_rate: if knows_abandoned {
                share(succeeded, over)
            } else {
                None
            },
            fallback_rate: share(self.fallbacks, succeeded),
            time_to_complete_p50_ms: self.times.percentile_ms(0.50),
            time_to_complete_p95_ms: self.times.percentile_ms(0.95),
            time_to_complete_p99_ms: self.times.percentile_ms(0.99),
            cold_starts: self.cold_starts,
        }
    }
}

/// A method's part in the successes.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct MethodShare {
    /// ACR value; empty where it could not be told.
    pub method: String,
    /// Step-ups by it.
    pub succeeded: i64,
    /// Its share, 0 to 1.
    pub share: f64,
}

/// A report.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Slices with events, in order, and within a slice by group.
    pub rows: Vec<ReportRow>,
    /// Everything of each group together, by group; empty without a split.
    pub groups: Vec<GroupFigures>,
    /// Everything together.
    pub total: Figures,
}

/// Puts a report together.
pub fn assemble(
    question: &Question,
    counted: Vec<Counted>,
    timed: Vec<Timed>,
    open: Vec<(DateTime<Utc>, String, i64)>,
) -> Report {
    let mut cells: BTreeMap<(DateTime<Utc>, String), Sums> = BTreeMap::new();
    for Counted {
        slice,
        group,
        outcome,
        method: _,
        events,
        cold_starts,
        fallbacks,
    } in counted
    {
        let sums = cells.entry((question.slice_of(slice), group)).or_default();
        *sums.by_outcome.entry(outcome).or_default() += events;
        sums.cold_starts += cold_starts;
        sums.fallbacks += fallbacks;
    }
    for Timed {
        slice,
        group,
        to_complete,
    } in timed
    {
        let sums = cells.entry((question.slice_of(slice), group)).or_default();
        sums.times.add(&to_complete);
    }
    let knows_abandoned = question.tells_journeys_of_groups();
    let mut total = Sums::default();
    for (minute, group, open) in open {
        if knows_abandoned {
            cells.entry((question.slice_of(minute), group)).or_default().open += open;
        } else {
            total.open += open;
        }
    }
    let mut by_group: BTreeMap<&str, Sums> = BTreeMap::new();
    let mut rows = Vec::with_capacity(cells.len());
    for ((slice, group), sums) in &cells {
        total.add(sums);
        if question.group_by.is_some() {
            by_group.entry(group).or_default().add(sums);
        }
        rows.push(ReportRow {
            slice: *slice,
            group: question.group_by.map(|_| group.clone()),
            figures: sums.figures(question, knows_abandoned),
        });
    }
    let groups = by_group.into_iter().map(|(group, sums)| GroupFigures {
        group: group.to_owned(),
        figures: sums.figures(question, knows_abandoned),
    });
    Report {
        groups: groups.collect(),
        rows,
        // Together they have no split, and know their abandoned ones whatever the split was.
        total: total.figures(question, question.tells_journeys()),
    }
}

/// The methods' shares in the successes, most used first.
pub fn method_mix(counted: &[Counted]) -> Vec<MethodShare> {
    let mut by_method: BTreeMap<&str, i64> = BTreeMap::new();
    for row in counted.iter().filter(|row| row.outcome == "succeeded") {
        *by_method.entry(&row.method).or_default() += row.events;
    }
    let all: i64 = by_method.values().sum();
    let mut mix: Vec<_> = by_method
        .into_iter()
        .map(|(method, succeeded)| MethodShare {
            method: method.to_owned(),
            succeeded,
            #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
            share: succeeded as f64 / all.max(1) as f64,
        })
        .collect();
    mix.sort_by(|a, b| b.succeeded.cmp(&a.succeeded).then(a.method.cmp(&b.method)));
    mix
}
