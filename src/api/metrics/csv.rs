//! A report as CSV (RFC 4180).

use crate::{
    api::csv::field,
    reporting::{question::Filter, report::ReportRow},
};
use chrono::{DateTime, Utc};
use std::fmt::Write as _;

const HEADER: &str = "slice,group,started,offered,succeeded,failed,abandoned,skipped,exempted,refused_tokens,tokens,success_rate,\
                      fallback_rate,time_to_complete_p50_ms,time_to_complete_p95_ms,time_to_complete_p99_ms,cold_starts";

/// A name for the file that says of which time it is, as the answer in JSON does.
pub(super) fn disposition(filter: &Filter) -> String {
    let time = |at: DateTime<Utc>| at.format("%Y%m%dT%H%MZ");
    let (from, to) = (time(filter.from), time(filter.to));
    format!("attachment; filename=\"step-up_{from}_{to}.csv\"")
}

/// Header and lines; what is not known is empty.
pub(super) fn text(rows: &[ReportRow]) -> String {
    let mut text = format!("{HEADER}\r\n");
    for row in rows {
        let figures = &row.figures;
        // Writing to a `String` cannot fail.
        let _ = write!(
            text,
            "{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\r\n",
            row.slice.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            field(row.group.as_deref().unwrap_or_default()),
            optional(figures.started),
            optional(figures.offered),
            figures.succeeded,
            optional(figures.failed),
            optional(figures.abandoned),
            figures.skipped,
            figures.exempted,
            figures.refused_tokens,
            figures.tokens,
            optional(figures.success_rate),
            optional(figures.fallback_rate),
            optional(figures.time_to_complete_p50_ms),
            optional(figures.time_to_complete_p95_ms),
            optional(figures.time_to_complete_p99_ms),
            figures.cold_starts,
        );
    }
    text
}

fn optional(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_the_header_s_fields() {
        let row = ReportRow {
            slice: DateTime::UNIX_EPOCH,
            group: None,
            figures: crate::reporting::report::Figures::default(),
        };
        let text = text(&[row]);
        let counts: Vec<_> = text.lines().map(|line| line.split(',').count()).collect();
        assert_eq!(counts, [17, 17]);
        assert!(text.contains("\r\n1970-01-01T00:00:00Z,\"\",,,0,,"), "{text}");
    }
}
