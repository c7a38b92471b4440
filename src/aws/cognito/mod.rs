//! Cognito: what of a tenant's user pool is not in its stack (app clients, custom attributes), and reading back
//! what is.
//!
//! [`PoolSettings`] and [`ClientSettings`] hold every setting that the step-up rests on, in a form in which what
//! is wanted and what Cognito answers can be compared: absent and default are the same value.

mod client_settings;
mod pool_settings;
mod restore;
mod users;

pub use client_settings::ClientSettings;
pub use pool_settings::{PasswordRules, PoolSettings};

use super::{Answered, AwsError, calls::observed};
use aws_config::{SdkConfig, retry::RetryConfig};
use aws_sdk_cognitoidentityprovider::{
    Client,
    config::Config,
    operation::RequestId as _,
    types::{AttributeDataType, DeletionProtectionType, SchemaAttributeType, StringAttributeConstraintsType},
};
use std::collections::BTreeSet;

/// Cognito of one region.
#[derive(Debug, Clone)]
pub struct Cognito {
    client: Client,
    config: Config,
}

/// A pool as Cognito describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Its settings.
    pub settings: PoolSettings,
    /// Names of its custom attributes, without `custom:`.
    pub custom_attributes: BTreeSet<String>,
    /// Cognito's estimate of its users.
    pub estimated_users: i32,
}

/// A custom attribute to add: text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAttribute {
    /// Name without `custom:`.
    pub name: String,
    /// Whether it can be changed once set.
    pub mutable: bool,
    /// Longest value, characters.
    pub max_length: u32,
}

/// An app client in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientName {
    /// App client id.
    pub client_id: String,
    /// Its name.
    pub name: String,
}

impl Cognito {
    /// A client for the region of `config`.
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            client: observed!(aws_sdk_cognitoidentityprovider, config),
            config: Config::from(config),
        }
    }

    /// A pool; `None` when there is none.
    pub async fn pool(&self, pool_id: &str) -> Result<Option<Pool>, AwsError> {
        const OPERATION: &str = "cognito-idp:DescribeUserPool";
        let described = match self
            .client
            .describe_user_pool()
            .user_pool_id(pool_id)
            .send()
            .await
        {
            Ok(described) => described,
            Err(error) => {
                let error = AwsError::from_sdk(OPERATION, &error);
                return if error.is_not_found() {
                    Ok(None)
                } else {
                    Err(error)
                };
            }
        };
        let pool = described
            .user_pool()
            .ok_or_else(|| AwsError::incomplete(OPERATION, "a pool"))?;
        let custom = pool
            .schema_attributes()
            .iter()
            .filter_map(|attribute| attribute.name()?.strip_prefix("custom:"));
        Ok(Some(Pool {
            settings: PoolSettings::from_sdk(pool),
            custom_attributes: custom.map(str::to_owned).collect(),
            estimated_users: pool.estimated_number_of_users(),
        }))
    }

    /// Adds custom attributes, 25 a call as Cognito takes them. They can never be changed or removed.
    pub async fn add_attributes(
        &self,
        pool_id: &str,
        attributes: &[NewAttribute],
    ) -> Result<Answered<()>, AwsError> {
        let mut request_id = None;
        for batch in attributes.chunks(25) {
            let added = self
                .client
                .add_custom_attributes()
                .user_pool_id(pool_id)
                .set_custom_attributes(Some(batch.iter().map(to_schema).collect()))
                .send()
                .await
                .map_err(|error| AwsError::from_sdk("cognito-idp:AddCustomAttributes", &error))?;
            request_id = added.request_id().map(str::to_owned);
        }
        Ok(Answered {
            value: (),
            request_id,
        })
    }

    /// Every app client of a pool, ids and names only.
    pub async fn clients(&self, pool_id: &str) -> Result<Vec<ClientName>, AwsError> {
        let mut names = Vec::new();
        let mut pages = self
            .client
            .list_user_pool_clients()
            .user_pool_id(pool_id)
            .max_results(60)
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::from_sdk("cognito-idp:ListUserPoolClients", &error))?;
            names.extend(page.user_pool_clients().iter().filter_map(|client| {
                Some(ClientName {
                    client_id: client.client_id()?.to_owned(),
                    name: client.client_name()?.to_owned(),
                })
            }));
        }
        Ok(names)
    }

    /// The settings of an app client; `None` when there is none.
    pub async fn client(&self, pool_id: &str, client_id: &str) -> Result<Option<ClientSettings>, AwsError> {
        const OPERATION: &str = "cognito-idp:DescribeUserPoolClient";
        match self
            .client
            .describe_user_pool_client()
            .user_pool_id(pool_id)
            .client_id(client_id)
            .send()
            .await
        {
            Ok(found) => {
                let client = found
                    .user_pool_client()
                    .ok_or_else(|| AwsError::incomplete(OPERATION, "a client"))?;
                Ok(Some(ClientSettings::from_sdk(client)))
            }
            Err(error) => {
                let error = AwsError::from_sdk(OPERATION, &error);
                if error.is_not_found() {
                    Ok(None)
                } else {
                    Err(error)
                }
            }
        }
    }

    /// Makes an app client and returns its id. Cognito has no token for this call, so it is sent once and never
    /// repeated by the SDK: after a lost answer the caller finds the client by its name.
    pub async fn create_client(
        &self,
        pool_id: &str,
        settings: &ClientSettings,
    ) -> Result<Answered<String>, AwsError> {
        const OPERATION: &str = "cognito-idp:CreateUserPoolClient";
        let once = self.config.to_builder().retry_config(RetryConfig::disabled());
        let created = settings
            .create_request(self.client.create_user_pool_client().user_pool_id(pool_id))
            .customize()
            .config_override(once)
            .send()
            .await
            .map_err(|error| AwsError::from_sdk(OPERATION, &error))?;
        let id = created.user_pool_client().and_then(|client| client.client_id());
        let id = id.ok_or_else(|| AwsError::incomplete(OPERATION, "a client id"))?;
        Ok(Answered::new(id.to_owned(), created.request_id()))
    }

    /// Writes every setting of an app client: what an update leaves out returns to Cognito's default.
    pub async fn update_client(
        &self,
        pool_id: &str,
        client_id: &str,
        settings: &ClientSettings,
    ) -> Result<Answered<()>, AwsError> {
        let updated = settings
            .update_request(
                self.client
                    .update_user_pool_client()
                    .user_pool_id(pool_id)
                    .client_id(client_id),
            )
            .send()
            .await
            .map_err(|error| AwsError::from_sdk("cognito-idp:UpdateUserPoolClient", &error))?;
        Ok(Answered::new((), updated.request_id()))
    }

    /// Deletes an app client; one that is not there counts as deleted.
    pub async fn delete_client(&self, pool_id: &str, client_id: &str) -> Result<(), AwsError> {
        let deleted = self
            .client
            .delete_user_pool_client()
            .user_pool_id(pool_id)
            .client_id(client_id)
            .send()
            .await;
        match deleted.map_err(|error| AwsError::from_sdk("cognito-idp:DeleteUserPoolClient", &error)) {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    /// Deletes a pool with its users; one that is not there counts as deleted. Its protection must be lifted.
    pub async fn delete_pool(&self, pool_id: &str) -> Result<Answered<()>, AwsError> {
        let deleted = self.client.delete_user_pool().user_pool_id(pool_id).send().await;
        match deleted.map_err(|error| AwsError::from_sdk("cognito-idp:DeleteUserPool", &error)) {
            Ok(deleted) => Ok(Answered::new((), deleted.request_id())),
            Err(error) if error.is_not_found() => Ok(Answered {
                value: (),
                request_id: error.request_id,
            }),
            Err(error) => Err(error),
        }
    }

    /// Lifts the deletion protection of a pool. Every other setting returns to Cognito's default: only for pools that are about to be deleted.
    pub async fn lift_deletion_protection(&self, pool_id: &str) -> Result<(), AwsError> {
        let update = self
            .client
            .update_user_pool()
            .user_pool_id(pool_id)
            .deletion_protection(DeletionProtectionType::Inactive)
            .send()
            .await;
        update
            .map(drop)
            .map_err(|error| AwsError::from_sdk("cognito-idp:UpdateUserPool", &error))
    }
}

fn to_schema(attribute: &NewAttribute) -> SchemaAttributeType {
    let length = StringAttributeConstraintsType::builder()
        .min_length("0")
        .max_length(attribute.max_length.to_string());
    SchemaAttributeType::builder()
        .name(&attribute.name)
        .attribute_data_type(AttributeDataType::String)
        .developer_only_attribute(false)
        .mutable(attribute.mutable)
        .required(false)
        .string_attribute_constraints(length.build())
        .build()
}
