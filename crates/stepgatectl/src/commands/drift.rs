//! `stepgatectl drift`: what AWS has of a tenant other than wanted.

use crate::{
    args::Drift,
    output::{self, Print},
};
use serde_json::Value;
use std::{process::ExitCode, time::Duration};
use stepgate_client::Client;

/// Looks for the report of a comparison that was asked for, and the pause between two.
const LOOKS: u32 = 120;
const PAUSE: Duration = Duration::from_secs(1);

pub(super) async fn run(client: &Client, print: &Print, asked: &Drift) -> anyhow::Result<ExitCode> {
    let mut report = if asked.check {
        compared(client, &asked.tenant).await?
    } else {
        client.get_tenant_drift(&asked.tenant).await?
    };
    output::result(print, &report, || text(&report))?;
    let findings = report["findings"].take();
    Ok(if findings.as_array().is_some_and(Vec::is_empty) {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(output::NO)
    })
}

/// Asks for a comparison and waits until it has been made, or has failed.
async fn compared(client: &Client, tenant: &str) -> anyhow::Result<Value> {
    let before = client.check_tenant_drift(tenant).await?;
    for _ in 0..LOOKS {
        let report = client.get_tenant_drift(tenant).await?;
        if report["checked_at"] != before["checked_at"] || report["error"]["at"] != before["error"]["at"] {
            return Ok(report);
        }
        tokio::time::sleep(PAUSE).await;
    }
    anyhow::bail!("the tenant was not compared within {LOOKS} s; it is being changed, or no worker runs")
}

fn text(report: &Value) -> String {
    let field = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut lines = vec![match report["checked_at"].as_str() {
        Some(at) => format!("compared at {at}, mode {}", field(&report["mode"])),
        None => "not compared yet".to_owned(),
    }];
    if let Some(message) = report["error"]["message"].as_str() {
        lines.push(format!("the last comparison failed: {message}"));
    }
    for finding in report["findings"].as_array().into_iter().flatten() {
        let state = match (&finding["healing"], &finding["healable"]) {
            (Value::Bool(true), _) => ", being written back",
            (_, Value::Bool(false)) => ", cannot be written back",
            _ => "",
        };
        lines.push(format!(
            "  {:<8} {}{state}",
            field(&finding["severity"]),
            field(&finding["path"])
        ));
        lines.push(format!("    wanted   {}", finding["wanted"]));
        lines.push(format!("    observed {}", finding["observed"]));
    }
    for what in report["not_checked"].as_array().into_iter().flatten() {
        lines.push(format!("  not compared: {}", field(what)));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_report_shows_what_is_wanted_and_what_is_there() {
        let report = json!({
            "mode": "report", "checked_at": "2026-01-05T10:00:00Z", "error": null, "not_checked": ["roles"],
            "findings": [{ "path": "user_pool/native_mfa", "severity": "critical", "wanted": "OFF",
                "observed": "OPTIONAL", "healable": true, "healing": true }],
        });
        assert_eq!(
            text(&report),
            "compared at 2026-01-05T10:00:00Z, mode report\n  critical user_pool/native_mfa, being written back\n    \
             wanted   \"OFF\"\n    observed \"OPTIONAL\"\n  not compared: roles"
        );
        assert_eq!(text(&json!({ "checked_at": null })), "not compared yet");
    }
}
