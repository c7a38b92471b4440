//! The policy of an app, from the tenant's `policies` table; where people deploy by hand, from a secret.

use crate::cache::{LastReading, Served};
use crate::clock::Clock;
use crate::outcome::SourceError;
use crate::settings_cache::{CURRENT, Secrets};
use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use secrecy::ExposeSecret as _;
use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use step_up::policy::CompiledPolicy;
use step_up::policy_item::PolicyItem;

/// Where policies come from.
#[async_trait]
pub trait Policies: Send + Sync {
    /// The item of an app client; `None` when the tenant has no such client.
    async fn read(&self, client_id: &str) -> Result<Option<PolicyItem>, SourceError>;
}

/// The `policies` table in DynamoDB.
pub struct PoliciesTable {
    /// Client for the table's region.
    pub client: aws_sdk_dynamodb::Client,
    /// Name of the table.
    pub table: String,
}

#[async_trait]
impl Policies for PoliciesTable {
    async fn read(&self, client_id: &str) -> Result<Option<PolicyItem>, SourceError> {
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", AttributeValue::S(client_id.to_owned()))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| SourceError::aws(&error))?;
        let Some(item) = output.item else {
            return Ok(None);
        };
        let document = item.get("document").and_then(|value| value.as_s().ok());
        let document = document.ok_or_else(|| SourceError::malformed("PolicyWithoutDocument"))?;
        serde_json::from_str(document)
            .map(Some)
            .map_err(|_| SourceError::malformed("PolicyNotReadable"))
    }
}

/// The one policy item of a stack that was deployed by hand: CloudFormation can write a secret, but no item of a table.
pub struct PolicySecret {
    /// Where it is read.
    pub secrets: Arc<dyn Secrets>,
    /// Name or ARN of the secret.
    pub secret_arn: String,
}

#[async_trait]
impl Policies for PolicySecret {
    async fn read(&self, client_id: &str) -> Result<Option<PolicyItem>, SourceError> {
        let text = self.secrets.read(&self.secret_arn, CURRENT).await?;
        let item: PolicyItem = serde_json::from_str(text.expose_secret())
            .map_err(|_| SourceError::malformed("PolicyNotReadable"))?;
        Ok((item.client_id == client_id).then_some(item))
    }
}

/// The item of an app client, with its policy prepared for deciding.
#[derive(Debug)]
pub struct AppPolicy {
    item: PolicyItem,
    /// `item.policy`, prepared.
    pub compiled: CompiledPolicy,
}

impl From<PolicyItem> for AppPolicy {
    fn from(item: PolicyItem) -> Self {
        Self {
            compiled: CompiledPolicy::new(&item.policy),
            item,
        }
    }
}

impl Deref for AppPolicy {
    type Target = PolicyItem;

    fn deref(&self) -> &PolicyItem {
        &self.item
    }
}

/// The policies of the app clients that have signed in, each warm for 30 s.
pub struct PolicyCache {
    policies: Arc<dyn Policies>,
    last: Mutex<HashMap<String, Arc<LastReading<AppPolicy>>>>,
}

impl PolicyCache {
    /// A cold cache.
    pub fn new(policies: Arc<dyn Policies>) -> Self {
        Self {
            policies,
            last: Mutex::new(HashMap::new()),
        }
    }

    /// The policy of an app client, read again when older than 30 s; `None` when there is no such client.
    pub async fn get(
        &self,
        client_id: &str,
        clock: &dyn Clock,
    ) -> Result<Option<Served<AppPolicy>>, SourceError> {
        if client_id.is_empty() {
            return Ok(None);
        }
        let held = self.held().get(client_id).cloned();
        if let Some(served) = held.as_ref().and_then(|last| last.fresh(clock.now_unix_ms())) {
            return Ok(Some(served));
        }
        match self.policies.read(client_id).await {
            Ok(Some(item)) if item.client_id == client_id => {
                let last = Arc::clone(self.held().entry(client_id.to_owned()).or_default());
                let generation = item.generation;
                Ok(Some(last.store(item.into(), generation, clock.now_unix_ms())))
            }
            Ok(Some(_)) => Err(SourceError::malformed("PolicyOfAnotherClient")),
            Ok(None) => {
                self.held().remove(client_id);
                Ok(None)
            }
            Err(error) => held
                .and_then(|last| last.stale(clock.now_unix_ms()))
                .map(Some)
                .ok_or(error),
        }
    }

    fn held(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<LastReading<AppPolicy>>>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
