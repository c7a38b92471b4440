//! IAM: who may take the roles of a tenant's functions, and what they may do.

use super::{Answered, AwsError};
use aws_config::SdkConfig;
use aws_sdk_iam::{Client, error::SdkError};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// IAM of an account.
#[derive(Debug, Clone)]
pub struct Iam {
    client: Client,
}

/// A role as far as it decides who can do what.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RoleSettings {
    /// Who may take it.
    pub trust: Value,
    /// Policies inside the role, by name.
    pub inline: BTreeMap<String, Value>,
    /// ARNs of policies attached to it.
    pub attached: Vec<String>,
}

impl Iam {
    /// A client; IAM is the same in every region of a partition.
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            client: Client::new(config),
        }
    }

    /// A role; `None` when there is none. Documents that are no JSON are text.
    pub async fn role(&self, name: &str) -> Result<Option<RoleSettings>, AwsError> {
        const OPERATION: &str = "iam:GetRole";
        let found = match self.client.get_role().role_name(name).send().await {
            Ok(found) => found,
            Err(error) => {
                let error = AwsError::from_sdk(OPERATION, &error);
                return if error.is_not_found() {
                    Ok(None)
                } else {
                    Err(error)
                };
            }
        };
        let role = found
            .role()
            .ok_or_else(|| AwsError::incomplete(OPERATION, "a role"))?;
        let mut settings = RoleSettings {
            trust: document(role.assume_role_policy_document().unwrap_or_default()),
            attached: self.attached(name).await?,
            ..RoleSettings::default()
        };
        for policy in self.inline_names(name).await? {
            let read = self
                .client
                .get_role_policy()
                .role_name(name)
                .policy_name(&policy)
                .send()
                .await;
            let read = read.map_err(|error| AwsError::from_sdk("iam:GetRolePolicy", &error))?;
            settings.inline.insert(policy, document(read.policy_document()));
        }
        Ok(Some(settings))
    }

    async fn inline_names(&self, role: &str) -> Result<Vec<String>, AwsError> {
        let mut names = Vec::new();
        let mut pages = self
            .client
            .list_role_policies()
            .role_name(role)
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::from_sdk("iam:ListRolePolicies", &error))?;
            names.extend(page.policy_names().iter().cloned());
        }
        Ok(names)
    }

    async fn attached(&self, role: &str) -> Result<Vec<String>, AwsError> {
        let mut arns = Vec::new();
        let mut pages = self
            .client
            .list_attached_role_policies()
            .role_name(role)
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::from_sdk("iam:ListAttachedRolePolicies", &error))?;
            let attached = page.attached_policies().iter();
            arns.extend(attached.filter_map(|policy| policy.policy_arn().map(str::to_owned)));
        }
        arns.sort();
        Ok(arns)
    }

    /// Says anew who may take a role.
    pub async fn set_trust(&self, role: &str, trust: &Value) -> Result<Answered<()>, AwsError> {
        let set = self
            .client
            .update_assume_role_policy()
            .role_name(role)
            .policy_document(trust.to_string())
            .send()
            .await;
        answered("iam:UpdateAssumeRolePolicy", set)
    }

    /// Writes a policy inside a role.
    pub async fn put_policy(
        &self,
        role: &str,
        name: &str,
        document: &Value,
    ) -> Result<Answered<()>, AwsError> {
        let put = self
            .client
            .put_role_policy()
            .role_name(role)
            .policy_name(name)
            .policy_document(document.to_string())
            .send()
            .await;
        answered("iam:PutRolePolicy", put)
    }

    /// Removes a policy from inside a role.
    pub async fn delete_policy(&self, role: &str, name: &str) -> Result<Answered<()>, AwsError> {
        let deleted = self
            .client
            .delete_role_policy()
            .role_name(role)
            .policy_name(name)
            .send()
            .await;
        answered("iam:DeleteRolePolicy", deleted)
    }

    /// Takes a policy off a role; the policy itself stays.
    pub async fn detach_policy(&self, role: &str, arn: &str) -> Result<Answered<()>, AwsError> {
        let detached = self
            .client
            .detach_role_policy()
            .role_name(role)
            .policy_arn(arn)
            .send()
            .await;
        answered("iam:DetachRolePolicy", detached)
    }
}

fn answered<T, E, R>(
    operation: &'static str,
    result: Result<T, SdkError<E, R>>,
) -> Result<Answered<()>, AwsError>
where
    T: aws_sdk_iam::operation::RequestId,
    E: aws_smithy_types::error::metadata::ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    let output = result.map_err(|error| AwsError::from_sdk(operation, &error))?;
    Ok(Answered::new((), output.request_id()))
}

/// IAM percent-encodes documents.
fn document(text: &str) -> Value {
    let text = percent_decode_str(text).decode_utf8_lossy();
    serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn documents_are_decoded_and_what_is_no_json_is_kept_as_text() {
        assert_eq!(document("%7B%22Version%22%3A%221%22%7D"), json!({"Version": "1"}));
        assert_eq!(document("%7B"), json!("{"));
    }
}
