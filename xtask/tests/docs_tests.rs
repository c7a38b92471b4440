//! The tests that `docs/security.md` names for the emulator's differences exist.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read its files must fail at once"
)]

use std::path::{Path, PathBuf};

const SECTION: &str = "## Where the emulator differs from AWS";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_difference_has_a_test() {
    let page = std::fs::read_to_string(root().join("docs/security.md")).unwrap();
    let section = page.split(SECTION).nth(1).unwrap().split("\n## ").next().unwrap();
    let mut text = String::new();
    sources(&root().join("crates/triggers/tests"), &mut text);
    let rows: Vec<&str> = section
        .lines()
        .filter(|line| {
            line.starts_with("| ") && !line.starts_with("| difference") && !line.starts_with("| ---")
        })
        .collect();
    assert!(rows.len() >= 9, "only {} differences", rows.len());
    for row in rows {
        let tests = row.trim_matches('|').split('|').nth(1).unwrap();
        let names: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "no test for: {row}");
        for name in names {
            assert!(text.contains(&format!("fn {name}(")), "there is no test {name}");
        }
    }
}
