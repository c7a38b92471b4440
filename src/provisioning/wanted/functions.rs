//! The functions of a tenant and their roles, as the template makes them. A test holds what is written here against
//! what the template makes of a tenant, and so does every pass that touches the stack.

use crate::{
    aws::{iam::RoleSettings, lambda::FunctionSettings},
    domain::{
        cell::Artifact,
        provisioning::{Desired, StackOutputs},
    },
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A function as it should be.
#[derive(Debug, Clone)]
pub struct WantedFunction {
    /// `challenge` or `verify`.
    pub name: &'static str,
    /// ARN of the function.
    pub arn: String,
    /// ARN of its role.
    pub role_arn: String,
    /// Its artifact.
    pub artifact: Artifact,
    /// Its settings, as they are read back.
    pub settings: FunctionSettings,
}

/// The functions of a tenant.
pub fn functions(desired: &Desired, outputs: &StackOutputs) -> [WantedFunction; 2] {
    let artifacts = &desired.cell.artifacts;
    [
        WantedFunction {
            name: "challenge",
            arn: outputs.challenge_function_arn.clone(),
            role_arn: outputs.challenge_role_arn.clone(),
            artifact: artifacts.challenge.clone(),
            settings: settings(
                desired,
                &artifacts.challenge,
                &outputs.challenge_role_arn,
                environment(desired, outputs),
            ),
        },
        WantedFunction {
            name: "verify",
            arn: outputs.verify_function_arn.clone(),
            role_arn: outputs.verify_role_arn.clone(),
            artifact: artifacts.verify.clone(),
            settings: settings(desired, &artifacts.verify, &outputs.verify_role_arn, {
                let mut environment = environment(desired, outputs);
                environment.insert(
                    "STEPGATE_CREDENTIALS_SECRET_ARN".to_owned(),
                    desired.credentials_secret_arn.clone(),
                );
                environment
            }),
        },
    ]
}

fn settings(
    desired: &Desired,
    artifact: &Artifact,
    role_arn: &str,
    environment: BTreeMap<String, String>,
) -> FunctionSettings {
    FunctionSettings {
        code_sha256: artifact.sha256_base64.clone(),
        architecture: desired.cell.architecture.to_string(),
        role_arn: role_arn.to_owned(),
        timeout_s: 5,
        log_group: desired.cell.log_group_name.clone(),
        runtime: "provided.al2023".to_owned(),
        handler: "bootstrap".to_owned(),
        memory_mb: 512,
        layers: Vec::new(),
        environment,
    }
}

/// What both functions are told.
fn environment(desired: &Desired, outputs: &StackOutputs) -> BTreeMap<String, String> {
    let settings_secret = desired.observed.settings_secret_arn.clone().unwrap_or_default();
    BTreeMap::from([
        ("STEPGATE_TENANT_ID".to_owned(), desired.tenant_id.to_string()),
        ("STEPGATE_SETTINGS_SECRET_ARN".to_owned(), settings_secret),
        (
            "STEPGATE_POLICIES_TABLE".to_owned(),
            outputs.policies_table.clone(),
        ),
        ("STEPGATE_RECORDS_TABLE".to_owned(), outputs.records_table.clone()),
    ])
}

/// The role of a function.
pub fn role(desired: &Desired, outputs: &StackOutputs, function: &WantedFunction) -> RoleSettings {
    let mut secrets: Vec<_> = desired.observed.settings_secret_arn.iter().collect();
    let mut sid = "ReadSettings";
    if function.name == "verify" {
        secrets.push(&desired.credentials_secret_arn);
        sid = "ReadSettingsAndCredentials";
    }
    let place = Place::of(desired, outputs);
    let mut inline = BTreeMap::from([(
        function.name.to_owned(),
        policy(&[
            allow(sid, &["secretsmanager:GetSecretValue"], &json!(secrets)),
            allow(
                "ReadPolicies",
                &["dynamodb:GetItem"],
                &json!(place.table(&outputs.policies_table)),
            ),
            allow(
                "UseRecords",
                &[
                    "dynamodb:ConditionCheckItem",
                    "dynamodb:DeleteItem",
                    "dynamodb:GetItem",
                    "dynamodb:PutItem",
                    "dynamodb:Query",
                    "dynamodb:UpdateItem",
                ],
                &json!(place.table(&outputs.records_table)),
            ),
            allow(
                "CreateLogStreams",
                &["logs:CreateLogStream"],
                &json!(format!("{}:*", place.log_group)),
            ),
            allow(
                "WriteOwnLogStreams",
                &["logs:PutLogEvents"],
                &json!(format!(
                    "{}:log-stream:*/stepgate-{}-{}[*",
                    place.log_group,
                    desired.tenant_id.ulid(),
                    function.name
                )),
            ),
        ]),
    )]);
    if function.name == "verify" {
        let pool = place.pool(desired.observed.user_pool_id.as_deref().unwrap_or_default());
        inline.insert(
            "users".to_owned(),
            policy(&[allow("ReadUsers", &["cognito-idp:AdminGetUser"], &json!(pool))]),
        );
    }
    RoleSettings {
        trust: policy(&[json!({
            "Effect": "Allow",
            "Principal": { "Service": "lambda.amazonaws.com" },
            "Action": "sts:AssumeRole",
        })]),
        inline,
        attached: Vec::new(),
    }
}

/// ARNs of a tenant's region.
struct Place {
    partition: String,
    region: String,
    account_id: String,
    log_group: String,
}

impl Place {
    fn of(desired: &Desired, outputs: &StackOutputs) -> Self {
        let partition = outputs.stack_id.split(':').nth(1).unwrap_or("aws").to_owned();
        let (region, account_id) = (desired.cell.region.clone(), desired.cell.account_id.clone());
        let log_group = format!(
            "arn:{partition}:logs:{region}:{account_id}:log-group:{}",
            desired.cell.log_group_name
        );
        Self {
            partition,
            region,
            account_id,
            log_group,
        }
    }

    fn arn(&self, service: &str, resource: &str) -> String {
        format!(
            "arn:{}:{service}:{}:{}:{resource}",
            self.partition, self.region, self.account_id
        )
    }

    fn table(&self, name: &str) -> String {
        self.arn("dynamodb", &format!("table/{name}"))
    }

    fn pool(&self, id: &str) -> String {
        self.arn("cognito-idp", &format!("userpool/{id}"))
    }
}

fn allow(sid: &str, actions: &[&str], resource: &Value) -> Value {
    json!({ "Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource })
}

fn policy(statements: &[Value]) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// A policy document in one form: IAM takes one text for a list of one, and lists in any order.
pub fn normal(document: &Value) -> Value {
    let mut document = document.clone();
    let statements = match document.get_mut("Statement") {
        Some(Value::Array(statements)) => statements.as_mut_slice(),
        Some(one) => std::slice::from_mut(one),
        None => return document,
    };
    for statement in statements {
        for name in ["Action", "NotAction", "Resource", "NotResource"] {
            let Some(value) = statement.get_mut(name) else {
                continue;
            };
            if let Value::Array(list) = value {
                list.sort_by_key(Value::to_string);
            } else {
                *value = json!([value.take()]);
            }
        }
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_that_mean_the_same_are_the_same() {
        let one = json!({"Statement": [{"Action": "a", "Resource": ["y", "x"]}]});
        let other = json!({"Statement": [{"Action": ["a"], "Resource": ["x", "y"]}]});
        assert_eq!(normal(&one), normal(&other));
        let wider = json!({"Statement": [{"Action": ["a", "b"], "Resource": ["x", "y"]}]});
        assert_ne!(normal(&one), normal(&wider));
        assert_eq!(normal(&json!("{")), json!("{"));
    }
}
