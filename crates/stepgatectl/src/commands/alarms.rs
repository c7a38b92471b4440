//! `stepgatectl alarms`.

use super::read_json;
use crate::{
    args::Alarms,
    output::{self, Print},
};
use anyhow::Context as _;
use serde_json::Value;
use std::process::ExitCode;
use stepgate_client::Client;

pub(super) async fn run(client: &Client, print: &Print, command: Alarms) -> anyhow::Result<ExitCode> {
    match command {
        Alarms::List { tenant, raised, kind } => {
            let filters = [
                ("tenant_id", tenant.as_deref()),
                ("kind", kind.as_deref()),
                ("state", raised.then_some("raised")),
            ];
            let query: Vec<_> = filters
                .iter()
                .filter_map(|(name, value)| Some((*name, (*value)?)))
                .collect();
            let page = client.list_alarms(&query).await?;
            output::result(print, &page, || {
                page.items.iter().map(line).collect::<Vec<_>>().join("\n")
            })?;
        }
        Alarms::Get { tenant } => {
            let watched = client.get_tenant_alarms(&tenant).await?;
            output::result(print, &watched, || thresholds(&watched))?;
        }
        Alarms::Set {
            tenant,
            thresholds: file,
        } => {
            let wanted = read_json(&file)?;
            let current = client.get_tenant_alarms(&tenant).await?;
            let version = current["version"]
                .as_i64()
                .context("thresholds without version")?;
            let watched = client.put_tenant_alarms(&tenant, version, &wanted).await?;
            output::result(print, &watched, || thresholds(&watched))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn thresholds(watched: &Value) -> String {
    format!("{:#}", watched["thresholds"])
}

/// An alarm for people.
fn line(alarm: &Value) -> String {
    let text = |field: &str| alarm[field].as_str().unwrap_or_default().to_owned();
    let until = alarm["cleared_at"].as_str().map_or_else(
        || "is on".to_owned(),
        |at| format!("until {at} ({})", text("cleared_because")),
    );
    format!(
        "{}  {:<15} {} against {}, of {}, since {}, {until}",
        text("tenant_id"),
        text("kind"),
        alarm["value"],
        alarm["threshold"],
        alarm["sample"],
        text("raised_at")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_alarm_is_a_line_that_tells_whether_it_is_on() {
        let mut alarm = json!({
            "tenant_id": "tnt_1", "kind": "success_rate", "value": 0.25, "threshold": 0.7, "sample": 40,
            "raised_at": "2026-01-05T10:00:00Z", "cleared_at": null, "cleared_because": null
        });
        assert_eq!(
            line(&alarm),
            "tnt_1  success_rate    0.25 against 0.7, of 40, since 2026-01-05T10:00:00Z, is on"
        );
        alarm["cleared_at"] = json!("2026-01-05T10:20:00Z");
        alarm["cleared_because"] = json!("recovered");
        assert!(line(&alarm).ends_with("until 2026-01-05T10:20:00Z (recovered)"));
    }
}
