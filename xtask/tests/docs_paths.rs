//! The documents name things that exist: every path in backticks and every local link.
//!
//! Pages that name files long gone are worse than pages that name none.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A text in backticks is taken for a path of the repository if it begins with one of these.
const TOP: [&str; 12] = [
    ".ci/",
    ".github/",
    "crates/",
    "docs/",
    "helm/",
    "migrations/",
    "openapi/",
    "sdk/",
    "src/",
    "tests/",
    "xtask/",
    "fuzz/",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Markdown files in `folder`, and one level below.
fn markdown_in(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["", "docs", "docs/adr"] {
        markdown_in(&root().join(folder), &mut found);
    }
    let crates = std::fs::read_dir(root().join("crates")).into_iter().flatten();
    for entry in crates.flatten() {
        markdown_in(&entry.path(), &mut found);
    }
    found
}

/// Texts in single backticks, outside of fenced blocks.
fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    prose(text).flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// Targets of links, outside of fenced blocks.
fn links(text: &str) -> impl Iterator<Item = &str> {
    prose(text)
        .flat_map(|line| line.split("](").skip(1))
        .filter_map(|rest| Some(rest.split_once(')')?.0))
}

fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            return false;
        }
        !fenced
    })
}

fn is_path(span: &str) -> bool {
    TOP.iter().any(|top| span.starts_with(top))
        && !span.contains(|c: char| c.is_whitespace() || matches!(c, '<' | '{' | '*' | '…' | '$' | ':'))
}

#[test]
fn every_path_in_the_documents_exists() {
    let mut missing = BTreeSet::new();
    let mut checked = 0;
    for document in documents() {
        let text = std::fs::read_to_string(&document).unwrap();
        let beside = document.parent().unwrap();
        for span in code_spans(&text).filter(|span| is_path(span)) {
            checked += 1;
            if !root().join(span).exists() && !beside.join(span).exists() {
                missing.insert(format!("{}: `{span}`", document.display()));
            }
        }
        for link in links(&text) {
            let file = link.split('#').next().unwrap_or_default();
            if file.is_empty() || file.contains("://") || file.starts_with("mailto:") {
                continue;
            }
            checked += 1;
            if !beside.join(file).exists() {
                missing.insert(format!("{}: link to {file}", document.display()));
            }
        }
    }
    assert!(
        missing.is_empty(),
        "documents name what is not there:\n{}\ncorrect the documents, or the names",
        missing.into_iter().collect::<Vec<_>>().join("\n")
    );
    assert!(
        checked > 50,
        "only {checked} paths found: has the form of the documents changed?"
    );
}

#[test]
fn paths_are_told_from_other_code() {
    let text = "See `src/api/` and `GET /v1/x`, `src/<name>/`, [a](b.md#c).\n```sh\nls `src/gone`\n```\n";
    let paths: Vec<_> = code_spans(text).filter(|span| is_path(span)).collect();
    assert_eq!(paths, ["src/api/"]);
    assert_eq!(links(text).collect::<Vec<_>>(), ["b.md#c"]);
}
