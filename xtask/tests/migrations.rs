//! Migrations only add, so that the release before goes on working on the new schema while pods are replaced, and after a rollback.
//!
//! What takes away, or asks more of what earlier releases write, needs a line of its own directly above the statement:
//!
//! ```sql
//! -- Contracts: unused since 0.3.0.
//! ALTER TABLE tenants DROP COLUMN old_name;
//! ```
//!
//! The release named is the first that neither reads nor writes what goes. It must be older than the one that takes it away: then the
//! release before, which still runs, does without as well.

use std::path::Path;

/// What takes something away from the release before, or makes it fail, as words of SQL in upper case.
const CONTRACTING: [&str; 16] = [
    "DROP TABLE",
    "DROP COLUMN",
    "DROP VIEW",
    "DROP MATERIALIZED VIEW",
    "DROP FUNCTION",
    "DROP TYPE",
    "DROP SCHEMA",
    "DROP SEQUENCE",
    "DROP DEFAULT",
    "RENAME TO",
    "RENAME COLUMN",
    "RENAME CONSTRAINT",
    "SET NOT NULL",
    "SET SCHEMA",
    "TRUNCATE",
    "DELETE FROM",
];
const MARK: &str = "-- Contracts: unused since ";

/// A statement with the line above it.
struct Statement {
    above: String,
    text: String,
}

/// Statements at the top level: bodies of functions are cut out, comments are no part of them.
fn statements(sql: &str) -> Vec<Statement> {
    let mut found = Vec::new();
    let (mut text, mut above, mut comment) = (String::new(), String::new(), String::new());
    let mut in_body = false;
    for line in sql.lines() {
        if let Some(said) = line.trim_start().strip_prefix("--").filter(|_| !in_body) {
            comment = format!("--{said}");
            continue;
        }
        let code = line.split(" --").next().unwrap_or_default();
        if text.trim().is_empty() {
            above = std::mem::take(&mut comment);
        }
        for (number, part) in code.split("$$").enumerate() {
            in_body ^= number > 0;
            if !in_body {
                text.push_str(part);
            }
        }
        text.push(' ');
        if !in_body && code.trim_end().ends_with(';') {
            let words: Vec<&str> = text.split_whitespace().collect();
            found.push(Statement {
                above: std::mem::take(&mut above),
                text: words.join(" "),
            });
            text.clear();
        }
    }
    found
}

/// The words for which a statement contracts.
fn contracts(statement: &str) -> Option<&'static str> {
    let upper = statement.to_ascii_uppercase();
    // Grants and comments name what they are about and change none of it.
    if [
        "COMMENT ",
        "GRANT ",
        "REVOKE ",
        "CREATE POLICY ",
        "CREATE TRIGGER ",
        "CREATE FUNCTION ",
    ]
    .iter()
    .any(|kind| upper.starts_with(kind))
    {
        return None;
    }
    let named = CONTRACTING.iter().find(|words| upper.contains(**words)).copied();
    named.or_else(|| {
        let clauses = upper.split(',');
        for clause in clauses {
            let column = clause.contains("ALTER COLUMN") || clause.contains(" ALTER ");
            if column && (clause.contains(" TYPE ") || clause.contains("SET DATA TYPE")) {
                return Some("ALTER COLUMN TYPE");
            }
            // The release before does not name it when it inserts.
            let adds = clause.contains("ADD COLUMN") && clause.contains("NOT NULL");
            if adds
                && !["DEFAULT", "GENERATED"]
                    .iter()
                    .any(|filled| clause.contains(filled))
            {
                return Some("ADD COLUMN NOT NULL without DEFAULT");
            }
        }
        None
    })
}

fn version(text: &str) -> Option<[u32; 3]> {
    let parts: Vec<u32> = text.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
    parts.try_into().ok()
}

/// Why `statement` may not be in a migration of release `shipped`.
fn objection(statement: &Statement, shipped: &str) -> Option<String> {
    let words = contracts(&statement.text)?;
    let Some(since) = statement.above.strip_prefix(MARK) else {
        return Some(format!(
            "{words} without a line `{MARK}X.Y.Z.` above: {}",
            statement.text
        ));
    };
    let since = since.trim_end().trim_end_matches('.');
    let earlier = version(since).is_some_and(|since| version(shipped).is_some_and(|shipped| since < shipped));
    (!earlier).then(|| {
        format!(
            "{words}: `{since}` is no release before {shipped}: {}",
            statement.text
        )
    })
}

#[test]
fn no_migration_takes_away_what_the_release_before_uses() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
    let mut seen = 0;
    let mut objections = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the migrations") {
        let path = entry.expect("a migration").path();
        let sql = std::fs::read_to_string(&path).expect("a migration");
        for statement in statements(&sql) {
            seen += 1;
            let why = objection(&statement, env!("CARGO_PKG_VERSION"));
            objections.extend(why.map(|why| format!("{}: {why}", path.display())));
        }
    }
    assert!(seen > 100, "{seen} statements were read");
    assert!(objections.is_empty(), "{}", objections.join("\n"));
}

#[test]
fn what_contracts_is_noticed_and_what_adds_is_not() {
    for sql in [
        "ALTER TABLE tenants DROP COLUMN name;",
        "ALTER TABLE tenants\n    ADD COLUMN a text, -- new\n    drop column b;",
        "DROP TABLE IF EXISTS apps;",
        "ALTER TABLE tenants RENAME TO customers;",
        "ALTER TABLE tenants RENAME COLUMN name TO title;",
        "ALTER TABLE tenants ALTER COLUMN name SET NOT NULL;",
        "ALTER TABLE tenants ALTER COLUMN generation TYPE integer;",
        "ALTER TABLE tenants ADD COLUMN a text NOT NULL;",
        "-- A reason.\nDROP FUNCTION may_see_partner(text);",
        "TRUNCATE audit_log;",
    ] {
        let found = statements(sql);
        assert_eq!(found.len(), 1, "{sql}");
        assert!(objection(&found[0], "0.2.0").is_some(), "{sql}");
        let marked = format!(
            "-- A reason.\n{MARK}0.1.0.\n{}",
            sql.trim_start_matches("-- A reason.\n")
        );
        assert!(objection(&statements(&marked)[0], "0.2.0").is_none(), "{marked}");
        assert!(
            objection(&statements(&marked)[0], "0.1.0").is_some(),
            "not older than the release: {marked}"
        );
    }
    for sql in [
        "ALTER TABLE tenants ADD COLUMN a text NOT NULL DEFAULT 'x';",
        "ALTER TABLE audit_log ALTER COLUMN partner_id DROP NOT NULL;",
        "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$\nBEGIN\n    DROP TABLE a;\nEND;\n$$;",
        "COMMENT ON TABLE a IS 'DROP TABLE is for its owner';",
        "-- DROP TABLE a;\nCREATE TABLE b (id text NOT NULL);",
    ] {
        let found = statements(sql);
        assert_eq!(found.len(), 1, "{sql}");
        assert!(objection(&found[0], "0.2.0").is_none(), "{sql}");
    }
}
