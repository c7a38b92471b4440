//! What is changed by hand is reported as drift. A report is asked for, and waited for.

use crate::bench::Bench;
use crate::outcome::Trials;
use anyhow::Context as _;
use serde_json::{Value, json};
use std::time::Duration;

/// Looks at the report, and the pause between two: a tenant that is being changed is compared afterwards.
const LOOKS: u32 = 600;
const PAUSE: Duration = Duration::from_millis(200);

/// The report must name `path`, as bad as `severity`, after a comparison that began later than this call.
pub(super) async fn is_reported(
    bench: &Bench,
    trials: &mut Trials,
    path: &str,
    severity: &str,
) -> anyhow::Result<()> {
    let report = format!("/v1/tenants/{}/drift", bench.target.tenant_id);
    // A comparison that is under way may have looked before.
    for _ in 0..2 {
        compared(bench, &report).await?;
    }
    let found = bench.api()?.get(&report).await?;
    let named = found["findings"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|finding| finding["path"] == path);
    let what = format!("drift of {path}");
    let as_bad = named.is_some_and(|finding| finding["severity"] == severity);
    trials.holds(&what, as_bad, "reported as drift");
    Ok(())
}

/// Waits for a comparison that ended after now.
async fn compared(bench: &Bench, report: &str) -> anyhow::Result<()> {
    let asked = bench.api()?.post(&format!("{report}:check"), &json!({})).await?;
    let before = text(&asked["checked_at"]);
    for _ in 0..LOOKS {
        let now = bench.api()?.get(report).await?;
        if now["checked_at"].is_string() && text(&now["checked_at"]) != before {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
    let now = bench.api()?.get(report).await?;
    Err(anyhow::anyhow!("{now}")).context("the tenant was not compared")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
