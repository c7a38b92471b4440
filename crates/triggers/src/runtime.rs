//! Puts the real parts together and serves Lambda's Runtime API. Everything is made once, before the first
//! event: Lambda gives a starting function its full processor.

use crate::aws::{self, Environment};
use crate::challenge::{self, Challenge};
use crate::clock::SystemClock;
use crate::events::Stdout;
use crate::forwarder::{Forwarder, Recognise, SqsQueue};
use crate::policy_cache::{Policies, PoliciesTable, PolicySecret};
use crate::random::OsRandom;
use crate::records::RecordsTable;
use crate::settings_cache::{Secrets, SecretsManager};
use crate::verify::provider::BlockId;
use crate::verify::users::Cognito;
use crate::verify::{self, Verify};
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

/// Serves the function `challenge` until Lambda ends the process.
pub async fn serve_challenge() -> Result<(), Error> {
    install_tls();
    let environment = Environment::read();
    let config = aws::config().await;
    let dynamodb = aws_sdk_dynamodb::Client::new(&config);
    let secrets: Arc<dyn Secrets> = Arc::new(SecretsManager(aws_sdk_secretsmanager::Client::new(&config)));
    let policies: Arc<dyn Policies> = match environment.policy_secret_arn {
        Some(secret_arn) => Arc::new(PolicySecret {
            secrets: Arc::clone(&secrets),
            secret_arn,
        }),
        None => Arc::new(PoliciesTable {
            client: dynamodb.clone(),
            table: environment.policies_table,
        }),
    };
    let function = Challenge::new(
        &environment.tenant_id,
        &environment.settings_secret_arn,
        challenge::Outside {
            secrets,
            policies,
            records: Arc::new(RecordsTable {
                client: dynamodb,
                table: environment.records_table,
            }),
            clock: Arc::new(SystemClock),
            random: Arc::new(OsRandom),
            sink: Arc::new(Stdout),
        },
    );
    function.warm_up().await;
    let function = &function;
    lambda_runtime::run(service_fn(async move |event: LambdaEvent<Value>| {
        function.handle(&event.context.request_id, event.payload).await
    }))
    .await
}

/// Serves the function `verify` until Lambda ends the process.
pub async fn serve_verify() -> Result<(), Error> {
    install_tls();
    let environment = Environment::read();
    let config = aws::config().await;
    let function = Verify::new(
        &environment.tenant_id,
        &environment.settings_secret_arn,
        &environment.credentials_secret_arn,
        verify::Outside {
            secrets: Arc::new(SecretsManager(aws_sdk_secretsmanager::Client::new(&config))),
            records: Arc::new(RecordsTable {
                client: aws_sdk_dynamodb::Client::new(&config),
                table: environment.records_table,
            }),
            provider: Arc::new(BlockId::new(environment.insecure_loopback)),
            users: Arc::new(Cognito::new(
                aws_sdk_cognitoidentityprovider::Client::new(&config),
                environment.endpoint,
            )),
            clock: Arc::new(SystemClock),
            sink: Arc::new(Stdout),
        },
    );
    function.warm_up().await;
    let function = &function;
    lambda_runtime::run(service_fn(async move |event: LambdaEvent<Value>| {
        Ok::<Value, Infallible>(function.handle(&event.context.request_id, event.payload).await)
    }))
    .await
}

/// Serves the function `forwarder` until Lambda ends the process.
pub async fn serve_forwarder() -> Result<(), Error> {
    install_tls();
    // Patient, unlike the triggers: nobody waits, and what is not sent must be sent again.
    let config = aws::config()
        .await
        .into_builder()
        .retry_config(RetryConfig::standard().with_max_attempts(5))
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(3))
                .operation_attempt_timeout(Duration::from_secs(5))
                .build(),
        )
        .build();
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let queue = SqsQueue {
        client: aws_sdk_sqs::Client::new(&config),
        url: variable("STEPGATE_EVENT_QUEUE_URL"),
    };
    let recognise = if variable("STEPGATE_DEV_TENANT_FROM_LINE") == "1" {
        Recognise::ByLine
    } else {
        Recognise::ByStream
    };
    let function = Forwarder::new(Arc::new(queue), recognise);
    let function = &function;
    lambda_runtime::run(service_fn(async move |event: LambdaEvent<Value>| {
        let summary = function.handle(&event.payload).await.map_err(Error::from)?;
        Stdout::line(&summary);
        Ok::<Value, Error>(serde_json::to_value(summary).unwrap_or_default())
    }))
    .await
}

/// One TLS implementation for AWS and BlockID. A second call would find it installed: the same one.
fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
