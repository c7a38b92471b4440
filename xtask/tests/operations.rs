//! The runbook has a row for every code that a step of provisioning can fail with.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read its files must fail at once"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = std::fs::read_to_string(&path).unwrap();
            // Tests make failures up.
            text.push_str(source.split("#[cfg(test)]").next().unwrap_or_default());
        }
    }
}

/// The text literal that comes first behind each `opening`, if one does.
fn literals<'a>(text: &'a str, opening: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(opening)
        .skip(1)
        .filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next())
}

fn is_code(text: &&str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

#[test]
fn every_failure_code_is_in_the_runbook() {
    let mut text = String::new();
    sources(&root().join("src/provisioning"), &mut text);
    let mut codes: BTreeSet<&str> = ["StepFailure::lasting(", "StepFailure::passing(", "Self::lasting("]
        .into_iter()
        .flat_map(|opening| literals(&text, opening))
        .filter(is_code)
        .collect();
    let causes = text.split("fn root_cause(reason").nth(1).unwrap();
    let causes = causes.split("\n}\n").next().unwrap_or_default();
    codes.extend(
        literals(causes, "(")
            .filter(|code| causes.contains(&format!("(\"{code}\", ")))
            .filter(is_code),
    );
    assert!(codes.len() >= 25, "only {codes:?}");
    let page = std::fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let section = page.split("## What a step failed with").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows: BTreeSet<&str> = section
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    let missing: Vec<_> = codes.difference(&rows).collect();
    assert!(
        missing.is_empty(),
        "docs/operations.md has no row for {missing:?}"
    );
    let unknown: Vec<_> = rows.difference(&codes).collect();
    assert!(
        unknown.is_empty(),
        "docs/operations.md has rows for {unknown:?}, which nothing fails with"
    );
}
