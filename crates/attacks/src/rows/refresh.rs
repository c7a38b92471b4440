//! Refresh: tokens later, without the user.

use crate::bench::{App, Bench, User, now_ms};
use crate::cognito::Tokens;
use crate::functions::Trigger;
use crate::outcome::{Outcome, Trials};
use serde_json::{Value, json};
use std::time::Duration;
use step_up::reason::Reason;

/// Evidence of a user for an app, as DynamoDB items.
async fn evidence(bench: &Bench, app: &App, user: &User) -> anyhow::Result<(String, Vec<Value>)> {
    let table = bench
        .function_variable(Trigger::Define, "STEPGATE_RECORDS_TABLE")
        .await?;
    let query = json!({
        "TableName": table, "ConsistentRead": true,
        "KeyConditionExpression": "pk = :user AND begins_with(sk, :evidence)",
        "ExpressionAttributeValues": {
            ":user": { "S": format!("user#{}", user.sub) },
            ":evidence": { "S": format!("evidence#{}#", app.client_id) }
        }
    });
    let found = bench.aws()?.must("dynamodb", "Query", &query).await?;
    Ok((table, found["Items"].as_array().cloned().unwrap_or_default()))
}

/// Makes time pass for a user's step-ups.
async fn age(bench: &Bench, app: &App, user: &User, by_s: i64) -> anyhow::Result<()> {
    let (table, items) = evidence(bench, app, user).await?;
    anyhow::ensure!(!items.is_empty(), "the sign-in left no evidence");
    for mut item in items {
        let at: i64 = item["at_unix_s"]["N"].as_str().unwrap_or_default().parse()?;
        item["at_unix_s"]["N"] = (at - by_s).to_string().into();
        let write = json!({ "TableName": table, "Item": item });
        bench.aws()?.must("dynamodb", "PutItem", &write).await?;
    }
    Ok(())
}

fn claim(tokens: &Tokens, name: &str) -> anyhow::Result<String> {
    Ok(tokens.id_claims()?[name].as_str().unwrap_or_default().to_owned())
}

/// Both ways to refresh are refused.
pub(super) async fn refused(
    bench: &Bench,
    trials: &mut Trials,
    what: &str,
    (app, user): (&App, &User),
    refresh_token: &str,
) -> anyhow::Result<()> {
    let since = now_ms();
    let step = bench.cognito.refresh(&app.client_id, refresh_token).await?;
    let reason = bench.reason(&step, Trigger::Gate, user, since).await?;
    trials.by_reason(
        &format!("{what}, REFRESH_TOKEN_AUTH"),
        &step,
        reason,
        &[Reason::EvidenceExpired],
    );
    // Lines of one millisecond could not be told apart.
    tokio::time::sleep(Duration::from_millis(5)).await;
    let since = now_ms();
    let step = bench
        .cognito
        .tokens_from_refresh_token(&app.client_id, refresh_token)
        .await?;
    let reason = bench.reason(&step, Trigger::Gate, user, since).await?;
    trials.by_reason(
        &format!("{what}, GetTokensFromRefreshToken"),
        &step,
        reason,
        &[Reason::EvidenceExpired],
    );
    Ok(())
}

/// A sign-in that names its journey: one that follows another at once could be taken for it, because a grant
/// may be used again for 10 s.
async fn signed_in_by_name(bench: &Bench, app: &App, user: &User) -> anyhow::Result<Tokens> {
    let challenge = bench.challenge(app, user).await?;
    let posted = bench.posted(&challenge).await?;
    let named = json!({ "journey_id": challenge.parameters.get("journey_id") });
    let who = bench.who(app, user);
    let session = challenge.session.as_deref();
    bench
        .cognito
        .answer(&who, session, &posted.answer(), Some(named))
        .await?
        .tokens()
}

/// A16: refresh on a step-up that is too old, missing, or another device's.
pub(super) async fn a16(bench: &Bench) -> anyhow::Result<Outcome> {
    let mut trials = Trials::new();
    let app = bench.main_app();
    let user = bench.user().await?;
    let first = bench.sign_in(&app, &user).await?;
    let token = first.refresh_token.clone().unwrap_or_default();
    let control = bench.cognito.refresh(&app.client_id, &token).await?.tokens()?;
    anyhow::ensure!(
        claim(&control, "stepup_at")? == claim(&first, "stepup_at")?,
        "a refresh is fresher"
    );

    // Another device: the older session must not look younger for it, nor the younger one older than it is.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let second = signed_in_by_name(bench, &app, &user).await?;
    anyhow::ensure!(
        claim(&second, "stepup_at")? != claim(&first, "stepup_at")?,
        "the clock stands still"
    );
    for session in [&first, &second] {
        let token = session.refresh_token.clone().unwrap_or_default();
        let fresh = bench.cognito.refresh(&app.client_id, &token).await?.tokens()?;
        let oldest = claim(&fresh, "stepup_at")? == claim(&first, "stepup_at")?;
        trials.holds("two devices", oldest, "the oldest step-up claimed");
    }

    age(bench, &app, &user, 400 * 24 * 3_600).await?;
    refused(bench, &mut trials, "too old", (&app, &user), &token).await?;

    let other = bench.user().await?;
    let tokens = bench.sign_in(&app, &other).await?;
    let (table, items) = evidence(bench, &app, &other).await?;
    for item in items {
        let gone = json!({ "TableName": table, "Key": { "pk": item["pk"], "sk": item["sk"] } });
        bench.aws()?.must("dynamodb", "DeleteItem", &gone).await?;
    }
    let token = tokens.refresh_token.clone().unwrap_or_default();
    refused(bench, &mut trials, "no evidence", (&app, &other), &token).await?;
    Ok(trials.outcome())
}
