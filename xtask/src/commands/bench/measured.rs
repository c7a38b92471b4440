//! What a measuring program printed: its last line, JSON.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::Context as _;
use serde::Deserialize;

use super::statistics::Series;
use crate::context::Context;

/// Samples by name, and single facts.
#[derive(Debug, Deserialize)]
pub(crate) struct Measured {
    #[serde(default)]
    series: BTreeMap<String, Vec<f64>>,
    #[serde(default)]
    facts: BTreeMap<String, f64>,
}

impl Measured {
    /// Runs a measuring program to its end.
    pub(crate) fn by(context: &Context, what: &str, command: &mut Command) -> anyhow::Result<Self> {
        let log = context.fresh_log(&format!("bench-{}", what.replace(' ', "-")))?;
        let mut last = String::new();
        let status = context
            .processes
            .stream(what, command, &log, |line| line.clone_into(&mut last))?;
        anyhow::ensure!(
            status.success(),
            "{what} failed ({status}); end of {}:\n{}",
            context.shown(&log),
            crate::ui::tail(&log, 20)
        );
        Self::read(&last).with_context(|| format!("{what} did not print what it measured"))
    }

    fn read(line: &str) -> anyhow::Result<Self> {
        Ok(serde_json::from_str(line)?)
    }

    pub(crate) fn series(&self, name: &str) -> anyhow::Result<Series> {
        let samples = self.series.get(name).cloned().unwrap_or_default();
        Series::new(samples).with_context(|| format!("there are no samples of {name}"))
    }

    pub(crate) fn fact(&self, name: &str) -> anyhow::Result<f64> {
        self.facts
            .get(name)
            .copied()
            .with_context(|| format!("{name} was not measured"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let measured = Measured::read(r#"{"series": {"a": [2, 1]}, "facts": {"b": 3}}"#).unwrap();
        assert!((measured.series("a").unwrap().median() - 1.5).abs() < 1e-9);
        assert!((measured.fact("b").unwrap() - 3.0).abs() < 1e-9);
        assert!(
            measured
                .series("c")
                .unwrap_err()
                .to_string()
                .contains("samples of c")
        );
        assert!(measured.fact("c").is_err() && Measured::read("Segmentation fault").is_err());
    }
}
