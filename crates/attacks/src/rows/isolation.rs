//! What other roles, functions, pools and accounts get.

use crate::aws::{Aws, xml_text};
use crate::bench::{Bench, random_letters};
use crate::functions::Trigger;
use crate::outcome::{Outcome, Trials};
use crate::recorded::{Scene, after_password};
use anyhow::Context as _;
use aws_credential_types::Credentials;
use serde_json::{Value, json};
use std::time::Duration;
use step_up::reason::Reason;

const IAM: &str = "2010-05-08";

/// A role made for a trial, taken away after it.
struct Role<'a> {
    aws: &'a Aws,
    name: String,
}

impl<'a> Role<'a> {
    /// A role that the account may assume, with this policy.
    async fn make(aws: &'a Aws, policy: &str) -> anyhow::Result<(Self, Credentials)> {
        let account = aws.account_id().await?;
        let name = format!("attack-{}", random_letters(10));
        let trust = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "AWS": format!("arn:aws:iam::{account}:root") },
            "Action": "sts:AssumeRole"
        }]});
        let trust = trust.to_string();
        let create = [
            ("RoleName", name.as_str()),
            ("AssumeRolePolicyDocument", trust.as_str()),
        ];
        iam(aws, "CreateRole", &create).await?;
        let role = Self { aws, name };
        let put = [
            ("RoleName", role.name.as_str()),
            ("PolicyName", "attack"),
            ("PolicyDocument", policy),
        ];
        iam(aws, "PutRolePolicy", &put).await?;
        let arn = format!("arn:aws:iam::{account}:role/{}", role.name);
        // A new role is not known everywhere at once.
        for _ in 0..20 {
            if let Ok(credentials) = aws.assume_role(&arn).await? {
                return Ok((role, credentials));
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        anyhow::bail!("the role {} cannot be assumed", role.name)
    }

    async fn remove(self) -> anyhow::Result<()> {
        let name = self.name.as_str();
        iam(
            self.aws,
            "DeleteRolePolicy",
            &[("RoleName", name), ("PolicyName", "attack")],
        )
        .await?;
        iam(self.aws, "DeleteRole", &[("RoleName", name)]).await?;
        Ok(())
    }
}

async fn iam(aws: &Aws, action: &str, parameters: &[(&str, &str)]) -> anyhow::Result<String> {
    let answer = aws.query("iam", IAM, action, parameters).await?;
    answer.map_err(|error| anyhow::anyhow!("iam {action}: {error}"))
}

/// The policy that a function of the tenant really has.
async fn policy_of(bench: &Bench, trigger: Trigger) -> anyhow::Result<String> {
    let role = bench.function_name(trigger);
    let policy = if trigger == Trigger::Verify {
        "verify"
    } else {
        "challenge"
    };
    let parameters = [("RoleName", role.as_str()), ("PolicyName", policy)];
    let xml = iam(bench.aws()?, "GetRolePolicy", &parameters).await?;
    let document = xml_text(&xml, "PolicyDocument").context("a role without policy")?;
    // IAM hands policies out percent-encoded.
    Ok(percent_encoding::percent_decode_str(&document)
        .decode_utf8()?
        .into_owned())
}

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
            _ => {
                let body = json!({
                    "TableName": table, "Key": { "pk": { "S": "user#x" }, "sk": { "S": "grant#x" } }
                });
                caller.json("dynamodb", "GetItem", &body).await?
            }
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

/// A22: who may read the client secret and the records. The policies are those really provisioned, on roles
/// that an attacker holds.
pub(super) async fn a22(bench: &Bench) -> anyhow::Result<Outcome> {
    let mut trials = Trials::new();
    let aws = bench.aws()?;
    let secret = bench
        .function_variable(Trigger::Verify, "STEPGATE_CREDENTIALS_SECRET_ARN")
        .await?;
    let table = bench
        .function_variable(Trigger::Verify, "STEPGATE_RECORDS_TABLE")
        .await?;
    let challenge = policy_of(bench, Trigger::Define).await?;
    let verify = policy_of(bench, Trigger::Verify).await?;
    let settings = bench
        .function_variable(Trigger::Define, "STEPGATE_SETTINGS_SECRET_ARN")
        .await?;

    let (role, credentials) = Role::make(aws, &challenge).await?;
    let caller = aws.with_credentials(credentials);
    let reads = caller
        .json(
            "secretsmanager",
            "GetSecretValue",
            &json!({ "SecretId": settings }),
        )
        .await?;
    let control = reads.is_ok();
    denied(
        &mut trials,
        "challenge's policy",
        &caller,
        &secret,
        &table,
        &["secret", "batch of secrets"],
    )
    .await?;
    role.remove().await?;
    anyhow::ensure!(
        control,
        "challenge's own policy does not let it read its settings"
    );

    let (role, credentials) = Role::make(aws, &verify).await?;
    let caller = aws.with_credentials(credentials);
    denied(
        &mut trials,
        "verify's policy, other role",
        &caller,
        &secret,
        &table,
        &["secret"],
    )
    .await?;
    role.remove().await?;

    let everything = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "secretsmanager:*", "Resource": "*"
    }]});
    let (role, credentials) = Role::make(aws, &everything.to_string()).await?;
    let caller = aws.with_credentials(credentials);
    denied(
        &mut trials,
        "third role with an Allow",
        &caller,
        &secret,
        &table,
        &["secret", "batch of secrets"],
    )
    .await?;
    role.remove().await?;

    let other = verify.replace(bench.target.ulid(), &"0".repeat(26));
    let (role, credentials) = Role::make(aws, &other).await?;
    let caller = aws.with_credentials(credentials);
    denied(
        &mut trials,
        "another tenant's verify",
        &caller,
        &secret,
        &table,
        &["secret", "records"],
    )
    .await?;
    let foreign = json!({
        "logGroupName": bench.log_group().await?,
        "logStreamName": format!("2026/01/01/{}[$LATEST]0", bench.function_name(Trigger::Verify))
    });
    let stream = caller.json("logs", "CreateLogStream", &foreign).await?;
    trials.holds(
        "another tenant's verify: log stream",
        stream.is_err_and(|e| e.is_access_denied()),
        "AccessDenied",
    );
    role.remove().await?;
    Ok(trials.outcome())
}

/// A32: events from elsewhere.
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
    let forged = json!({ "stepgate_event": 1, "type": "tokens" }).to_string();
    let scene = Scene {
        user_name: forged.clone(),
        ..bench.scene(&app, &user)
    };
    let (_, events) = bench
        .invoke_with_events(Trigger::Define, &scene.define(&[]))
        .await?;
    let lines_hold_it = events
        .iter()
        .any(|event| serde_json::to_string(event).is_ok_and(|l| l.contains("tokens\\\"")));
    trials.holds(
        "forged JSON in a user name",
        !events.is_empty() && !lines_hold_it,
        "not in the event",
    );

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
    Ok(trials.outcome().but_not_built("the forwarder and its queue"))
}
