//! Clients of one region, each made when it is first asked for and kept. Making one sets up everything that its calls then share.

use super::{
    cloudformation::CloudFormation, cognito::Cognito, dynamodb::DynamoDb, iam::Iam, lambda::Lambda, s3::S3,
    secretsmanager::SecretsManager, sqs::Sqs, sts::Sts,
};
use aws_config::SdkConfig;
use std::sync::OnceLock;

macro_rules! regional_clients {
    ($($name:ident: $client:ident,)*) => {
        /// The clients of a region, and what they are made of. A copy of a client shares all that the client is.
        pub(super) struct RegionalClients {
            pub(super) config: SdkConfig,
            $($name: OnceLock<$client>,)*
        }

        impl RegionalClients {
            pub(super) fn new(config: SdkConfig) -> Self {
                Self {
                    config,
                    $($name: OnceLock::new(),)*
                }
            }

            $(pub(super) fn $name(&self) -> $client {
                self.$name.get_or_init(|| $client::new(&self.config)).clone()
            })*
        }
    };
}

regional_clients! {
    cloudformation: CloudFormation,
    cognito: Cognito,
    dynamodb: DynamoDb,
    iam: Iam,
    lambda: Lambda,
    s3: S3,
    secrets_manager: SecretsManager,
    sqs: Sqs,
    sts: Sts,
}
