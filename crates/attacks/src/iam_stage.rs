//! A stage on which a tenant's policies are tried out: an emulator of AWS that evaluates IAM policies.
//!
//! The policies are those really provisioned, read from the account. On the stage the roles have the same
//! names, but trust us instead of Lambda, so that an attack can act as each of them.

use crate::aws::{Aws, xml_text};
use crate::bench::Bench;
use crate::functions::Trigger;
use anyhow::Context as _;
use aws_credential_types::Credentials;
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};
use url::Url;

const IAM: &str = "2010-05-08";
/// The emulator's default account, and the key that acts as its root.
const ACCOUNT: &str = "000000000000";

/// A running stage; it ends with this value.
pub struct Stage {
    /// The stage's account, as its root.
    pub root: Aws,
    /// Copy of the credentials secret, with the tenant's resource policy.
    pub credentials_arn: String,
    /// Copy of the settings secret.
    pub settings_arn: String,
    /// Table of the tenant's records' name.
    pub records_table: String,
    /// What *verify*'s role may do.
    pub verify_policy: String,
    /// What *verify*'s role may do with users.
    pub users_policy: String,
    /// What *challenge*'s role may do.
    pub challenge_policy: String,
    _emulator: Child,
}

impl Stage {
    /// Starts an emulator and copies the tenant's policies to it.
    pub async fn set(bench: &Bench) -> anyhow::Result<Self> {
        let (root, emulator) = start(bench).await?;
        let variable = |trigger, name: &'static str| bench.function_variable(trigger, name);
        let credentials = variable(Trigger::Verify, "STEPGATE_CREDENTIALS_SECRET_ARN").await?;
        let settings = variable(Trigger::Verify, "STEPGATE_SETTINGS_SECRET_ARN").await?;
        let records_table = variable(Trigger::Verify, "STEPGATE_RECORDS_TABLE").await?;
        let credentials_arn = secret(&root, "stage-credentials").await?;
        let settings_arn = secret(&root, "stage-settings").await?;
        let account = bench.aws()?.account_id().await?;
        let here = |policy: String| {
            policy
                .replace(&credentials, &credentials_arn)
                .replace(&settings, &settings_arn)
                .replace(&account, ACCOUNT)
        };
        let verify_policy = here(policy_of(bench, Trigger::Verify).await?);
        let users_policy = here(named_policy_of(bench, Trigger::Verify, "users").await?);
        let challenge_policy = here(policy_of(bench, Trigger::Define).await?);

        let asked = json!({ "SecretId": credentials });
        let found = bench
            .aws()?
            .must("secretsmanager", "GetResourcePolicy", &asked)
            .await?;
        let found = found["ResourcePolicy"]
            .as_str()
            .context("the secret has no resource policy")?;
        let role = bench.function_name(Trigger::Verify);
        let body = json!({
            "SecretId": credentials_arn,
            "ResourcePolicy": with_session_names(&here(found.to_owned()), &role)?.to_string()
        });
        root.must("secretsmanager", "PutResourcePolicy", &body).await?;
        let table = json!({
            "TableName": records_table, "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [
                { "AttributeName": "pk", "AttributeType": "S" }, { "AttributeName": "sk", "AttributeType": "S" }
            ],
            "KeySchema": [
                { "AttributeName": "pk", "KeyType": "HASH" }, { "AttributeName": "sk", "KeyType": "RANGE" }
            ]
        });
        root.must("dynamodb", "CreateTable", &table).await?;
        Ok(Self {
            root,
            credentials_arn,
            settings_arn,
            records_table,
            verify_policy,
            users_policy,
            challenge_policy,
            _emulator: emulator,
        })
    }

    /// A caller in a role of this name with this policy, as a function of the same name would be.
    pub async fn role(&self, name: &str, policy: &str) -> anyhow::Result<Aws> {
        let trust = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "AWS": format!("arn:aws:iam::{ACCOUNT}:root") },
            "Action": "sts:AssumeRole"
        }]});
        let trust = trust.to_string();
        let create = [
            ("RoleName", name),
            ("Path", "/stepgate/"),
            ("AssumeRolePolicyDocument", trust.as_str()),
        ];
        iam(&self.root, "CreateRole", &create).await?;
        let put = [
            ("RoleName", name),
            ("PolicyName", "stage"),
            ("PolicyDocument", policy),
        ];
        iam(&self.root, "PutRolePolicy", &put).await?;
        let arn = format!("arn:aws:iam::{ACCOUNT}:role/stepgate/{name}");
        let credentials = self.root.assume_role(&arn, name).await?;
        let credentials = credentials.map_err(|error| anyhow::anyhow!("the role {name}: {error}"))?;
        Ok(self.root.with_credentials(credentials))
    }

    /// A queue of this name with the policy of one of `account`, whose only sender is `role`; returns its URL. The
    /// stage speaks plain HTTP, so the demand for TLS is left out.
    pub async fn queue(&self, name: &str, policy: &str, account: &str, role: &str) -> anyhow::Result<String> {
        let mut policy: Value = serde_json::from_str(&policy.replace(account, ACCOUNT))?;
        if let Some(statements) = policy["Statement"].as_array_mut() {
            statements.retain(|statement| statement.pointer("/Condition/Bool/aws:SecureTransport").is_none());
        }
        let policy = with_session_names(&policy.to_string(), role)?;
        let body = json!({ "QueueName": name, "Attributes": { "Policy": policy.to_string() } });
        let made = self.root.must("sqs", "CreateQueue", &body).await?;
        let url = made["QueueUrl"].as_str().context("a queue without URL")?;
        Ok(url.to_owned())
    }

    /// Whether a policy allows an action on a resource, as IAM judges it.
    pub async fn allows(&self, policy: &str, action: &str, resource: &str) -> anyhow::Result<bool> {
        let asked = [
            ("PolicyInputList.member.1", policy),
            ("ActionNames.member.1", action),
            ("ResourceArns.member.1", resource),
        ];
        let xml = iam(&self.root, "SimulateCustomPolicy", &asked).await?;
        let decision = xml_text(&xml, "EvalDecision").context("a simulation without a decision")?;
        Ok(decision == "allowed")
    }
}

async fn start(bench: &Bench) -> anyhow::Result<(Aws, Child)> {
    let python = bench
        .target
        .python
        .as_ref()
        .context("no virtual environment with the emulator")?;
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let emulator = Command::new(python.with_file_name("ministack"))
        .env("GATEWAY_PORT", port.to_string())
        .env("BIND_HOST", "127.0.0.1")
        .env("IOT_MTLS_ENABLED", "0")
        .env("AUTH", "true")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("the emulator cannot be started")?;
    let url = Url::parse(&format!("http://127.0.0.1:{port}"))?;
    let http = crate::http::client()?;
    let health = url.join("/_ministack/health")?;
    for _ in 0..600 {
        if http
            .get(health.clone())
            .send()
            .await
            .is_ok_and(|answer| answer.status().is_success())
        {
            let credentials = Credentials::new(ACCOUNT, "test", None, None, "stage");
            return Ok((
                Aws::new(http, Some(url), &bench.target.aws_region, credentials),
                emulator,
            ));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("the emulator does not answer")
}

async fn secret(root: &Aws, name: &str) -> anyhow::Result<String> {
    let body = json!({ "Name": name, "SecretString": "{}", "ClientRequestToken": "0".repeat(32) });
    let made = root.must("secretsmanager", "CreateSecret", &body).await?;
    made["ARN"]
        .as_str()
        .map(str::to_owned)
        .context("a secret without ARN")
}

async fn iam(aws: &Aws, action: &str, parameters: &[(&str, &str)]) -> anyhow::Result<String> {
    let answer = aws.query("iam", IAM, action, parameters).await?;
    answer.map_err(|error| anyhow::anyhow!("iam {action}: {error}"))
}

/// The policy that a function of the tenant really has.
pub async fn policy_of(bench: &Bench, trigger: Trigger) -> anyhow::Result<String> {
    let name = if trigger == Trigger::Verify {
        "verify"
    } else {
        "challenge"
    };
    named_policy_of(bench, trigger, name).await
}

async fn named_policy_of(bench: &Bench, trigger: Trigger, policy: &str) -> anyhow::Result<String> {
    inline_policy(bench, &bench.function_name(trigger), policy).await
}

/// A policy that a role of the cell really has.
pub async fn inline_policy(bench: &Bench, role: &str, policy: &str) -> anyhow::Result<String> {
    let parameters = [("RoleName", role), ("PolicyName", policy)];
    let xml = iam(bench.aws()?, "GetRolePolicy", &parameters).await?;
    let document = xml_text(&xml, "PolicyDocument").context("a role without policy")?;
    // IAM hands policies out percent-encoded.
    Ok(percent_encoding::percent_decode_str(&document)
        .decode_utf8()?
        .into_owned())
}

/// AWS compares `aws:PrincipalArn` with the role of a session; the emulator compares it with the session.
/// So beside every role the session that a function of the same name has is put.
pub fn with_session_names(policy: &str, role: &str) -> anyhow::Result<Value> {
    let mut policy: Value = serde_json::from_str(policy)?;
    let mut named = false;
    for statement in policy["Statement"].as_array_mut().into_iter().flatten() {
        let conditions = statement["Condition"]
            .as_object_mut()
            .into_iter()
            .flat_map(|all| all.values_mut());
        for arn in conditions.filter_map(|operator| operator.get_mut("aws:PrincipalArn")) {
            let role_arn = arn
                .as_str()
                .context("aws:PrincipalArn is not one role")?
                .to_owned();
            anyhow::ensure!(
                role_arn.ends_with(&format!("/{role}")),
                "the policy names {role_arn}"
            );
            *arn = json!([
                role_arn,
                format!("arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{role}")
            ]);
            named = true;
        }
    }
    anyhow::ensure!(named, "the policy refuses nobody by role");
    Ok(policy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_role_gets_its_session_beside_it() {
        let policy = |role: &str| {
            json!({ "Statement": [{ "Effect": "Deny", "Principal": "*", "Condition": {
                "StringNotEquals": { "aws:PrincipalArn": format!("arn:aws:iam::1:role/stepgate/{role}") }
            }}]})
            .to_string()
        };
        let staged = with_session_names(&policy("v"), "v").expect("staged");
        let names = &staged["Statement"][0]["Condition"]["StringNotEquals"]["aws:PrincipalArn"];
        assert_eq!(names.as_array().expect("two").len(), 2);
        assert!(with_session_names(&policy("other"), "v").is_err());
        assert!(with_session_names(r#"{"Statement":[{"Effect":"Allow"}]}"#, "v").is_err());
    }
}
