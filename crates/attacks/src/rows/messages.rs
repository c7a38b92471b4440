//! Messages to the app's page that are not BlockID's answer.

use crate::bench::Bench;
use crate::outcome::{Outcome, Trials};
use crate::sdk;
use anyhow::Context as _;
use serde_json::json;

/// A20: other origins, other frames, second, late and foreign messages, on a real challenge. The control: BlockID's own message comes
/// through, and what the SDK makes of it gets tokens.
pub(super) async fn a20(bench: &Bench) -> anyhow::Result<Outcome> {
    let mut trials = Trials::new();
    let app = bench.main_app();
    let user = bench.user().await?;
    let challenge = bench.challenge(&app, &user).await?;
    let posted = bench.posted(&challenge).await?;
    let genuine = json!({ "code": posted.code, "state": posted.state });
    let told = sdk::run(&json!({ "challenge": challenge.parameters, "genuine": genuine })).await?;
    for trial in &told.trials {
        trials.by_sdk(&trial.what, trial.refused, &trial.reason);
    }
    let answer = told.answer.context("the SDK took no genuine message")?;
    let step = bench.answer(&app, &user, &challenge, &answer).await?;
    step.tokens().context("the control")?;
    Ok(trials.outcome())
}
