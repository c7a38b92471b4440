//! The password, reset by whoever holds the mailbox.

use super::assurance::problem_codes;
use super::refresh::refused;
use crate::bench::Bench;
use crate::functions::Trigger;
use crate::outcome::{Outcome, Trials};
use anyhow::Context as _;
use serde_json::json;

/// A30: a step-up that is only the channel by which the password is reset; and what a reset leaves of earlier step-ups.
/// The event of the reset is a recorded one, handed to the deployed function: emulators do not send it.
pub(super) async fn a30(bench: &Bench) -> anyhow::Result<Outcome> {
    let mut trials = Trials::new();
    let app = bench.app("mailbox", json!({})).await?;
    let policy = json!({ "schema_version": 1, "rules": [], "default": {
        "step_up": "required", "methods": ["otp email"], "attempts": 2
    }});
    let answer = bench
        .api()?
        .try_policy(&bench.target.tenant_id, &app.id, &policy)
        .await?;
    let codes = problem_codes(&answer.body);
    trials.holds(
        "only otp email",
        answer.status == 422 || answer.status == 400,
        "policy refused",
    );
    let told = codes.iter().any(|code| code == "step_up_is_reset_channel");
    trials.holds("only otp email", told, "step_up_is_reset_channel");

    let main = bench.main_app();
    let user = bench.user().await?;
    let tokens = bench.sign_in(&main, &user).await?;
    let refresh_token = tokens.refresh_token.context("no refresh token")?;
    let before = bench.cognito.refresh(&main.client_id, &refresh_token).await?;
    before.tokens().context("a session does not refresh")?;
    let scene = bench.scene(&main, &user);
    let reset = bench.invoke(Trigger::Define, &scene.password_reset()).await?;
    anyhow::ensure!(!reset.failed, "the reset fails: {}", reset.payload);
    refused(
        bench,
        &mut trials,
        "a session of before",
        (&main, &user),
        &refresh_token,
    )
    .await?;
    let gate = scene.pre_token("TokenGeneration_Authentication");
    let gate = bench.invoke(Trigger::Gate, &gate).await?;
    let told = gate.failed && gate.payload["errorMessage"] == "no_grant";
    trials.holds("a step-up of before", told, "no_grant");
    let pool = json!({ "UserPoolId": bench.target.user_pool_id });
    let pool = bench
        .aws()?
        .must("cognito-idp", "DescribeUserPool", &pool)
        .await?;
    let asked = pool["UserPool"]["LambdaConfig"]["PostConfirmation"]
        .as_str()
        .unwrap_or_default();
    let own = asked.ends_with(&bench.function_name(Trigger::Define));
    trials.holds("the pool", own, "tells the function of resets");

    bench
        .sign_in(&main, &user)
        .await
        .context("the user cannot sign in any more")?;
    Ok(trials.outcome())
}
