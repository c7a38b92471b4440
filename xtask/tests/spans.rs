//! Every use case has a span, so that a trace of a request tells which one it came to.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read its files must fail at once"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What workers do of themselves, for nobody's request.
const WITHOUT: [&str; 5] = [
    "denials.close_windows",
    "drift.record",
    "drift.record_failure",
    "exemptions.expire_overdue",
    "rollouts.advance.look",
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_use_case_has_a_span_of_its_name() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src/usecases");
    let mut files = Vec::new();
    sources(&folder, &mut files);
    let (mut with, mut without) = (BTreeSet::new(), BTreeSet::new());
    for file in files {
        let module = file.strip_prefix(&folder).unwrap().with_extension("");
        let module = module.to_str().unwrap().replace('/', ".");
        let text = std::fs::read_to_string(&file).unwrap();
        // Formatting breaks long attributes into lines.
        let squeezed = |text: &str| text.split_whitespace().collect::<String>();
        for (place, _) in text.match_indices("\npub async fn ") {
            let (before, rest) = text.split_at(place);
            let name = rest.trim_start_matches("\npub async fn ");
            let name = format!("{module}.{}", name.split(['(', '<']).next().unwrap());
            let span =
                format!("#[tracing::instrument(target = \"stepgate::trace\", name = \"{name}\", skip_all)]");
            if squeezed(before).ends_with(&squeezed(&span)) {
                assert!(with.insert(name.clone()), "{name} twice");
            } else {
                without.insert(name);
            }
        }
    }
    assert!(with.len() > 60, "only {with:?}");
    let named: BTreeSet<String> = WITHOUT.iter().map(ToString::to_string).collect();
    assert_eq!(without, named);
}
