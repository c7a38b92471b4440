//! What is exported is what is described, and documented (a test beside the list compares it with the page).

use super::samples;
use std::collections::{BTreeMap, BTreeSet};
use stepgate::observability::metrics::metrics;

/// Every family of these texts is described with its labels, and every described one is there.
pub(super) fn check_what_is_exported(texts: &[String]) {
    let described: BTreeMap<&str, (&str, BTreeSet<&str>)> = metrics()
        .descriptions()
        .iter()
        .map(|family| {
            (
                family.name.as_str(),
                (family.kind, family.labels.iter().copied().collect()),
            )
        })
        .collect();
    let mut seen = BTreeSet::new();
    for text in texts {
        for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
            let (name, kind) = line.split_once(' ').unwrap();
            let (described_kind, _) = described
                .get(name)
                .unwrap_or_else(|| panic!("{name} is not described"));
            assert_eq!(kind, *described_kind, "{name}");
        }
        for sample in samples(text) {
            let name = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| sample.name.strip_suffix(end))
                .filter(|name| described.contains_key(name))
                .unwrap_or(&sample.name);
            let (_, labels) = &described[name];
            let have: BTreeSet<&str> = sample
                .labels
                .keys()
                .map(String::as_str)
                .filter(|label| *label != "le")
                .collect();
            assert_eq!(have, *labels, "{name}");
            seen.insert(name.to_owned());
        }
    }
    let missing: Vec<&&str> = described.keys().filter(|name| !seen.contains(**name)).collect();
    assert!(
        missing.is_empty(),
        "not exported by a system under load: {missing:?}"
    );
}
