//! Kinds of metrics: a family is registered with the names of its labels and filled with their values.
//!
//! A label's value comes from a closed list ([`super::labels`]); should one escape that all the same, a family
//! stops growing at [`MAX_SERIES`] and counts the rest as [`OTHER`].

use prometheus_client::{
    metrics::{
        TypedMetric,
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Metric, Registry},
};
use std::{
    borrow::Cow,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::Duration,
};

/// Value of a label.
pub type Value = Cow<'static, str>;

/// What stands for values that are not worth a series of their own.
pub const OTHER: &str = "other";
/// Series of one family at most: a thousand operations, five classes of status.
pub const MAX_SERIES: usize = 5_000;

type Labels<const N: usize> = [(&'static str, Value); N];

/// What a family is, for those who read about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Name, as exported.
    pub name: String,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Names of its labels.
    pub labels: Vec<&'static str>,
    /// What it counts or measures.
    pub help: &'static str,
}

/// Series of one metric, told apart by `N` labels.
#[derive(Debug)]
pub struct Series<const N: usize, M> {
    names: [&'static str; N],
    family: Family<Labels<N>, M, fn() -> M>,
    /// How many of them there are.
    made: AtomicUsize,
}

impl<const N: usize, M: Clone + Metric + TypedMetric> Series<N, M> {
    fn register(
        registry: &mut Registry,
        name: &str,
        help: &str,
        names: [&'static str; N],
        new: fn() -> M,
    ) -> Self {
        let family = Family::new_with_constructor(new);
        // The encoder ends a help text with a full stop of its own.
        registry.register(name, help.trim_end_matches('.'), family.clone());
        let series = Self {
            names,
            family,
            made: AtomicUsize::new(0),
        };
        if N == 0 {
            series.of(std::array::from_fn(|_| Value::default()));
        }
        series
    }

    fn of(&self, values: [Value; N]) -> M {
        let mut values = values.into_iter();
        let labels = std::array::from_fn(|at| (self.names[at], values.next().unwrap_or_default()));
        if let Some(known) = self.family.get(&labels) {
            return known.clone();
        }
        if self.made.fetch_add(1, Ordering::Relaxed) >= MAX_SERIES {
            let rest = self.names.map(|name| (name, OTHER.into()));
            return self.family.get_or_create_owned(&rest);
        }
        self.family.get_or_create_owned(&labels)
    }

    fn forget(&self) {
        self.family.clear();
        self.made.store(0, Ordering::Relaxed);
    }
}

/// A family that can be declared.
pub(super) trait Kind<const N: usize>: Sized {
    /// Name of the kind.
    const KIND: &'static str;
    /// What is added to the name when it is exported.
    const SUFFIX: &'static str = "";

    /// Makes and registers one.
    fn register(registry: &mut Registry, name: &str, help: &str, labels: [&'static str; N]) -> Self;
}

/// A count that only grows.
#[derive(Debug)]
pub struct Counted<const N: usize>(Series<N, Counter>);

impl<const N: usize> Counted<N> {
    /// So many more.
    pub fn add(&self, values: [Value; N], count: u64) {
        self.0.of(values).inc_by(count);
    }

    /// How many so far.
    pub fn get(&self, values: [Value; N]) -> u64 {
        self.0.of(values).get()
    }
}

impl<const N: usize> Kind<N> for Counted<N> {
    const KIND: &'static str = "counter";
    const SUFFIX: &'static str = "_total";

    fn register(registry: &mut Registry, name: &str, help: &str, labels: [&'static str; N]) -> Self {
        Self(Series::register(registry, name, help, labels, Counter::default))
    }
}

/// A value that goes up and down.
#[derive(Debug)]
pub struct Measured<const N: usize>(Series<N, Gauge<f64, AtomicU64>>);

impl<const N: usize> Measured<N> {
    /// It is this now.
    pub fn set(&self, values: [Value; N], value: f64) {
        self.0.of(values).set(value);
    }

    /// It is by so much more, or less.
    pub fn change(&self, values: [Value; N], by: f64) {
        self.0.of(values).inc_by(by);
    }

    /// It is not known any more: nothing is exported until it is set again.
    pub fn forget(&self) {
        self.0.forget();
    }
}

impl<const N: usize> Kind<N> for Measured<N> {
    const KIND: &'static str = "gauge";

    fn register(registry: &mut Registry, name: &str, help: &str, labels: [&'static str; N]) -> Self {
        let new: fn() -> Gauge<f64, AtomicU64> = Gauge::default;
        Self(Series::register(registry, name, help, labels, new))
    }
}

/// Durations of what takes milliseconds to a minute.
#[derive(Debug)]
pub struct Timed<const N: usize>(Series<N, Histogram>);

impl<const N: usize> Timed<N> {
    /// One more.
    pub fn observe(&self, values: [Value; N], duration: Duration) {
        self.0.of(values).observe(duration.as_secs_f64());
    }
}

impl<const N: usize> Kind<N> for Timed<N> {
    const KIND: &'static str = "histogram";

    fn register(registry: &mut Registry, name: &str, help: &str, labels: [&'static str; N]) -> Self {
        const BOUNDS_S: [f64; 12] = [
            0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
        ];
        Self(Series::register(registry, name, help, labels, || {
            Histogram::new(BOUNDS_S)
        }))
    }
}

/// Durations of what takes half a second to a day.
#[derive(Debug)]
pub struct Lasting<const N: usize>(Series<N, Histogram>);

impl<const N: usize> Lasting<N> {
    /// One more, s.
    pub fn observe_s(&self, values: [Value; N], seconds: f64) {
        self.0.of(values).observe(seconds.max(0.0));
    }
}

impl<const N: usize> Kind<N> for Lasting<N> {
    const KIND: &'static str = "histogram";

    fn register(registry: &mut Registry, name: &str, help: &str, labels: [&'static str; N]) -> Self {
        Self(Series::register(registry, name, help, labels, || {
            Histogram::new(exponential_buckets(0.5, 2.0, 18))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_stops_growing_and_loses_no_count() {
        let mut registry = Registry::default();
        let counted = Counted::register(&mut registry, "grown", "Whatever", ["kind", "name"]);
        let many = MAX_SERIES + 500;
        for number in 0..many {
            counted.add(["a".into(), number.to_string().into()], 1);
            counted.add(["a".into(), "0".into()], 1);
        }
        let mut text = String::new();
        prometheus_client::encoding::prometheus_text::encode(&mut text, &registry).unwrap();
        let series = text.lines().filter(|line| line.starts_with("grown_total{"));
        assert_eq!(series.count(), MAX_SERIES + 1);
        assert_eq!(counted.get([OTHER.into(), OTHER.into()]), 500);
        assert_eq!(counted.get(["a".into(), "0".into()]), many as u64 + 1);
    }

    #[test]
    fn what_is_not_known_any_more_is_not_exported() {
        let mut registry = Registry::default();
        let measured = Measured::register(&mut registry, "depth", "Whatever", ["queue"]);
        measured.set(["a".into()], 2.5);
        let text = || {
            let mut text = String::new();
            prometheus_client::encoding::prometheus_text::encode(&mut text, &registry).unwrap();
            text
        };
        assert!(text().contains("depth{queue=\"a\"} 2.5"), "{}", text());
        measured.forget();
        assert!(!text().contains("2.5"), "{}", text());
    }
}
