//! What one partner's reports and streams tell of another's tenants.

use crate::bench::Bench;
use crate::outcome::Trials;
use crate::stepgate::Stepgate;
use anyhow::Context as _;
use reqwest::Method;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Sign-ins before giving up: an emulator delivers log lines once, and not again where that failed.
const SIGN_INS: u32 = 4;
/// Looks for the events of one, and the pause between two.
const LOOKS: u32 = 60;
const PAUSE: Duration = Duration::from_millis(300);

/// Begins a sign-in at the tenant's app and waits for its event; returns the ids that tell it from others.
pub(super) async fn own_event(bench: &Bench, own: &Stepgate) -> anyhow::Result<[(String, String); 2]> {
    for _ in 0..SIGN_INS {
        let user = bench.user().await?;
        let challenge = bench.challenge(&bench.main_app(), &user).await?;
        let journey = challenge.parameters.get("journey_id").context("no journey")?;
        for _ in 0..LOOKS {
            let events = own.get(&format!("/v1/events?journey_id={journey}")).await?;
            if let Some(hash) = events["items"][0]["user_hash"].as_str() {
                return Ok([
                    ("journey_id".to_owned(), journey.clone()),
                    ("user_hash".to_owned(), hash.to_owned()),
                ]);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    anyhow::bail!("no event of {SIGN_INS} sign-ins arrived")
}

/// Figures and streams that are had with ids of this partner, but not by the other.
pub(super) async fn figures_and_streams(
    bench: &Bench,
    own: &Stepgate,
    foreign: &Stepgate,
    ids: &BTreeMap<String, String>,
    trials: &mut Trials,
) -> anyhow::Result<()> {
    let app = bench.main_app().id;
    let started = |report: &Value| report["total"]["started"].as_i64();
    let report = format!("/v1/metrics/step-up?app_id={app}");
    anyhow::ensure!(
        started(&own.get(&report).await?) > Some(0),
        "the control fails: the tenant has no figures"
    );
    let figures = started(&foreign.get(&report).await?);
    trials.holds("figures of a foreign app", figures == Some(0), "no figures");
    for split in ["app", "outcome", "reason"] {
        let report = foreign
            .get(&format!("/v1/metrics/step-up?group_by={split}"))
            .await?;
        let text = report.to_string();
        let shown = text.contains(app.as_str()) || ids.values().any(|id| text.contains(id.as_str()));
        trials.holds(&format!("figures by {split}"), !shown, "nothing in lists");
    }
    // The control: the stream of the operation is open to its partner.
    let stream = format!("/v1/operations/{}/events", ids["operation_id"]);
    let open = own.call(Method::GET, &stream, None, None).await?;
    anyhow::ensure!(
        open.status == 200,
        "the operation's stream answers {}",
        open.status
    );
    let closed = foreign.call(Method::GET, &stream, None, None).await?;
    trials.holds("the stream of a foreign operation", closed.status == 404, "404");
    Ok(())
}
