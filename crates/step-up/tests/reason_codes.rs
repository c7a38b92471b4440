//! `docs/reason-codes.md` lists every reason, with the meaning that the source gives, in its order.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use step_up::reason::Reason;

const HEADER: &str = "| code | meaning | seen at | what to do |\n| --- | --- | --- | --- |\n";
const UPDATE: &str = "STEPGATE_UPDATE_DOCS=1 cargo test -p step-up --test reason_codes";

#[test]
fn the_document_lists_every_reason() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reason-codes.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (above, table) = text
        .split_once(HEADER)
        .expect("docs/reason-codes.md has no table of reasons");

    // What people wrote: the last two cells of each row, by code.
    let written: BTreeMap<&str, (&str, &str)> = table
        .lines()
        .filter_map(|row| {
            let mut cells = row.trim_matches('|').split(" | ").map(str::trim);
            let code = cells.next()?.trim_matches('`');
            let _meaning = cells.next()?;
            Some((code, (cells.next()?, cells.next()?)))
        })
        .collect();

    let mut expected = format!("{above}{HEADER}");
    let mut unwritten = Vec::new();
    for reason in Reason::ALL {
        let code = reason.code();
        let (seen_at, what_to_do) = written.get(code).copied().unwrap_or_default();
        if seen_at.is_empty() || what_to_do.is_empty() {
            unwritten.push(code);
        }
        let meaning = reason.meaning().trim();
        assert!(!meaning.contains('|'), "{code}: a meaning is a table cell");
        writeln!(expected, "| `{code}` | {meaning} | {seen_at} | {what_to_do} |").unwrap();
    }

    if std::env::var_os("STEPGATE_UPDATE_DOCS").is_some() {
        std::fs::write(&path, &expected).unwrap();
    } else {
        assert!(
            text == expected,
            "docs/reason-codes.md is out of date; mend it with: {UPDATE}"
        );
    }
    assert!(
        unwritten.is_empty(),
        "docs/reason-codes.md does not say where these are seen and what to do about them: {unwritten:?}; \
         fill in the last two columns (after: {UPDATE})"
    );
}
