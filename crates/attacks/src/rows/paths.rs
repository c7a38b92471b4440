//! Paths on which Cognito mints tokens without asking *define*: the gate stands there.

use super::drift::is_reported;
use crate::bench::{App, Bench, User, now_ms};
use crate::cognito::Step;
use crate::functions::Trigger;
use crate::outcome::{Outcome, Trials};
use serde_json::{Value, json};
use std::time::Duration;
use step_up::reason::Reason;

/// A grant may be used again for 10 s after its first use: Cognito's own retries.
const AFTER_REUSE: Duration = Duration::from_secs(11);

/// An app whose client somebody opened by hand for plain SRP.
async fn opened_app(bench: &Bench) -> anyhow::Result<App> {
    let app = bench.app("opened", json!({})).await?;
    open_flows(bench, &app).await?;
    Ok(app)
}

async fn open_flows(bench: &Bench, app: &App) -> anyhow::Result<()> {
    let id = json!({ "UserPoolId": bench.target.user_pool_id, "ClientId": app.client_id });
    let described = bench
        .aws()?
        .must("cognito-idp", "DescribeUserPoolClient", &id)
        .await?;
    let mut settings = described["UserPoolClient"].clone();
    if let Some(object) = settings.as_object_mut() {
        object.retain(|key, _| !matches!(key.as_str(), "CreationDate" | "LastModifiedDate" | "ClientSecret"));
    }
    settings["ExplicitAuthFlows"] = json!([
        "ALLOW_CUSTOM_AUTH",
        "ALLOW_REFRESH_TOKEN_AUTH",
        "ALLOW_USER_SRP_AUTH",
        "ALLOW_USER_PASSWORD_AUTH"
    ]);
    bench
        .aws()?
        .must("cognito-idp", "UpdateUserPoolClient", &settings)
        .await?;
    Ok(())
}

/// Password alone, on a client that allows it. A reconciler may close the flows between two calls.
async fn plain_srp(bench: &Bench, app: &App, user: &User) -> anyhow::Result<Step> {
    for _ in 0..5 {
        let step = bench
            .cognito
            .password("USER_SRP_AUTH", &bench.who(app, user))
            .await?;
        match step.refused() {
            Some(refused) if refused.kind == "InvalidParameterException" => open_flows(bench, app).await?,
            _ => return Ok(step),
        }
    }
    anyhow::bail!("the client does not stay open")
}

/// A04: plain flows after somebody turned them on.
pub(super) async fn a04(bench: &Bench) -> anyhow::Result<Outcome> {
    let mut trials = Trials::new();
    let app = opened_app(bench).await?;
    let user = bench.user().await?;
    let since = now_ms();
    let step = plain_srp(bench, &app, &user).await?;
    let reason = bench.reason(&step, Trigger::Gate, &user, since).await?;
    trials.by_reason("USER_SRP_AUTH", &step, reason, &[Reason::NoGrant]);

    let user = bench.user().await?;
    let since = now_ms();
    let typed = json!({ "USERNAME": user.name, "PASSWORD": user.password });
    let step = bench
        .cognito
        .initiate(&app.client_id, "USER_PASSWORD_AUTH", typed)
        .await?;
    let reason = bench.reason(&step, Trigger::Gate, &user, since).await?;
    trials.by_reason("USER_PASSWORD_AUTH", &step, reason, &[Reason::NoGrant]);
    is_reported(bench, &mut trials, &flows_of(&app), "critical").await?;
    Ok(trials.outcome())
}

/// Sets the first password of a user on a path without *define*, and returns what Cognito answers.
async fn first_password(bench: &Bench, app: &App, user: &User, new: &str) -> anyhow::Result<Step> {
    let step = plain_srp(bench, app, user).await?;
    let challenge = step.challenge()?;
    anyhow::ensure!(
        challenge.name == "NEW_PASSWORD_REQUIRED",
        "expected the change, got {}",
        challenge.name
    );
    let responses = json!({ "USERNAME": user.name, "NEW_PASSWORD": new });
    let session = challenge.session.as_deref();
    bench
        .cognito
        .respond(&app.client_id, "NEW_PASSWORD_REQUIRED", session, responses, None)
        .await
}

/// A05: the first password change after `AdminCreateUser`.
pub(super) async fn a05(bench: &Bench) -> anyhow::Result<Outcome> {
    let mut trials = Trials::new();
    let app = opened_app(bench).await?;
    let name = format!("invited-{}", crate::bench::random_letters(10));
    let mut user = bench.invited(&name, &json!([])).await?;
    let new = format!("Bb2!{}", crate::bench::random_letters(20));
    let since = now_ms();
    let step = first_password(bench, &app, &user, &new).await?;
    let reason = bench.reason(&step, Trigger::Gate, &user, since).await?;
    trials.by_reason("first password", &step, reason, &[Reason::FirstPasswordSet]);

    // The password is set: a normal sign-in follows, and asks for the step-up.
    user.password = new;
    let challenge = bench.challenge(&app, &user).await;
    trials.holds("the sign-in that follows", challenge.is_ok(), "step-up asked");
    Ok(trials.outcome())
}

/// A06: token sources that come without *define*, as recorded events: with native TOTP Cognito mints under
/// `TokenGeneration_Authentication`; hosted pages, devices and sources of the future have their own names.
pub(super) async fn a06(bench: &Bench) -> anyhow::Result<Outcome> {
    let mut trials = Trials::new();
    let app = bench.main_app();
    let user = bench.user().await?;
    let sources = [
        ("TokenGeneration_Authentication", Reason::NoGrant),
        ("TokenGeneration_HostedAuth", Reason::SourceRefused),
        ("TokenGeneration_AuthenticateDevice", Reason::SourceRefused),
        ("TokenGeneration_NewPasswordChallenge", Reason::FirstPasswordSet),
        ("TokenGeneration_RefreshTokens", Reason::EvidenceExpired),
        ("TokenGeneration_ClientCredentials", Reason::SourceRefused),
        ("TokenGeneration_OfTheFuture", Reason::SourceRefused),
    ];
    for (source, expected) in sources {
        let event = bench.scene(&app, &user).pre_token(source);
        let (invoked, _) = bench.invoke_with_events(Trigger::Gate, &event).await?;
        let reason = refusal_of(&invoked.payload);
        trials.holds(source, invoked.failed, "an error, so no tokens");
        trials.reason(source, reason, &[expected]);
    }
    let on = json!({ "MfaConfiguration": "OPTIONAL", "SoftwareTokenMfaConfiguration": { "Enabled": true } });
    set_native_mfa(bench, on).await?;
    let reported = async {
        is_reported(bench, &mut trials, "user_pool/native_mfa", "critical").await?;
        is_reported(bench, &mut trials, "user_pool/native_totp", "critical").await
    }
    .await;
    // Whatever came of it, other rows need the pool as it was.
    let off = json!({ "MfaConfiguration": "OFF", "SoftwareTokenMfaConfiguration": { "Enabled": false } });
    set_native_mfa(bench, off).await?;
    reported?;
    Ok(trials.outcome())
}

/// Switches Cognito's own second factor of the pool, by hand.
async fn set_native_mfa(bench: &Bench, mut settings: Value) -> anyhow::Result<()> {
    settings["UserPoolId"] = json!(bench.target.user_pool_id);
    bench
        .aws()?
        .must("cognito-idp", "SetUserPoolMfaConfig", &settings)
        .await?;
    Ok(())
}

/// Where the report names the opened flows of an app.
fn flows_of(app: &App) -> String {
    format!("app_clients/{}/auth_flows", app.id)
}

/// The reason in a failed function's payload.
pub(super) fn refusal_of(payload: &Value) -> Option<Reason> {
    let code = payload["errorMessage"].as_str()?;
    Reason::ALL.iter().copied().find(|reason| reason.code() == code)
}

/// A26: the password alone, after a genuine step-up of the same user.
pub(super) async fn a26(bench: &Bench) -> anyhow::Result<Outcome> {
    let mut trials = Trials::new();
    let app = opened_app(bench).await?;
    let mut user = bench.user().await?;
    bench.sign_in(&app, &user).await?;
    tokio::time::sleep(AFTER_REUSE).await;

    let since = now_ms();
    let step = plain_srp(bench, &app, &user).await?;
    let reason = bench.reason(&step, Trigger::Gate, &user, since).await?;
    trials.by_reason("flow opened by hand", &step, reason, &[Reason::NoGrant]);

    let made = json!({
        "UserPoolId": bench.target.user_pool_id, "ClientName": "made-by-hand",
        "ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    });
    let made = bench
        .aws()?
        .must("cognito-idp", "CreateUserPoolClient", &made)
        .await?;
    let client_id = made["UserPoolClient"]["ClientId"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let by_hand = App {
        id: String::new(),
        client_id: client_id.clone(),
    };
    let since = now_ms();
    let step = bench
        .cognito
        .password("USER_SRP_AUTH", &bench.who(&by_hand, &user))
        .await?;
    let reason = bench.reason(&step, Trigger::Gate, &user, since).await?;
    trials.by_reason("app client made by hand", &step, reason, &[Reason::UnknownClient]);
    is_reported(bench, &mut trials, &flows_of(&app), "critical").await?;
    is_reported(
        bench,
        &mut trials,
        &format!("app_clients/{client_id}"),
        "critical",
    )
    .await?;
    let gone = json!({ "UserPoolId": bench.target.user_pool_id, "ClientId": client_id });
    bench
        .aws()?
        .must("cognito-idp", "DeleteUserPoolClient", &gone)
        .await?;

    let temporary = format!("Cc3!{}", crate::bench::random_letters(20));
    let body = json!({
        "UserPoolId": bench.target.user_pool_id, "Username": user.name, "Password": temporary, "Permanent": false
    });
    bench
        .aws()?
        .must("cognito-idp", "AdminSetUserPassword", &body)
        .await?;
    user.password = temporary;
    let since = now_ms();
    let new = format!("Dd4!{}", crate::bench::random_letters(20));
    let step = first_password(bench, &app, &user, &new).await?;
    let reason = bench.reason(&step, Trigger::Gate, &user, since).await?;
    trials.by_reason("password change", &step, reason, &[Reason::FirstPasswordSet]);
    Ok(trials.outcome())
}
