//! Secrets Manager: the secrets of tenants.

use super::{Answered, AwsError, calls::observed};
use aws_config::SdkConfig;
use aws_sdk_secretsmanager::{Client, operation::RequestId as _, types::Tag};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

/// Secrets Manager of one region.
#[derive(Debug, Clone)]
pub struct SecretsManager {
    client: Client,
}

const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";
const PENDING: &str = "AWSPENDING";
/// How long a deleted secret can be restored, days; the least that AWS takes.
const RECOVERY_WINDOW_DAYS: i64 = 7;

/// Which versions of a secret have which label.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Versions {
    /// The one in force.
    pub current: Option<String>,
    /// The one that was in force before.
    pub previous: Option<String>,
    /// Those that wait.
    pub pending: Vec<String>,
}

impl Versions {
    /// Whether a version is there and has a label.
    pub fn has(&self, version: &str) -> bool {
        let known = self.current.iter().chain(&self.previous).chain(&self.pending);
        known.into_iter().any(|one| one == version)
    }
}

impl SecretsManager {
    /// A client for the region of `config`.
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            client: observed!(aws_sdk_secretsmanager, config),
        }
    }

    /// Creates the secret and returns its ARN. Idempotent: with the same name and `token` (32–64 characters) a
    /// secret that is already there is left as it is and its ARN returned.
    pub async fn create_secret(
        &self,
        name: &str,
        value: SecretString,
        token: &str,
        tags: &[(&str, String)],
    ) -> Result<String, AwsError> {
        let tags = tags
            .iter()
            .map(|(key, value)| Tag::builder().key(*key).value(value).build())
            .collect();
        let created = self
            .client
            .create_secret()
            .name(name)
            .secret_string(value.expose_secret())
            .client_request_token(token)
            .set_tags(Some(tags))
            .send()
            .await;
        match created {
            Ok(output) => output.arn.ok_or_else(|| no_arn("secretsmanager:CreateSecret")),
            Err(error) => {
                let error = AwsError::from_sdk("secretsmanager:CreateSecret", &error);
                // The name carries a random suffix of ours: whoever made it before was an earlier try of this call.
                if error.is(&["ResourceExistsException"]) {
                    self.put_first_value(name, value, token).await
                } else {
                    Err(error)
                }
            }
        }
    }

    /// An earlier try made the secret; make sure that it has this value too (a repeat with the same token and
    /// value changes nothing).
    async fn put_first_value(
        &self,
        name: &str,
        value: SecretString,
        token: &str,
    ) -> Result<String, AwsError> {
        let put = self
            .client
            .put_secret_value()
            .secret_id(name)
            .secret_string(value.expose_secret())
            .client_request_token(token)
            .send()
            .await;
        match put {
            Ok(output) => output.arn.ok_or_else(|| no_arn("secretsmanager:PutSecretValue")),
            Err(error) => {
                let error = AwsError::from_sdk("secretsmanager:PutSecretValue", &error);
                if error.is(&["ResourceExistsException"]) {
                    self.arn(name).await
                } else {
                    Err(error)
                }
            }
        }
    }

    /// The ARN of a secret that exists.
    pub async fn arn(&self, name: &str) -> Result<String, AwsError> {
        const OPERATION: &str = "secretsmanager:DescribeSecret";
        let described = self.client.describe_secret().secret_id(name).send().await;
        described
            .map_err(|error| AwsError::from_sdk(OPERATION, &error))?
            .arn
            .ok_or_else(|| no_arn(OPERATION))
    }

    /// The value of a secret that the control plane may read; `None` when there is none.
    pub async fn value(&self, arn: &str) -> Result<Option<String>, AwsError> {
        match self.client.get_secret_value().secret_id(arn).send().await {
            Ok(output) => Ok(output.secret_string),
            Err(error) => {
                let error = AwsError::from_sdk("secretsmanager:GetSecretValue", &error);
                if error.is_not_found() {
                    Ok(None)
                } else {
                    Err(error)
                }
            }
        }
    }

    /// Writes a new current value. The same `token` with the same value changes nothing.
    pub async fn put_value(&self, arn: &str, value: &str, token: &str) -> Result<Answered<()>, AwsError> {
        let put = self
            .client
            .put_secret_value()
            .secret_id(arn)
            .secret_string(value)
            .client_request_token(token)
            .send()
            .await
            .map_err(|error| AwsError::from_sdk("secretsmanager:PutSecretValue", &error))?;
        Ok(Answered::new((), put.request_id()))
    }

    /// Which version has which label. Tells nothing of their values.
    pub async fn versions(&self, arn: &str) -> Result<Versions, AwsError> {
        let described = self.client.describe_secret().secret_id(arn).send().await;
        let described =
            described.map_err(|error| AwsError::from_sdk("secretsmanager:DescribeSecret", &error))?;
        let mut versions = Versions::default();
        for (id, labels) in described.version_ids_to_stages().into_iter().flatten() {
            for label in labels {
                match label.as_str() {
                    CURRENT => versions.current = Some(id.clone()),
                    PREVIOUS => versions.previous = Some(id.clone()),
                    PENDING => versions.pending.push(id.clone()),
                    _ => {}
                }
            }
        }
        Ok(versions)
    }

    /// Writes a value that waits (`AWSPENDING`), in the place of any other that does, and returns its version,
    /// which is `token`. With the same token and value it changes nothing.
    pub async fn stage_value(
        &self,
        arn: &str,
        value: &SecretString,
        token: &str,
    ) -> Result<String, AwsError> {
        let versions = self.versions(arn).await?;
        if versions.has(token) {
            return Ok(token.to_owned());
        }
        for other in &versions.pending {
            self.move_label(arn, PENDING, None, Some(other)).await?;
        }
        let put = self
            .client
            .put_secret_value()
            .secret_id(arn)
            .secret_string(value.expose_secret())
            .client_request_token(token)
            .version_stages(PENDING)
            .send()
            .await;
        put.map_err(|error| AwsError::from_sdk("secretsmanager:PutSecretValue", &error))?;
        Ok(token.to_owned())
    }

    /// Has a version wait (`AWSPENDING`), and no other.
    pub async fn have_wait(&self, arn: &str, version: &str) -> Result<(), AwsError> {
        let pending = self.versions(arn).await?.pending;
        for other in pending.iter().filter(|other| *other != version) {
            self.move_label(arn, PENDING, None, Some(other)).await?;
        }
        if !pending.iter().any(|one| one == version) {
            self.move_label(arn, PENDING, Some(version), None).await?;
        }
        Ok(())
    }

    /// Has a version wait no more. One that has no other label is gone with that.
    pub async fn stop_waiting(&self, arn: &str, version: &str) -> Result<(), AwsError> {
        if self.versions(arn).await?.pending.iter().any(|one| one == version) {
            self.move_label(arn, PENDING, None, Some(version)).await?;
        }
        Ok(())
    }

    /// Puts a version in force; the one that was is kept as the previous one.
    pub async fn promote(&self, arn: &str, version: &str) -> Result<(), AwsError> {
        let current = self.versions(arn).await?.current;
        if current.as_deref() != Some(version) {
            self.move_label(arn, CURRENT, Some(version), current.as_deref())
                .await?;
        }
        self.stop_waiting(arn, version).await
    }

    async fn move_label(
        &self,
        arn: &str,
        label: &str,
        to: Option<&str>,
        from: Option<&str>,
    ) -> Result<(), AwsError> {
        let moved = self
            .client
            .update_secret_version_stage()
            .secret_id(arn)
            .version_stage(label)
            .set_move_to_version_id(to.map(str::to_owned))
            .set_remove_from_version_id(from.map(str::to_owned))
            .send()
            .await;
        moved.map_err(|error| AwsError::from_sdk("secretsmanager:UpdateSecretVersionStage", &error))?;
        Ok(())
    }

    /// The resource policy of a secret, JSON; `None` when it has none.
    pub async fn resource_policy(&self, arn: &str) -> Result<Option<String>, AwsError> {
        let policy = self.client.get_resource_policy().secret_id(arn).send().await;
        let policy =
            policy.map_err(|error| AwsError::from_sdk("secretsmanager:GetResourcePolicy", &error))?;
        Ok(policy.resource_policy)
    }

    /// Removes the resource policy of a secret.
    pub async fn delete_resource_policy(&self, arn: &str) -> Result<(), AwsError> {
        let deleted = self.client.delete_resource_policy().secret_id(arn).send().await;
        deleted
            .map(drop)
            .map_err(|error| AwsError::from_sdk("secretsmanager:DeleteResourcePolicy", &error))
    }

    /// Sets the resource policy of a secret. Secrets Manager refuses one that opens it to the public.
    pub async fn put_resource_policy(&self, arn: &str, policy: &str) -> Result<Answered<()>, AwsError> {
        let put = self
            .client
            .put_resource_policy()
            .secret_id(arn)
            .resource_policy(policy)
            .block_public_policy(true)
            .send()
            .await
            .map_err(|error| AwsError::from_sdk("secretsmanager:PutResourcePolicy", &error))?;
        Ok(Answered::new((), put.request_id()))
    }

    /// Deletes a secret; it can be restored for a week. Returns until when, `None` when there is no such secret. One
    /// that is deleted already is left as it is.
    pub async fn delete(&self, name: &str) -> Result<Option<DateTime<Utc>>, AwsError> {
        let date = |time: &aws_sdk_secretsmanager::primitives::DateTime| {
            DateTime::from_timestamp(time.secs(), 0).unwrap_or_default()
        };
        // AWS refuses to delete what is deleted already.
        let described = self.client.describe_secret().secret_id(name).send().await;
        match described.map_err(|error| AwsError::from_sdk("secretsmanager:DescribeSecret", &error)) {
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error),
            Ok(found) => {
                if let Some(time) = found.deleted_date() {
                    return Ok(Some(date(time)));
                }
            }
        }
        let deleted = self
            .client
            .delete_secret()
            .secret_id(name)
            .recovery_window_in_days(RECOVERY_WINDOW_DAYS)
            .send()
            .await;
        match deleted.map_err(|error| AwsError::from_sdk("secretsmanager:DeleteSecret", &error)) {
            Ok(deleted) => Ok(deleted.deletion_date().map(date)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn no_arn(operation: &'static str) -> AwsError {
    AwsError {
        operation,
        code: "Response".to_owned(),
        message: "the answer has no ARN".to_owned(),
        request_id: None,
    }
}
