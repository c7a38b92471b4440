//! The runbook has a row for every code that a step of provisioning can fail with, for every condition of a tenant, and
//! for every state in which a stack stays.

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

/// What the runbook's section of this heading has in backticks in the first cell of its rows.
fn first_cells(heading: &str) -> BTreeSet<String> {
    let page = std::fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let section = page.split(&format!("\n## {heading}\n")).nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    section
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next())
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_condition_is_in_the_runbook() {
    let source = std::fs::read_to_string(root().join("src/domain/condition.rs")).unwrap();
    let types = source.split("ConditionType {").nth(1).unwrap();
    let types = types.split("}\n}").next().unwrap();
    let types: BTreeSet<String> = literals(types, "=>").map(str::to_owned).collect();
    assert_eq!(types.len(), 6, "{types:?}");
    assert_eq!(first_cells("Conditions"), types);
}

/// AWS's word for a variant of the SDK's: `UpdateFailed` is `UPDATE_FAILED`.
fn in_capitals(variant: &str) -> String {
    let mut word = String::new();
    for letter in variant.chars() {
        if letter.is_ascii_uppercase() && !word.is_empty() {
            word.push('_');
        }
        word.push(letter.to_ascii_uppercase());
    }
    word
}

#[test]
fn every_state_in_which_a_stack_stays_is_in_the_runbook() {
    let source = std::fs::read_to_string(root().join("src/aws/cloudformation/stack.rs")).unwrap();
    let states = source.split("fn to_state(").nth(1).unwrap();
    let states = states.split("\n}\n").next().unwrap();
    // Arm by arm: statuses of the SDK, then what they mean to us.
    let mut stay = BTreeSet::new();
    let mut statuses = Vec::new();
    for word in states.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == ':')) {
        if let Some(status) = word.strip_prefix("StackStatus::") {
            statuses.push(in_capitals(status));
        } else if let Some(state) = word.strip_prefix("StackState::") {
            if ["FailedCreate", "Stuck", "InReview"].contains(&state) {
                stay.extend(statuses.iter().cloned());
            }
            statuses.clear();
        }
    }
    assert!(
        stay.len() >= 8 && stay.contains("UPDATE_ROLLBACK_FAILED"),
        "{stay:?}"
    );
    let rows = first_cells("States that need a hand");
    let missing: Vec<_> = stay.difference(&rows).collect();
    assert!(
        missing.is_empty(),
        "docs/operations.md has no row for {missing:?}"
    );
}
