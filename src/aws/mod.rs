//! The only users of the AWS SDK: one file a service, each a narrow set of our own verbs.
//!
//! [`Aws`] makes clients per region of a cell. All share one HTTP connector (rustls on ring), timeouts and
//! retries. `AWS_ENDPOINT_URL` points everything at an emulator; nothing here knows of one.
//!
//! To add a service: a file with a struct around the SDK's client (made by `observed!`, so that its calls are counted),
//! verbs that take and give our types, a line in `clients.rs` and a method below. SDK errors become [`AwsError`], which keeps the error code and AWS's request id.

mod access;
mod answered;
mod budget;
mod calls;
mod clients;
pub mod cloudformation;
pub mod cognito;
pub mod dynamodb;
mod error;
pub mod iam;
mod kind;
pub mod lambda;
pub mod records;
pub mod s3;
pub mod secretsmanager;
pub mod sqs;
pub mod sts;

pub use answered::Answered;
pub use budget::{Answering, BudgetUsedUp, Granted, Tokens};
pub use error::AwsError;
pub use kind::AwsErrorKind;

use crate::domain::cell::CallScope;
use aws_config::{
    BehaviorVersion, Region, SdkConfig, retry::RetryConfig,
    stalled_stream_protection::StalledStreamProtectionConfig, timeout::TimeoutConfig,
};
use aws_smithy_http_client::tls;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use clients::RegionalClients;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// How long calls may take, and how often each is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For one try.
    pub attempt: Duration,
    /// For all tries of a call.
    pub operation: Duration,
    /// Tries of a call at most.
    pub attempts: u32,
    /// Before the second try; doubled for each further one.
    pub backoff: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            attempt: Duration::from_secs(10),
            operation: Duration::from_secs(30),
            attempts: 4,
            backoff: Duration::from_secs(1),
        }
    }
}

/// Makes AWS clients per region.
pub struct Aws {
    base: SdkConfig,
    budget: Option<Arc<dyn Tokens>>,
    /// The account that a role leads to; `None` with the service's own credentials.
    account_id: Option<String>,
    regions: Mutex<HashMap<String, Arc<RegionalClients>>>,
    accounts: Mutex<access::Accounts>,
}

impl std::fmt::Debug for Aws {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Aws")
            .field("region", &self.base.region())
            .finish_non_exhaustive()
    }
}

impl Aws {
    /// Reads region, credentials and endpoint from the SDK's standard places (environment, profile, pod or
    /// instance identity).
    pub async fn load() -> Self {
        Self::from_loader(aws_config::defaults(BehaviorVersion::latest())).await
    }

    /// As [`Self::load`], from a prepared loader (tests give endpoint and credentials of their own).
    pub async fn from_loader(loader: aws_config::ConfigLoader) -> Self {
        Self::patient(loader, &Patience::default()).await
    }

    /// As [`Self::from_loader`], with other times.
    pub async fn patient(loader: aws_config::ConfigLoader, patience: &Patience) -> Self {
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
            .build_https();
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(patience.connect)
            .operation_attempt_timeout(patience.attempt)
            .operation_timeout(patience.operation)
            .build();
        let retries = RetryConfig::standard()
            .with_max_attempts(patience.attempts)
            .with_initial_backoff(patience.backoff);
        let base = loader
            .http_client(http)
            .timeout_config(timeouts)
            // It takes a call that waits for its budget for one whose body does not flow. The times above bound both.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .retry_config(retries)
            .load()
            .await;
        Self::from_base(base, None, None)
    }

    fn from_base(base: SdkConfig, budget: Option<Arc<dyn Tokens>>, account_id: Option<String>) -> Self {
        Self {
            base,
            budget,
            account_id,
            regions: Mutex::default(),
            accounts: Mutex::default(),
        }
    }

    /// The same, with every call within a budget; each account and region has its own.
    #[must_use]
    pub fn budgeted(&self, source: Arc<dyn Tokens>) -> Self {
        Self::from_base(self.base.clone(), Some(source), self.account_id.clone())
    }

    /// The configuration for one region. Credentials and connections are shared between regions.
    pub fn region(&self, region: &str) -> SdkConfig {
        self.clients(region).config.clone()
    }

    /// What there is for one region, made when first asked for.
    fn clients(&self, region: &str) -> Arc<RegionalClients> {
        let mut regions = self.regions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = regions.get(region) {
            return Arc::clone(known);
        }
        let made = Arc::new(RegionalClients::new(self.configured(region)));
        regions.insert(region.to_owned(), Arc::clone(&made));
        made
    }

    fn configured(&self, region: &str) -> SdkConfig {
        let mut config = self.base.to_builder();
        config.set_region(Region::new(region.to_owned()));
        if let (Some(source), Some(http)) = (&self.budget, self.base.http_client()) {
            config.set_http_client(Some(SharedHttpClient::new(budget::BudgetedHttp::new(
                http,
                Arc::clone(source),
                CallScope {
                    account_id: self.account_id.clone(),
                    region: region.to_owned(),
                },
            ))));
        }
        config.build()
    }

    /// Secrets Manager of a region.
    pub fn secrets_manager(&self, region: &str) -> secretsmanager::SecretsManager {
        self.clients(region).secrets_manager()
    }

    /// CloudFormation of a region.
    pub fn cloudformation(&self, region: &str) -> cloudformation::CloudFormation {
        self.clients(region).cloudformation()
    }

    /// Cognito of a region.
    pub fn cognito(&self, region: &str) -> cognito::Cognito {
        self.clients(region).cognito()
    }

    /// DynamoDB of a region.
    pub fn dynamodb(&self, region: &str) -> dynamodb::DynamoDb {
        self.clients(region).dynamodb()
    }

    /// The `records` table of a tenant.
    pub fn records(&self, region: &str, table: String) -> records::Records {
        records::Records::new(&self.region(region), table)
    }

    /// IAM, as a region's clients reach it.
    pub fn iam(&self, region: &str) -> iam::Iam {
        self.clients(region).iam()
    }

    /// Lambda of a region.
    pub fn lambda(&self, region: &str) -> lambda::Lambda {
        self.clients(region).lambda()
    }

    /// S3 of a region.
    pub fn s3(&self, region: &str) -> s3::S3 {
        self.clients(region).s3()
    }

    /// SQS of a region.
    pub fn sqs(&self, region: &str) -> sqs::Sqs {
        self.clients(region).sqs()
    }

    /// STS of a region.
    pub fn sts(&self, region: &str) -> sts::Sts {
        self.clients(region).sts()
    }
}
