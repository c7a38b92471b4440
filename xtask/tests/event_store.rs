//! Step-up events and their counts can move to another database: what touches their tables is four files, beside two that
//! read the counts by the minute next to tables of their own; and what is asked of the four is a short list of functions. That their
//! statements need no other table is shown by the integration test `events::boundary`, which runs them where there is none.
//! `docs/performance.md` says when that day comes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The store.
const STORE: [&str; 4] = [
    "src/storage/event_intake.rs",
    "src/storage/step_up_events.rs",
    "src/storage/step_up_rollups.rs",
    "src/storage/user_journeys.rs",
];
/// What reads the counts by the minute together with tables of the control plane: a move takes these statements apart.
const NEIGHBOURS: [&str; 2] = ["src/storage/alarms.rs", "src/storage/rollouts/tenants.rs"];
/// What another store has to answer.
const INTERFACE: [&str; 13] = [
    "add",
    "all",
    "drop_partitions",
    "events",
    "figures",
    "forget_quarantined",
    "insert",
    "make_partitions",
    "note",
    "quarantine",
    "search",
    "times",
    "unanswered",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A file that cannot be read is empty: then it is missed below.
fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Names that stand where SQL names a table.
fn tables_named(text: &str) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    let words: Vec<&str> = text
        .split(|character: char| !character.is_ascii_alphanumeric() && character != '_')
        .filter(|word| !word.is_empty())
        .collect();
    for pair in words.windows(2) {
        let [before, name] = pair else { continue };
        if ["FROM", "JOIN", "INTO", "UPDATE", "TRUNCATE", "TABLE"].contains(before) {
            named.insert((*name).to_owned());
        }
    }
    named
}

/// The tables and views of step-up events that the migrations make.
fn tables() -> BTreeSet<String> {
    let mut made = BTreeSet::new();
    for entry in std::fs::read_dir(root().join("migrations"))
        .into_iter()
        .flatten()
        .flatten()
    {
        let text = read(&entry.path());
        for line in text.lines() {
            let rest = line
                .strip_prefix("CREATE TABLE ")
                .or_else(|| line.strip_prefix("CREATE VIEW "));
            if let Some(name) = rest.and_then(|rest| rest.split(' ').next()) {
                made.insert(name.trim_end_matches('(').to_owned());
            }
        }
    }
    let beside = ["quarantined_events", "event_intake"];
    made.retain(|name| name.starts_with("step_up_") || beside.contains(&name.as_str()));
    made
}

#[test]
fn few_files_touch_the_events_and_their_counts() {
    let events = tables();
    assert!(
        events.contains("step_up_events") && events.contains("step_up_rollups"),
        "{events:?}"
    );
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let touching: BTreeSet<String> = files
        .iter()
        .filter(|file| !tables_named(&read(file)).is_disjoint(&events))
        .map(|file| file.strip_prefix(root()).unwrap().display().to_string())
        .collect();
    let known = STORE.into_iter().chain(NEIGHBOURS).map(str::to_owned);
    assert_eq!(touching, known.collect());
}

#[test]
fn what_is_asked_of_the_store_is_a_short_list() {
    let mut asked = BTreeSet::new();
    for file in STORE {
        let text = read(&root().join(file));
        let functions = text.lines().filter_map(|line| line.strip_prefix("pub async fn "));
        asked.extend(functions.filter_map(|rest| Some(rest.split('(').next()?.to_owned())));
    }
    assert_eq!(asked, INTERFACE.map(str::to_owned).into());
}

#[test]
fn reports_know_no_database() {
    let mut files = Vec::new();
    sources(&root().join("src/reporting"), &mut files);
    assert!(files.len() >= 4, "{files:?}");
    for file in files {
        let text = read(&file);
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            let knows = line.contains("sqlx") || line.contains("storage::") || line.contains("storage,");
            assert!(!knows, "{}: {line}", file.display());
        }
    }
}

#[test]
fn a_table_is_found_where_sql_names_it() {
    let named = tables_named("SELECT 1 FROM a JOIN b ON x; INSERT INTO c AS d; use step_up_events::insert");
    assert_eq!(named, ["a", "b", "c"].map(str::to_owned).into());
}
