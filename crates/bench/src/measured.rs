//! What a measurement hands back.

use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Samples by the name of what was measured, and single facts.
#[derive(Default, Serialize)]
pub(crate) struct Measured {
    series: BTreeMap<String, Vec<f64>>,
    facts: BTreeMap<String, f64>,
}

impl Measured {
    /// One more sample.
    pub(crate) fn add(&mut self, name: &str, sample: f64) {
        self.series.entry(name.to_owned()).or_default().push(sample);
    }

    /// One more time, ms.
    pub(crate) fn add_ms(&mut self, name: &str, time: Duration) {
        self.add(name, time.as_secs_f64() * 1_000.0);
    }

    /// A figure of which there is one.
    pub(crate) fn fact(&mut self, name: &str, value: f64) {
        self.facts.insert(name.to_owned(), value);
    }
}
