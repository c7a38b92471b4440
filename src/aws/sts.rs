//! STS: who we are.

use super::{AwsError, calls::observed};
use aws_config::SdkConfig;
use aws_sdk_sts::Client;

/// STS of one region.
#[derive(Debug, Clone)]
pub struct Sts {
    client: Client,
}

impl Sts {
    /// A client for the region of `config`.
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            client: observed!(aws_sdk_sts, config),
        }
    }

    /// The AWS account that our credentials belong to.
    pub async fn account_id(&self) -> Result<String, AwsError> {
        const OPERATION: &str = "sts:GetCallerIdentity";
        let identity = self.client.get_caller_identity().send().await;
        let identity = identity.map_err(|error| AwsError::from_sdk(OPERATION, &error))?;
        identity
            .account
            .ok_or_else(|| AwsError::incomplete(OPERATION, "an account"))
    }
}
