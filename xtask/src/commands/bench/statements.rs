//! The statements of a request, as PostgreSQL saw them, and a pgbench script that runs the same ones.
//!
//! They are taken from the server's log, so that the limit moves with the service. What differs between two requests of a
//! kind is what the service makes anew each time: the script makes it anew too.

use std::collections::HashMap;
use std::fmt::Write as _;

/// A statement with its parameters; `None` is NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    text: String,
    parameters: Vec<Option<String>>,
}

/// Reads what the server logged under `log_statement = all`, transaction by transaction in the order in which they began: the
/// end of one may be written down after the beginning of the next, on another connection.
pub(super) fn read(log: &str) -> Vec<Statement> {
    let mut transactions: Vec<(&str, Vec<Statement>)> = Vec::new();
    for (process, statement) in in_order(log) {
        let open = transactions
            .iter_mut()
            .rev()
            .find(|(of, _)| *of == process)
            .filter(|_| !statement.text.starts_with("BEGIN"));
        match open {
            Some((_, statements)) => statements.push(statement),
            None => transactions.push((process, vec![statement])),
        }
    }
    let statements = transactions.into_iter().flat_map(|(_, statements)| statements);
    statements.collect()
}

/// Each statement with the process of the server that ran it.
fn in_order(log: &str) -> Vec<(&str, Statement)> {
    let mut statements: Vec<(&str, Statement)> = Vec::new();
    let mut in_statement = false;
    for line in log.lines() {
        if let Some((before, executed)) = line.split_once("] LOG:  ") {
            let prepared = executed
                .strip_prefix("execute ")
                .and_then(|rest| rest.split_once(": "));
            let text = prepared
                .map(|(_, text)| text)
                .or_else(|| executed.strip_prefix("statement: "));
            in_statement = text.is_some();
            let process = before.rsplit('[').next().unwrap_or_default();
            statements.extend(text.map(|text| {
                let statement = Statement {
                    text: text.to_owned(),
                    parameters: Vec::new(),
                };
                (process, statement)
            }));
        } else if let Some((_, detail)) = line.split_once("] DETAIL:  ") {
            in_statement = false;
            let list = detail
                .strip_prefix("parameters: ")
                .or_else(|| detail.strip_prefix("Parameters: "));
            if let (Some(list), Some((_, last))) = (list, statements.last_mut()) {
                last.parameters = parameters(list);
            }
        } else if let (true, Some((_, last)), Some(more)) =
            (in_statement, statements.last_mut(), line.strip_prefix('\t'))
        {
            last.text.push(' ');
            last.text.push_str(more.trim());
        }
    }
    statements
}

/// `$1 = 'it''s', $2 = NULL`
fn parameters(list: &str) -> Vec<Option<String>> {
    let mut found = Vec::new();
    let mut rest = list;
    while let Some((_, value)) = rest.split_once(" = ") {
        let Some(quoted) = value.strip_prefix('\'') else {
            found.push(None);
            rest = value.strip_prefix("NULL").unwrap_or_default();
            continue;
        };
        let (mut text, mut end) = (String::new(), quoted.len());
        let mut characters = quoted.char_indices().peekable();
        while let Some((at, character)) = characters.next() {
            if character == '\'' && characters.next_if(|(_, next)| *next == '\'').is_none() {
                end = at + 1;
                break;
            }
            text.push(character);
        }
        found.push(Some(text));
        rest = &quoted[end..];
    }
    found
}

/// A script of the statements of `first`, with what is otherwise in `second` made anew in each transaction. It wants the
/// variables `c` (the client) and `k` (counted up by the script). `None` when the two are not of one kind.
pub(super) fn script(first: &[Statement], second: &[Statement]) -> Option<String> {
    let same_kind = first.len() == second.len()
        && first.iter().zip(second).all(|(one, other)| {
            one.parameters.len() == other.parameters.len()
                && (one.text == other.text
                    || one.text.starts_with("BEGIN") && other.text.starts_with("BEGIN"))
        });
    if !same_kind || first.is_empty() {
        return None;
    }
    let mut made: HashMap<&str, String> = HashMap::new();
    let mut script = "\\set k :k + 1\n".to_owned();
    for (one, other) in first.iter().zip(second) {
        let expressions: Vec<String> = one
            .parameters
            .iter()
            .zip(&other.parameters)
            .map(|(one, other)| match (one, other) {
                (Some(one), Some(other)) if one != other => {
                    let number = made.len();
                    made.entry(one)
                        .or_insert_with(|| anew(one, other, number))
                        .clone()
                }
                (Some(one), _) => quoted(one),
                (None, _) => "NULL".to_owned(),
            })
            .collect();
        let text = filled(&one.text, &expressions);
        // One message in the service; pgbench sends it as one with a pipeline.
        match text.split_once("; ") {
            Some((begin, scope)) => {
                let _infallible = writeln!(script, "\\startpipeline\n{begin};\n{scope};\n\\endpipeline");
            }
            None => {
                let _infallible = writeln!(script, "{text};");
            }
        }
    }
    Some(script)
}

/// An expression for a value that the service makes anew.
fn anew(one: &str, other: &str, number: usize) -> String {
    if let (Ok(one), Ok(other)) = (one.parse::<i64>(), other.parse::<i64>())
        && other - one == 1
    {
        return format!("(:k + {one})");
    }
    if one.starts_with("20") && one.contains(':') {
        return "now()".to_owned();
    }
    if one.starts_with(['{', '[', '\\']) {
        return quoted(one);
    }
    let prefix = one.split_once('_').map_or("", |(prefix, _)| prefix);
    format!("('{prefix}_' || :c || '_' || :k || '_{number}')")
}

fn quoted(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if doubled.contains('\\') {
        return format!("E'{}'", doubled.replace('\\', "\\\\"));
    }
    format!("'{doubled}'")
}

/// The text with `$1`, `$2`, … replaced.
fn filled(text: &str, expressions: &[String]) -> String {
    let mut filled = String::new();
    let mut pieces = text.split('$');
    filled.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let digits = piece.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = piece.split_at(digits);
        let expression = number
            .parse::<usize>()
            .ok()
            .and_then(|number| expressions.get(number.checked_sub(1)?));
        if let Some(expression) = expression {
            filled.push_str(expression);
        } else {
            filled.push('$');
            filled.push_str(number);
        }
        filled.push_str(rest);
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions_are_read_whole_though_their_lines_are_mixed() {
        let log = "2026-11-26 05:47:27.744 UTC [7] LOG:  statement: BEGIN; SELECT 1\n\
                   2026-11-26 05:47:27.745 UTC [7] LOG:  execute a: SELECT $1\n\
                   2026-11-26 05:47:27.745 UTC [7] DETAIL:  Parameters: $1 = 'x'\n\
                   2026-11-26 05:47:27.745 UTC [8] LOG:  statement: BEGIN; SELECT 2\n\
                   2026-11-26 05:47:27.745 UTC [7] LOG:  statement: ROLLBACK\n\
                   2026-11-26 05:47:27.746 UTC [7] LOG:  statement: BEGIN; SELECT 3\n\
                   2026-11-26 05:47:27.746 UTC [8] LOG:  statement: COMMIT\n";
        let texts: Vec<String> = read(log).into_iter().map(|statement| statement.text).collect();
        let expected = [
            "BEGIN; SELECT 1",
            "SELECT $1",
            "ROLLBACK",
            "BEGIN; SELECT 2",
            "COMMIT",
            "BEGIN; SELECT 3",
        ];
        assert_eq!(texts, expected);
    }

    const LOG: &str = "\
2026-01-05 10:00:00.000 UTC [7] LOG:  statement: BEGIN; SET LOCAL stepgate.partner_id = 'prt_1'
2026-01-05 10:00:00.001 UTC [7] LOG:  execute sqlx_s_3: INSERT INTO t (id, at, version, text, more)
\t           VALUES ($1, $2, $3, $4, $5)
2026-01-05 10:00:00.001 UTC [7] DETAIL:  parameters: $1 = 'opn_01', $2 = '2026-01-05 10:00:00+00', $3 = '4', $4 = 'it''s, $5 = ''x''', $5 = NULL
2026-01-05 10:00:00.002 UTC [8] ERROR:  something else
2026-01-05 10:00:00.003 UTC [7] LOG:  statement: COMMIT
";

    #[test]
    fn statements_are_read_with_their_parameters() {
        let statements = read(LOG);
        let texts: Vec<&str> = statements
            .iter()
            .map(|statement| statement.text.as_str())
            .collect();
        assert_eq!(
            texts[1],
            "INSERT INTO t (id, at, version, text, more) VALUES ($1, $2, $3, $4, $5)"
        );
        assert_eq!((texts.len(), texts[2]), (3, "COMMIT"));
        let given: Vec<Option<&str>> = statements[1].parameters.iter().map(Option::as_deref).collect();
        let wanted = [
            Some("opn_01"),
            Some("2026-01-05 10:00:00+00"),
            Some("4"),
            Some("it's, $5 = 'x'"),
            None,
        ];
        assert_eq!(given, wanted);
    }

    #[test]
    fn what_differs_between_two_requests_is_made_anew() {
        let second = LOG
            .replace("opn_01", "opn_02")
            .replace("'4'", "'5'")
            .replace("10:00:00+00", "10:00:09+00");
        let script = script(&read(LOG), &read(&second)).unwrap();
        let wanted = "\\set k :k + 1\n\\startpipeline\nBEGIN;\nSET LOCAL stepgate.partner_id = 'prt_1';\n\
             \\endpipeline\nINSERT INTO t (id, at, version, text, more) VALUES (('opn_' || :c || '_' || :k || '_0'), now(), \
             (:k + 4), 'it''s, $5 = ''x''', NULL);\nCOMMIT;\n";
        assert_eq!(script, wanted);
    }

    #[test]
    fn requests_of_different_kinds_make_no_script() {
        assert_eq!(script(&read(LOG), &read(&LOG.replace("INTO t", "INTO u"))), None);
        assert_eq!(script(&[], &[]), None);
    }

    #[test]
    fn backslashes_arrive_as_they_are() {
        assert_eq!(quoted(r"\x00'"), r"E'\\x00'''");
    }
}
