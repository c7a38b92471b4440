//! Running rows and telling the result.

use crate::bench::Bench;
use crate::outcome::Outcome;
use crate::rows::{CATALOGUE, Row, Run};
use serde::Serialize;
use std::time::{Duration, Instant};

/// What became of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Refused, with the expected reason.
    Refused,
    /// A token came out, or the refusal had no acceptable reason.
    GotThrough,
    /// It, or a part of it, does not exist yet.
    NotBuilt,
    /// This target cannot show it.
    Skipped,
    /// It could not be carried out.
    Failed,
}

impl Verdict {
    /// Word for the table.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::GotThrough => "GOT THROUGH",
            Self::NotBuilt => "not built",
            Self::Skipped => "skipped",
            Self::Failed => "FAILED",
        }
    }

    /// Whether the run as a whole fails by it.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::GotThrough | Self::NotBuilt | Self::Failed)
    }
}

/// A row's line.
#[derive(Debug, Clone)]
pub struct Line {
    /// `A01`
    pub id: &'static str,
    /// What the attack is.
    pub name: &'static str,
    /// What became of it.
    pub verdict: Verdict,
    /// With what reason.
    pub reason: String,
    /// How long it took.
    pub took: Duration,
}

/// A line as written to `--json`. `refused` is `null` for a row that was skipped.
#[derive(Debug, Serialize)]
pub struct JsonLine<'a> {
    id: &'a str,
    name: &'a str,
    refused: Option<bool>,
    reason: &'a str,
    duration_ms: u128,
}

/// Runs one row.
pub async fn run_row(bench: &Bench, row: &Row) -> Line {
    let begin = Instant::now();
    let (verdict, reason) = match row.run {
        Run::NotBuilt(part) => (Verdict::NotBuilt, part.to_owned()),
        Run::Attack { needs, attack } => {
            let missing = needs.iter().find(|capability| !bench.target.has(**capability));
            match missing {
                Some(capability) => (Verdict::Skipped, capability.missing().to_owned()),
                None => judge(attack(bench).await),
            }
        }
    };
    Line {
        id: row.id,
        name: row.name,
        verdict,
        reason,
        took: begin.elapsed(),
    }
}

fn judge(outcome: anyhow::Result<Outcome>) -> (Verdict, String) {
    match outcome {
        Ok(Outcome {
            refused: false,
            reason,
            ..
        }) => (Verdict::GotThrough, reason),
        Ok(Outcome {
            not_built: Some(part),
            reason,
            ..
        }) => (Verdict::NotBuilt, format!("{reason}; not built: {part}")),
        Ok(Outcome { reason, .. }) => (Verdict::Refused, reason),
        Err(error) => (Verdict::Failed, format!("{error:#}")),
    }
}

/// The rows of these ids, all of them when none is named.
pub fn select(ids: &[String]) -> anyhow::Result<Vec<&'static Row>> {
    for id in ids {
        let known = CATALOGUE.iter().any(|row| row.id.eq_ignore_ascii_case(id));
        anyhow::ensure!(known, "there is no row {id}");
    }
    let chosen = |row: &&Row| ids.is_empty() || ids.iter().any(|id| row.id.eq_ignore_ascii_case(id));
    Ok(CATALOGUE.iter().filter(chosen).collect())
}

/// A line of the table.
pub fn text(line: &Line) -> String {
    let took = format!("{:.1} s", line.took.as_secs_f64());
    format!(
        "{:<4} {:<64} {:<11} {:>7}  {}",
        line.id,
        line.name,
        line.verdict.word(),
        took,
        line.reason
    )
}

/// Lines as JSON.
pub fn json(lines: &[Line]) -> anyhow::Result<String> {
    let lines: Vec<JsonLine<'_>> = lines
        .iter()
        .map(|line| JsonLine {
            id: line.id,
            name: line.name,
            refused: (line.verdict != Verdict::Skipped).then_some(line.verdict == Verdict::Refused),
            reason: &line.reason,
            duration_ms: line.took.as_millis(),
        })
        .collect();
    Ok(serde_json::to_string_pretty(&lines)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_known_or_refused() {
        assert_eq!(select(&["a07".to_owned()]).expect("row")[0].id, "A07");
        assert!(select(&["A99".to_owned()]).is_err());
        assert_eq!(select(&[]).expect("all").len(), CATALOGUE.len());
    }

    #[test]
    fn a_part_that_is_missing_fails_the_run() {
        let outcome = Outcome {
            refused: true,
            reason: "no_grant".to_owned(),
            not_built: Some("drift"),
        };
        let (verdict, reason) = judge(Ok(outcome));
        assert!(verdict.is_failure());
        assert_eq!(reason, "no_grant; not built: drift");
    }
}
