//! The list as parts of files that people read: everything between a line that ends in `begin NAME` and the next
//! that ends in `end` is made from it.

use super::{Document, Place, Statement, statements_of};
use std::fmt::Write as _;

/// `templates/access.yaml` with its policies as they should be.
pub fn refreshed_template(text: &str) -> String {
    refreshed(text, yaml)
}

/// `docs/iam.md` with its tables as they should be.
pub fn refreshed_page(text: &str) -> String {
    refreshed(text, table)
}

fn refreshed(text: &str, made: impl Fn(Document) -> String) -> String {
    let mut fresh = String::new();
    let mut skips = false;
    for line in text.lines() {
        skips &= !line.trim_end_matches(" -->").ends_with("# end");
        if skips {
            continue;
        }
        fresh.push_str(line);
        fresh.push('\n');
        let begun = Document::ALL.into_iter().find(|one| {
            line.trim_end_matches(" -->")
                .ends_with(&format!("# begin {}", one.name()))
        });
        if let Some(document) = begun {
            fresh.push_str(&made(document));
            skips = true;
        }
    }
    fresh
}

fn yaml(document: Document) -> String {
    let place = Place {
        partition: "${AWS::Partition}".to_owned(),
        account: "${AWS::AccountId}".to_owned(),
        region: "*".to_owned(),
    };
    let indent = if document == Document::Serve {
        " ".repeat(14)
    } else {
        " ".repeat(10)
    };
    let mut text = String::new();
    for statement in statements_of(document) {
        write_yaml(&mut text, statement, &place, &indent);
    }
    text
}

fn write_yaml(text: &mut String, statement: &Statement, place: &Place, indent: &str) {
    let substituted = |arn: &str| {
        let arn = place.complete(arn);
        if arn.contains("${") {
            format!("!Sub \"{arn}\"")
        } else {
            format!("\"{arn}\"")
        }
    };
    let mut line = |line: String| {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{indent}{line}");
    };
    line(format!("# {}", statement.why));
    line(format!("- Sid: {}", statement.sid));
    line("  Effect: Allow".to_owned());
    line("  Action:".to_owned());
    for action in statement.actions() {
        line(format!("    - {action}"));
    }
    match statement.resources {
        [one] => line(format!("  Resource: {}", substituted(one))),
        several => {
            line("  Resource:".to_owned());
            for arn in several {
                line(format!("    - {}", substituted(arn)));
            }
        }
    }
    if let Some((operator, key, value)) = statement.condition {
        line(format!(
            "  Condition: {{ {operator}: {{ {key}: {} }} }}",
            substituted(value)
        ));
    }
}

fn table(document: Document) -> String {
    let mut text = String::from(
        "| statement | why | actions | resources | only if |\n| --- | --- | --- | --- | --- |\n",
    );
    for statement in statements_of(document) {
        let code = |words: &[&str]| {
            words
                .iter()
                .map(|word| format!("`{word}`"))
                .collect::<Vec<_>>()
                .join(" ")
        };
        let actions: Vec<_> = statement.actions().into_iter().collect();
        let condition = statement
            .condition
            .map(|(operator, key, value)| format!("{operator} `{key}` `{value}`"))
            .unwrap_or_default();
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} | {condition} |",
            statement.sid,
            statement.why,
            code(&actions),
            code(statement.resources)
        );
    }
    text
}
