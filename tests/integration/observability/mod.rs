//! What the service tells of itself: metrics, traces, dashboards.

mod dashboards;
mod exported;
mod metrics;
pub(crate) mod receiver;
mod traces;

use std::collections::BTreeMap;
use url::Url;

/// What an address of metrics answers.
pub(crate) async fn scrape(address: &Url) -> String {
    let answer = reqwest::get(address.join("/metrics").expect("a URL")).await;
    let answer = answer.expect("an answer");
    assert_eq!(
        answer.headers()["content-type"],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    answer.text().await.expect("a text")
}

/// A line of the text format: name, labels, value.
#[derive(Debug, Clone, PartialEq)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

/// The samples of a text. Values of our labels hold no quotes and no commas.
fn samples(text: &str) -> Vec<Sample> {
    let lines = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').expect("a value");
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let labels = labels
                .trim_end_matches('}')
                .split(',')
                .filter(|label| !label.is_empty());
            Sample {
                name: name.to_owned(),
                labels: labels
                    .map(|label| {
                        let (name, value) = label.split_once('=').expect("a label");
                        (name.to_owned(), value.trim_matches('"').to_owned())
                    })
                    .collect(),
                value: value.parse().expect("a number"),
            }
        })
        .collect()
}

/// The sum of the series of `name` that have these labels.
fn sum(text: &str, name: &str, labels: &[(&str, &str)]) -> f64 {
    let has = |sample: &Sample| {
        labels
            .iter()
            .all(|(name, value)| sample.labels.get(*name).is_some_and(|have| have == value))
    };
    samples(text)
        .iter()
        .filter(|sample| sample.name == name && has(sample))
        .map(|sample| sample.value)
        .sum()
}
