//! `stepgatectl step-up`: what became of step-ups.

use crate::{
    args::StepUp,
    output::{self, Print},
};
use serde_json::Value;
use std::fmt::Write as _;
use std::process::ExitCode;
use stepgate_client::Client;

/// Columns of the report: title and field.
const COLUMNS: [(&str, &str); 6] = [
    ("started", "started"),
    ("succeeded", "succeeded"),
    ("failed", "failed"),
    ("abandoned", "abandoned"),
    ("rate", "success_rate"),
    ("p95 ms", "time_to_complete_p95_ms"),
];

pub(super) async fn run(client: &Client, print: &Print, command: StepUp) -> anyhow::Result<ExitCode> {
    let StepUp::Report {
        tenant,
        from,
        to,
        step,
        group_by,
        time_zone,
        app,
    } = command;
    let asked = [
        ("from", &from),
        ("to", &to),
        ("step", &step),
        ("group_by", &group_by),
        ("time_zone", &time_zone),
        ("app_id", &app),
    ];
    let query: Vec<(&str, &str)> = asked
        .iter()
        .filter_map(|(name, value)| Some((*name, value.as_deref()?)))
        .collect();
    let report = match &tenant {
        Some(tenant) => client.get_tenant_step_up_metrics(tenant, &query).await?,
        None => client.get_step_up_metrics(&query).await?,
    };
    output::result(print, &report, || text(&report))?;
    Ok(ExitCode::SUCCESS)
}

fn text(report: &Value) -> String {
    let rows = report["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut table = vec![(String::new(), COLUMNS.map(|(title, _)| title.to_owned()))];
    for row in rows {
        let slice = row["slice"].as_str().unwrap_or_default();
        let group = row["group"].as_str().unwrap_or_default();
        table.push((format!("{slice}  {group}").trim_end().to_owned(), cells(row)));
    }
    table.push(("total".to_owned(), cells(&report["total"])));
    let width = table
        .iter()
        .map(|(head, _)| head.chars().count())
        .max()
        .unwrap_or_default();
    let lines = table.iter().map(|(head, cells)| {
        let mut line = format!("{head:<width$}");
        for cell in cells {
            // Writing to a `String` cannot fail.
            let _ = write!(line, " {cell:>10}");
        }
        line
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn cells(figures: &Value) -> [String; COLUMNS.len()] {
    COLUMNS.map(|(_, field)| match (&figures[field], field) {
        (Value::Null, _) => "-".to_owned(),
        (value, "success_rate") => format!("{:.1} %", value.as_f64().unwrap_or_default() * 100.0),
        (value, _) => value.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_report_is_a_table_that_ends_with_the_total() {
        let figures = json!({ "started": 4, "succeeded": 3, "failed": 1, "abandoned": null, "success_rate": 0.75,
                              "time_to_complete_p95_ms": 9000 });
        let mut row = figures.clone();
        row["slice"] = json!("2026-01-05T10:00:00Z");
        row["group"] = json!("otp");
        let text = text(&json!({ "rows": [row], "total": figures }));
        let lines: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert_eq!(
            lines[0],
            ["started", "succeeded", "failed", "abandoned", "rate", "p95", "ms"]
        );
        assert_eq!(
            lines[1],
            [
                "2026-01-05T10:00:00Z",
                "otp",
                "4",
                "3",
                "1",
                "-",
                "75.0",
                "%",
                "9000"
            ]
        );
        assert_eq!(lines[2], ["total", "4", "3", "1", "-", "75.0", "%", "9000"]);
    }
}
