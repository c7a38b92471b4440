//! DynamoDB: the `policies` table of a tenant.

use super::{Answered, AwsError, calls::observed};
use aws_config::SdkConfig;
use aws_sdk_dynamodb::{
    Client,
    operation::RequestId as _,
    types::{AttributeValue, ReturnValuesOnConditionCheckFailure},
};
use std::collections::HashMap;

/// DynamoDB of one region.
#[derive(Debug, Clone)]
pub struct DynamoDb {
    client: Client,
}

/// An item of the `policies` table as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPolicy {
    /// Grows with every write.
    pub generation: i64,
    /// `step_up::policy_item::PolicyItem` as JSON.
    pub document: String,
}

/// What became of a conditional write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutOutcome {
    /// Written.
    Written,
    /// The item there has this generation, which is not lower.
    NotNewer,
}

impl DynamoDb {
    /// A client for the region of `config`.
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            client: observed!(aws_sdk_dynamodb, config),
        }
    }

    /// The item of an app client, read consistently.
    pub async fn policy(&self, table: &str, client_id: &str) -> Result<Option<StoredPolicy>, AwsError> {
        const OPERATION: &str = "dynamodb:GetItem";
        let read = self
            .client
            .get_item()
            .table_name(table)
            .key("pk", AttributeValue::S(client_id.to_owned()))
            .consistent_read(true)
            .send()
            .await;
        let Some(item) = read.map_err(|error| AwsError::from_sdk(OPERATION, &error))?.item else {
            return Ok(None);
        };
        stored(OPERATION, &item).map(Some)
    }

    /// Every item of the table.
    pub async fn policies(&self, table: &str) -> Result<Vec<StoredPolicy>, AwsError> {
        const OPERATION: &str = "dynamodb:Scan";
        let mut policies = Vec::new();
        let scan = self.client.scan().table_name(table).consistent_read(true);
        let mut items = scan.into_paginator().items().send();
        while let Some(item) = items.next().await {
            let item = item.map_err(|error| AwsError::from_sdk(OPERATION, &error))?;
            policies.push(stored(OPERATION, &item)?);
        }
        Ok(policies)
    }

    /// Writes the item unless one of the same or a higher generation is there. Repeating it is harmless.
    pub async fn put_policy(
        &self,
        table: &str,
        client_id: &str,
        policy: &StoredPolicy,
    ) -> Result<Answered<PutOutcome>, AwsError> {
        let generation = AttributeValue::N(policy.generation.to_string());
        let put = self
            .client
            .put_item()
            .table_name(table)
            .item("pk", AttributeValue::S(client_id.to_owned()))
            .item("generation", generation.clone())
            .item("document", AttributeValue::S(policy.document.clone()))
            .condition_expression("attribute_not_exists(pk) OR generation < :generation")
            .expression_attribute_values(":generation", generation)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::None)
            .send()
            .await;
        match put {
            Ok(put) => Ok(Answered::new(PutOutcome::Written, put.request_id())),
            Err(error) => {
                let error = AwsError::from_sdk("dynamodb:PutItem", &error);
                if error.is(&["ConditionalCheckFailedException"]) {
                    Ok(Answered {
                        value: PutOutcome::NotNewer,
                        request_id: error.request_id,
                    })
                } else {
                    Err(error)
                }
            }
        }
    }

    /// Removes the item of an app client that is gone; one that is not there counts as removed.
    pub async fn delete_policy(&self, table: &str, client_id: &str) -> Result<Answered<()>, AwsError> {
        let deleted = self
            .client
            .delete_item()
            .table_name(table)
            .key("pk", AttributeValue::S(client_id.to_owned()))
            .send()
            .await
            .map_err(|error| AwsError::from_sdk("dynamodb:DeleteItem", &error))?;
        Ok(Answered::new((), deleted.request_id()))
    }

    /// Deletes a table; one that is not there counts as deleted.
    pub async fn delete_table(&self, table: &str) -> Result<Answered<()>, AwsError> {
        let deleted = self.client.delete_table().table_name(table).send().await;
        match deleted.map_err(|error| AwsError::from_sdk("dynamodb:DeleteTable", &error)) {
            Ok(deleted) => Ok(Answered::new((), deleted.request_id())),
            Err(error) if error.is_not_found() => Ok(Answered {
                value: (),
                request_id: error.request_id,
            }),
            Err(error) => Err(error),
        }
    }

    /// Lifts the deletion protection of a table that is about to be deleted.
    pub async fn lift_deletion_protection(&self, table: &str) -> Result<(), AwsError> {
        let update = self
            .client
            .update_table()
            .table_name(table)
            .deletion_protection_enabled(false)
            .send()
            .await;
        update
            .map(drop)
            .map_err(|error| AwsError::from_sdk("dynamodb:UpdateTable", &error))
    }
}

fn stored(operation: &'static str, item: &HashMap<String, AttributeValue>) -> Result<StoredPolicy, AwsError> {
    let generation = item
        .get("generation")
        .and_then(|value| value.as_n().ok())
        .and_then(|text| text.parse().ok());
    let document = item.get("document").and_then(|value| value.as_s().ok()).cloned();
    match (generation, document) {
        (Some(generation), Some(document)) => Ok(StoredPolicy { generation, document }),
        _ => Err(AwsError::incomplete(operation, "generation and document")),
    }
}
