//! Step-up for one action: the proof of a signed-in session, and what its tokens are good for.

use super::password::action_app;
use crate::bench::{App, Bench, User, authorize_url, now_ms};
use crate::cognito::{Challenge, Step, Tokens};
use crate::functions::Trigger;
use crate::outcome::{Outcome, Trials};
use crate::provider::StepUp;
use anyhow::Context as _;
use serde_json::{Value, json};
use step_up::reason::Reason;

const ACTION: &str = "transfer";

/// Begins an action step-up and answers its session proof with this token.
async fn prove(bench: &Bench, app: &App, user: &User, token: &str) -> anyhow::Result<Step> {
    let begin = json!({ "USERNAME": user.name });
    let step = bench
        .cognito
        .initiate(&app.client_id, "CUSTOM_AUTH", begin)
        .await?;
    let Step::Challenge(challenge) = step else {
        return Ok(step);
    };
    let answer = json!({ "access_token": token, "action": ACTION }).to_string();
    let metadata = json!({ "action": ACTION, "action_ref": "5f2e" });
    let who = bench.who(app, user);
    bench
        .cognito
        .answer(&who, challenge.session.as_deref(), &answer, Some(metadata))
        .await
}

/// Completes the step-up of an action, naming its journey.
async fn complete(bench: &Bench, app: &App, user: &User, challenge: &Challenge) -> anyhow::Result<Step> {
    let posted = bench
        .provider()?
        .step_up(&StepUp::honest(authorize_url(challenge)?))
        .await?;
    let journey = challenge
        .parameters
        .get("journey_id")
        .cloned()
        .unwrap_or_default();
    let metadata = json!({ "action": ACTION, "journey_id": journey });
    let who = bench.who(app, user);
    bench
        .cognito
        .answer(
            &who,
            challenge.session.as_deref(),
            &posted.answer(),
            Some(metadata),
        )
        .await
}

/// The token with another expiry: what an attacker who kept an expired one would like.
fn with_later_expiry(token: &str) -> anyhow::Result<String> {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let mut claims = crate::cognito::claims(token)?;
    claims["exp"] = (claims["exp"].as_i64().unwrap_or(0) + 86_400).into();
    let parts: Vec<&str> = token.split('.').collect();
    anyhow::ensure!(parts.len() == 3, "not a JWT");
    Ok(format!(
        "{}.{}.{}",
        parts[0],
        URL_SAFE_NO_PAD.encode(claims.to_string()),
        parts[2]
    ))
}

fn action_of(tokens: &Tokens) -> anyhow::Result<Value> {
    Ok(tokens.id_claims()?["stepup_action"].clone())
}

/// A genuine token of a user who was deleted after the challenge: the function asks Cognito, which knows better than
/// the token. Cognito itself would end such a session earlier, so the event is a recorded one.
async fn deleted_user(bench: &Bench, app: &App, trials: &mut Trials) -> anyhow::Result<()> {
    let user = bench.user().await?;
    let tokens = bench.sign_in(app, &user).await?;
    let answer = json!({ "access_token": tokens.access_token, "action": ACTION }).to_string();
    let scene = bench.scene(app, &user);
    let mut judged = Vec::new();
    for deleted in [false, true] {
        if deleted {
            let id = json!({ "UserPoolId": bench.target.user_pool_id, "Username": user.name });
            bench.aws()?.must("cognito-idp", "AdminDeleteUser", &id).await?;
        }
        let made = bench.invoke(Trigger::Create, &scene.create(&[])).await?.payload;
        let mut event = scene.verify(&made["response"]["privateChallengeParameters"], &answer);
        event["request"]["clientMetadata"] = json!({ "action": ACTION });
        let (invoked, said) = bench.invoke_with_events(Trigger::Verify, &event).await?;
        let passed = invoked.payload["response"]["answerCorrect"] == true;
        judged.push((passed, said.last().and_then(|event| event.reason)));
    }
    anyhow::ensure!(
        judged[0].0,
        "the control: a genuine token does not prove its session"
    );
    trials.holds("deleted user", !judged[1].0, "no proof");
    trials.reason("deleted user", judged[1].1, &[Reason::SessionProofInvalid]);
    Ok(())
}

/// An access token of a user of the same name in another pool of the account, which is made for it and deleted again.
async fn token_of_another_pool(bench: &Bench, user: &User) -> anyhow::Result<String> {
    let aws = bench.aws()?;
    let name = json!({ "PoolName": format!("attack-{}", crate::bench::random_letters(12)) });
    let pool = aws.must("cognito-idp", "CreateUserPool", &name).await?;
    let pool = json!({ "UserPoolId": pool["UserPool"]["Id"] });
    let token = token_of(bench, &pool, user).await;
    aws.must("cognito-idp", "DeleteUserPool", &pool).await?;
    token
}

/// Makes client and user in the pool and signs in with the password alone.
async fn token_of(bench: &Bench, pool: &Value, user: &User) -> anyhow::Result<String> {
    let aws = bench.aws()?;
    let with = |more: Value| {
        let mut body = pool.clone();
        if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
            body.extend(more.clone());
        }
        body
    };
    let client = with(
        json!({ "ClientName": "attack", "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"] }),
    );
    let client = aws.must("cognito-idp", "CreateUserPoolClient", &client).await?;
    let made = with(json!({ "Username": user.name, "MessageAction": "SUPPRESS" }));
    aws.must("cognito-idp", "AdminCreateUser", &made).await?;
    let password = with(json!({ "Username": user.name, "Password": user.password, "Permanent": true }));
    aws.must("cognito-idp", "AdminSetUserPassword", &password).await?;
    let client_id = client["UserPoolClient"]["ClientId"]
        .as_str()
        .context("a client without id")?;
    let parameters = json!({ "USERNAME": user.name, "PASSWORD": user.password });
    let step = bench
        .cognito
        .initiate(client_id, "USER_PASSWORD_AUTH", parameters)
        .await?;
    Ok(step.tokens()?.access_token)
}

/// A25: proofs that prove nothing, and tokens of an action used as something else.
pub(super) async fn a25(bench: &Bench) -> anyhow::Result<Outcome> {
    let mut trials = Trials::new();
    let app = action_app(bench).await?;
    let (user, other) = (bench.user().await?, bench.user().await?);
    let own = bench.sign_in(&app, &user).await?;
    trials.holds(
        "tokens of a sign-in",
        action_of(&own)?.is_null(),
        "no stepup_action",
    );
    let others = bench.sign_in(&app, &other).await?;
    let elsewhere = bench.sign_in(&bench.main_app(), &user).await?;
    let foreign = token_of_another_pool(bench, &user).await?;
    let bad = [
        ("another pool's", foreign),
        ("ID token", own.id_token.clone()),
        ("refresh token", own.refresh_token.clone().unwrap_or_default()),
        ("another user's", others.access_token.clone()),
        ("another client's", elsewhere.access_token.clone()),
        ("later expiry", with_later_expiry(&own.access_token)?),
    ];
    for (what, token) in bad {
        let since = now_ms();
        let step = prove(bench, &app, &user, &token).await?;
        let reason = bench.reason(&step, Trigger::Verify, &user, since).await?;
        // A refresh token may be longer than anything that is looked at.
        let expected = [Reason::SessionProofInvalid, Reason::MalformedAnswer];
        let expected = if what == "refresh token" {
            &expected[..]
        } else {
            &expected[..1]
        };
        trials.by_reason(what, &step, reason, expected);
    }

    // The control, twice at once: each journey gets tokens of its own.
    let first = prove(bench, &app, &user, &own.access_token).await?.challenge()?;
    let second = prove(bench, &app, &user, &own.access_token).await?.challenge()?;
    let second = complete(bench, &app, &user, &second).await?.tokens()?;
    let first = complete(bench, &app, &user, &first).await?.tokens()?;
    for tokens in [&first, &second] {
        trials.holds(
            "two journeys at once",
            action_of(tokens)? == ACTION,
            "stepup_action in its own tokens",
        );
    }
    let jti = |tokens: &Tokens| tokens.id_claims().map(|claims| claims["jti"].clone());
    trials.holds(
        "two journeys at once",
        jti(&first)? != jti(&second)?,
        "tokens apart",
    );

    let token = first.refresh_token.clone().unwrap_or_default();
    let since = now_ms();
    match bench.cognito.refresh(&app.client_id, &token).await? {
        Step::Tokens(tokens) => {
            trials.holds(
                "refresh of an action",
                action_of(&tokens)?.is_null(),
                "no stepup_action",
            );
        }
        step => {
            let reason = bench.reason(&step, Trigger::Gate, &user, since).await?;
            trials.by_reason("refresh of an action", &step, reason, &[Reason::EvidenceExpired]);
        }
    }

    deleted_user(bench, &app, &mut trials).await?;

    let id = json!({ "UserPoolId": bench.target.user_pool_id, "Username": other.name });
    bench.aws()?.must("cognito-idp", "AdminDisableUser", &id).await?;
    let step = prove(bench, &app, &other, &others.access_token).await?;
    trials.by_cognito("disabled user", &step, &["NotAuthorizedException"]);

    if bench.target.aws_endpoint_url.is_none() {
        // An emulator that does not check callers does not know revoked tokens either; there the built function is
        // tried with Cognito's answer (`crates/triggers/tests/outside/session_proof.rs`).
        let revoke = json!({ "ClientId": app.client_id, "Token": own.refresh_token });
        let revoked = bench.cognito.call("RevokeToken", &revoke).await?;
        anyhow::ensure!(revoked.is_ok(), "RevokeToken: {revoked:?}");
        let since = now_ms();
        let step = prove(bench, &app, &user, &own.access_token).await?;
        let reason = bench.reason(&step, Trigger::Verify, &user, since).await?;
        trials.by_reason("revoked token", &step, reason, &[Reason::SessionProofInvalid]);
    }
    Ok(trials.outcome())
}
