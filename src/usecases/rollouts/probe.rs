//! Asks the functions of a tenant how they do, with events that leave nothing behind.
//!
//! `verify` tries the client secret in force with a made-up code and tells one word. `challenge` is asked what a sign-in
//! begins with, which reads settings and policy; where nobody can sign in (no app, suspended) it is told of a new account,
//! of which it has nothing to say but must say so.

use crate::{Context, domain::rollout::ProbeOutcome, storage::rollouts::tenants::Member};
use serde_json::{Value, json};
use std::time::Duration;

/// Longest that a function may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What the functions answer; an error where they could not be asked, which says nothing of them.
pub(super) async fn ask(context: &Context, member: &Member) -> Result<ProbeOutcome, String> {
    let Some(stack) = &member.observed.stack else {
        return Ok(ProbeOutcome::default());
    };
    let aws = context.aws.within(member.access.as_ref()).await;
    let lambda = aws.lambda(&member.region);
    let invoke = async |arn: &str, event: Value| {
        tokio::time::timeout(TIMEOUT, lambda.invoke(arn, &event))
            .await
            // One that hangs does not answer.
            .unwrap_or(Ok(None))
            .map_err(|error| error.to_string())
    };
    let probe = json!({ "stepgate_probe": { "version_stage": "AWSCURRENT" } });
    let (verify, challenge) = tokio::try_join!(
        invoke(&stack.verify_function_arn, probe),
        invoke(&stack.challenge_function_arn, challenge_event(member)),
    )?;
    Ok(ProbeOutcome {
        challenge: challenge.map(|answer| judge_challenge(member, &answer)),
        verify: verify.map(|answer| {
            let outcome = answer["outcome"].as_str();
            outcome.unwrap_or("something_else").to_owned()
        }),
    })
}

/// App client of somebody who can sign in.
fn client(member: &Member) -> Option<&str> {
    member.client_id.as_deref().filter(|_| !member.suspended)
}

/// As Cognito sends it.
fn challenge_event(member: &Member) -> Value {
    let common = |trigger_source: &str, client_id: &str, request: Value| {
        json!({
            "version": "1",
            "triggerSource": trigger_source,
            "region": member.region,
            "userPoolId": member.observed.user_pool_id,
            "userName": "stepgate-probe",
            "callerContext": { "awsSdkVersion": "stepgate", "clientId": client_id },
            "request": request,
            "response": {},
        })
    };
    match client(member) {
        Some(client_id) => common(
            "DefineAuthChallenge_Authentication",
            client_id,
            json!({
                "userAttributes": { "sub": "00000000-0000-0000-0000-000000000000" },
                "session": [{ "challengeName": "SRP_A", "challengeResult": true, "challengeMetadata": null }],
            }),
        ),
        None => common(
            "PostConfirmation_ConfirmSignUp",
            "stepgate-probe",
            json!({ "userAttributes": {} }),
        ),
    }
}

fn judge_challenge(member: &Member, answer: &Value) -> String {
    let good = match client(member) {
        Some(_) => answer["response"]["challengeName"] == "PASSWORD_VERIFIER",
        None => answer["triggerSource"] == "PostConfirmation_ConfirmSignUp",
    };
    if good {
        ProbeOutcome::CHALLENGE_GOOD
    } else {
        "refuses"
    }
    .to_owned()
}
