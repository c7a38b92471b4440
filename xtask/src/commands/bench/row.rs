//! One figure beside what it is compared with and what it should be.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::statistics::Series;

/// What is asked of a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Target {
    /// The ratio is at least this.
    RatioAtLeast(f64),
    /// The ratio is at most this.
    RatioAtMost(f64),
    /// The figure itself is at least this.
    AtLeast(f64),
    /// The figure itself is at most this.
    AtMost(f64),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RatioAtLeast(wanted) => write!(f, "ratio ≥ {}", figure(*wanted)),
            Self::RatioAtMost(wanted) => write!(f, "ratio ≤ {}", figure(*wanted)),
            Self::AtLeast(wanted) => write!(f, "≥ {}", figure(*wanted)),
            Self::AtMost(wanted) => write!(f, "≤ {}", figure(*wanted)),
        }
    }
}

/// What `--json` writes, one a target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: String,
    pub(crate) baseline: Option<f64>,
    pub(crate) ratio: Option<f64>,
    pub(crate) target: Option<String>,
    pub(crate) reached: Option<bool>,
}

/// The same with what a reader wants beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    #[serde(flatten)]
    pub(crate) outcome: Outcome,
    /// What the baseline is.
    pub(crate) compared_with: Option<String>,
    /// The middle half of the samples.
    pub(crate) spread: Option<[f64; 2]>,
    /// The same of the baseline.
    pub(crate) baseline_spread: Option<[f64; 2]>,
    /// When, UTC.
    pub(crate) measured_at: String,
    /// How busy the machine was when the bench began: processes that ran or waited, over a minute.
    pub(crate) load: Option<f64>,
}

impl Row {
    /// A figure alone.
    pub(crate) fn alone(name: &str, value: f64, unit: &str) -> Self {
        Self {
            outcome: Outcome {
                name: name.to_owned(),
                value,
                unit: unit.to_owned(),
                baseline: None,
                ratio: None,
                target: None,
                reached: None,
            },
            compared_with: None,
            spread: None,
            baseline_spread: None,
            measured_at: String::new(),
            load: None,
        }
    }

    /// The median of a series.
    pub(crate) fn of(name: &str, series: &Series, unit: &str) -> Self {
        let mut row = Self::alone(name, series.median(), unit);
        row.spread = Some(series.spread());
        row
    }

    /// Beside a baseline of which less is less: the ratio is ours over theirs.
    pub(crate) fn beside(mut self, what: &str, baseline: &Series) -> Self {
        self.baseline_spread = Some(baseline.spread());
        self.beside_figure(what, baseline.median())
    }

    /// The same, beside one figure.
    pub(crate) fn beside_figure(mut self, what: &str, baseline: f64) -> Self {
        self.compared_with = Some(what.to_owned());
        self.outcome.baseline = Some(baseline);
        self.outcome.ratio = (baseline != 0.0).then(|| self.outcome.value / baseline);
        self
    }

    /// Beside a baseline that is slower: the ratio says how many times as fast ours is.
    pub(crate) fn faster_than(self, what: &str, baseline: &Series) -> Self {
        let mut row = self.beside(what, baseline);
        row.outcome.ratio = row.outcome.ratio.map(f64::recip);
        row
    }

    /// What is asked of it, and whether that is reached.
    pub(crate) fn aims_at(mut self, target: Target) -> Self {
        let Outcome { value, ratio, .. } = self.outcome;
        self.outcome.reached = match target {
            Target::RatioAtLeast(wanted) => ratio.map(|ratio| ratio >= wanted),
            Target::RatioAtMost(wanted) => ratio.map(|ratio| ratio <= wanted),
            Target::AtLeast(wanted) => Some(value >= wanted),
            Target::AtMost(wanted) => Some(value <= wanted),
        };
        self.outcome.target = Some(target.to_string());
        self
    }

    /// The bench that a row belongs to: the first word of its name.
    pub(crate) fn bench(&self) -> &str {
        self.outcome.name.split(' ').next().unwrap_or_default()
    }
}

/// A figure as people read it: three digits that count, thousands apart.
pub(crate) fn figure(value: f64) -> String {
    let size = value.abs();
    if size >= 1_000.0 {
        let digits = format!("{size:.0}");
        let apart: Vec<&str> = digits
            .as_bytes()
            .rchunks(3)
            .rev()
            .map(|three| str::from_utf8(three).unwrap_or_default())
            .collect();
        let sign = if value < 0.0 { "-" } else { "" };
        return format!("{sign}{}", apart.join(" "));
    }
    let decimals = match size {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(samples: &[f64]) -> Series {
        Series::new(samples.to_vec()).unwrap()
    }

    #[test]
    fn ratios_say_what_their_names_say() {
        let ours = series(&[2.0, 2.0, 3.0]);
        let faster = Row::of("a b", &ours, "ms").faster_than("theirs", &series(&[40.0]));
        assert_eq!(
            (faster.outcome.baseline, faster.outcome.ratio),
            (Some(40.0), Some(20.0))
        );
        let share = Row::of("a", &ours, "1/s").beside("limit", &series(&[4.0]));
        assert_eq!((share.outcome.ratio, share.bench()), (Some(0.5), "a"));
        assert_eq!(
            Row::alone("a", 1.0, "ms")
                .beside_figure("nothing", 0.0)
                .outcome
                .ratio,
            None
        );
    }

    #[test]
    fn a_target_is_reached_or_missed_at_its_very_value() {
        let row = || Row::alone("a", 50.0, "ms").beside_figure("b", 100.0);
        for (target, reached) in [
            (Target::RatioAtLeast(0.5), true),
            (Target::RatioAtLeast(0.51), false),
            (Target::RatioAtMost(0.5), true),
            (Target::RatioAtMost(0.49), false),
            (Target::AtLeast(50.0), true),
            (Target::AtLeast(51.0), false),
            (Target::AtMost(50.0), true),
            (Target::AtMost(49.0), false),
        ] {
            assert_eq!(row().aims_at(target).outcome.reached, Some(reached), "{target}");
        }
        let alone = Row::alone("a", 1.0, "ms").aims_at(Target::RatioAtLeast(1.0));
        assert_eq!(alone.outcome.reached, None, "no ratio, no verdict");
    }

    #[test]
    fn figures_are_short() {
        for (value, text) in [
            (1_234_567.8, "1 234 568"),
            (30_000.0, "30 000"),
            (-1_500.0, "-1 500"),
            (123.4, "123"),
            (12.34, "12.3"),
            (3.0, "3"),
            (0.04567, "0.046"),
            (0.2, "0.2"),
            (100.0, "100"),
        ] {
            assert_eq!(figure(value), text);
        }
    }

    #[test]
    fn the_json_has_the_fields_that_its_readers_know() {
        let row = Row::alone("policy", 2.0, "decisions/s").aims_at(Target::AtLeast(1.0));
        let json = serde_json::to_value(&row.outcome).unwrap();
        let names: Vec<&String> = json.as_object().unwrap().keys().collect();
        assert_eq!(
            names,
            ["baseline", "name", "ratio", "reached", "target", "unit", "value"]
        );
        assert_eq!(json["reached"], true);
        let again: Row = serde_json::from_value(serde_json::to_value(&row).unwrap()).unwrap();
        assert_eq!(again, row);
    }
}
