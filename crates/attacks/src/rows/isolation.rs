//! What other roles, functions, pools and accounts get.

use crate::aws::Aws;
use crate::bench::{Bench, random_letters};
use crate::functions::Trigger;
use crate::iam_stage::Stage;
use crate::outcome::{Outcome, Trials};
use crate::recorded::{Scene, after_password};
use serde_json::{Value, json};
use step_up::reason::Reason;

/// What a caller gets for reading this secret and this record.
async fn denied(
    trials: &mut Trials,
    who: &str,
    caller: &Aws,
    secret: &str,
    table: &str,
    wanted: &[&str],
) -> anyhow::Result<()> {
    for what in wanted {
        let answer = match *what {
            "secret" => {
                caller
                    .json("secretsmanager", "GetSecretValue", &json!({ "SecretId": secret }))
                    .await?
            }
            "batch of secrets" => {
                let body = json!({ "SecretIdList": [secret] });
                // A batch reports what it may not read beside what it may.
                caller
                    .json("secretsmanager", "BatchGetSecretValue", &body)
                    .await?
                    .map(|batch| {
                        if batch["SecretValues"]
                            .as_array()
                            .is_some_and(|values| !values.is_empty())
                        {
                            batch
                        } else {
                            Value::Null
                        }
                    })
            }
            _ => caller.json("dynamodb", "GetItem", &record(table)).await?,
        };
        let refused = match answer {
            Ok(Value::Null) => true,
            Ok(_) => false,
            Err(error) => error.is_access_denied(),
        };
        trials.holds(&format!("{who}: {what}"), refused, "AccessDenied");
    }
    Ok(())
}

/// A22: who may read the client secret and the records. The policies are those really provisioned.
pub(super) async fn a22(bench: &Bench) -> anyhow::Result<Outcome> {
    let mut trials = Trials::new();
    let stage = Stage::set(bench).await?;
    let verify_name = bench.function_name(Trigger::Verify);
    let (secret, table) = (stage.credentials_arn.as_str(), stage.records_table.as_str());
    let read = |arn: &str| json!({ "SecretId": arn });

    // The controls: each function reads what is its own.
    let verify = stage.role(&verify_name, &stage.verify_policy).await?;
    verify
        .must("secretsmanager", "GetSecretValue", &read(secret))
        .await?;
    let challenge = stage
        .role(&bench.function_name(Trigger::Define), &stage.challenge_policy)
        .await?;
    challenge
        .must("secretsmanager", "GetSecretValue", &read(&stage.settings_arn))
        .await?;
    challenge.must("dynamodb", "GetItem", &record(table)).await?;

    let users = stage.role("users", &stage.users_policy).await?;
    let anybody = json!({ "UserPoolId": bench.target.user_pool_id, "Username": "nobody" });
    // The pool is not on the stage: what counts is that the caller may ask.
    let asked = users.json("cognito-idp", "AdminGetUser", &anybody).await?;
    let may_ask = asked.is_err_and(|error| !error.is_access_denied());
    anyhow::ensure!(may_ask, "verify may not ask when an account was made");
    let more = users.json("cognito-idp", "AdminDeleteUser", &anybody).await?;
    trials.holds(
        "verify: delete a user",
        more.is_err_and(|error| error.is_access_denied()),
        "AccessDenied",
    );

    let both = ["secret", "batch of secrets"];
    denied(&mut trials, "challenge", &challenge, secret, table, &both).await?;
    let everything = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "secretsmanager:*", "Resource": "*"
    }]});
    let third = stage.role("third", &everything.to_string()).await?;
    denied(
        &mut trials,
        "third role with an Allow",
        &third,
        secret,
        table,
        &both,
    )
    .await?;
    let twin = stage.role("stepgate-twin-verify", &stage.verify_policy).await?;
    denied(
        &mut trials,
        "verify's policy on another role",
        &twin,
        secret,
        table,
        &["secret"],
    )
    .await?;

    let other_ulid = "0".repeat(26);
    let policy = stage
        .verify_policy
        .replace(bench.target.ulid(), &other_ulid)
        .replace(secret, "arn:aws:none");
    let other = stage
        .role(&format!("stepgate-{other_ulid}-verify"), &policy)
        .await?;
    denied(
        &mut trials,
        "another tenant's verify",
        &other,
        secret,
        table,
        &["secret", "records"],
    )
    .await?;
    Ok(trials.outcome())
}

fn record(table: &str) -> Value {
    json!({ "TableName": table, "Key": { "pk": { "S": "user#x" }, "sk": { "S": "grant#x" } } })
}

/// A32: events from elsewhere: of another pool to the functions, of anybody to the reports.
pub(super) async fn a32(bench: &Bench) -> anyhow::Result<Outcome> {
    let mut trials = Trials::new();
    let app = bench.main_app();
    let user = bench.user().await?;
    let scene = Scene {
        pool_id: format!("{}_Foreign99", bench.target.aws_region),
        ..bench.scene(&app, &user)
    };
    let foreign = [Reason::ForeignPool];
    let (invoked, events) = bench
        .invoke_with_events(Trigger::Define, &scene.define(&after_password()))
        .await?;
    trials.holds(
        "define",
        invoked.payload["response"]["failAuthentication"] == true,
        "failAuthentication",
    );
    trials.reason("define", events.iter().find_map(|event| event.reason), &foreign);
    let (_, events) = bench
        .invoke_with_events(Trigger::Create, &scene.create(&after_password()))
        .await?;
    trials.reason("create", events.iter().find_map(|event| event.reason), &foreign);
    let (invoked, events) = bench
        .invoke_with_events(Trigger::Verify, &scene.verify(&json!({}), "{}"))
        .await?;
    trials.holds(
        "verify",
        invoked.payload["response"]["answerCorrect"] == false,
        "answerCorrect false",
    );
    trials.reason("verify", events.iter().find_map(|event| event.reason), &foreign);
    let invoked = bench
        .invoke(Trigger::Gate, &scene.pre_token("TokenGeneration_Authentication"))
        .await?;
    trials.holds("gate", invoked.failed, "an error, so no tokens");
    trials.reason("gate", super::paths::refusal_of(&invoked.payload), &foreign);

    // A line of the log that looks like an event, inside text that a user wrote.
    let marker = random_letters(24);
    let forged = format!(
        "\n{}\n",
        json!({ "stepgate_event": 1, "type": "tokens", "event_id": marker })
    );
    let scene = Scene {
        user_name: forged,
        ..bench.scene(&app, &user)
    };
    let (invoked, events) = bench
        .invoke_with_events(Trigger::Define, &scene.define(&[]))
        .await?;
    let unmoved = !events.is_empty() && !invoked.log.iter().any(|line| line.contains(&marker));
    trials.holds("forged JSON in a user name", unmoved, "not in the log");

    let account = bench.aws()?.account_id().await?;
    for trigger in [Trigger::Define, Trigger::Verify] {
        let path = format!("/2015-03-31/functions/{}/policy", bench.function_name(trigger));
        let policy = bench
            .aws()?
            .lambda_get(&path)
            .await?
            .map_err(|error| anyhow::anyhow!("{error}"))?;
        let document: Value = serde_json::from_str(policy["Policy"].as_str().unwrap_or_default())?;
        let statements = document["Statement"].as_array().cloned().unwrap_or_default();
        let pool = format!("userpool/{}", bench.target.user_pool_id);
        let bound = !statements.is_empty()
            && statements.iter().all(|statement| {
                let text = statement["Condition"].to_string();
                text.contains(&pool) && text.contains(&account)
            });
        trials.holds("permission", bound, "bound to pool and account");
    }
    super::forwarder::forged_events(bench, &mut trials).await?;
    Ok(trials.outcome())
}
