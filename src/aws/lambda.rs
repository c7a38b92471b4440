//! Lambda: what the functions of a tenant run.

use super::{Answered, AwsError, calls::observed};
use aws_config::SdkConfig;
use aws_sdk_lambda::{
    Client,
    config::retry::RetryConfig,
    operation::RequestId as _,
    primitives::Blob,
    types::{Architecture, Environment, LogFormat, LoggingConfig, Runtime},
};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Lambda of one region.
#[derive(Debug, Clone)]
pub struct Lambda {
    client: Client,
}

/// The part of a function's configuration that the step-up rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FunctionSettings {
    /// Digest of the code (SHA-256, base64).
    pub code_sha256: String,
    /// Instruction set.
    pub architecture: String,
    /// Role it runs as.
    pub role_arn: String,
    /// Seconds until Lambda stops it.
    pub timeout_s: i32,
    /// Group that it logs to.
    pub log_group: String,
    /// What runs the code.
    pub runtime: String,
    /// Name of the executable.
    pub handler: String,
    /// Memory, MB.
    pub memory_mb: i32,
    /// ARNs of layers, whose code runs beside the function's.
    pub layers: Vec<String>,
    /// Environment variables. Names of resources, no secrets.
    pub environment: BTreeMap<String, String>,
}

impl Lambda {
    /// A client for the region of `config`.
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            client: observed!(aws_sdk_lambda, config),
        }
    }

    /// Calls a function and waits for its answer; `None` when the function itself failed, or said nothing that can
    /// be read. What it printed is not asked for. Sent once: an event may hold what can be used once.
    pub async fn invoke(&self, name_or_arn: &str, event: &Value) -> Result<Option<Value>, AwsError> {
        let once = aws_sdk_lambda::config::Builder::new().retry_config(RetryConfig::disabled());
        let invoked = self
            .client
            .invoke()
            .function_name(name_or_arn)
            .payload(Blob::new(event.to_string()))
            .customize()
            .config_override(once)
            .send()
            .await;
        let invoked = invoked.map_err(|error| AwsError::from_sdk("lambda:InvokeFunction", &error))?;
        if invoked.function_error().is_some() {
            return Ok(None);
        }
        let answer = invoked.payload().map(AsRef::as_ref).unwrap_or_default();
        Ok(serde_json::from_slice(answer).ok())
    }

    /// The settings of a function.
    pub async fn function(&self, name_or_arn: &str) -> Result<FunctionSettings, AwsError> {
        let found = self
            .client
            .get_function_configuration()
            .function_name(name_or_arn)
            .send()
            .await;
        let found = found.map_err(|error| AwsError::from_sdk("lambda:GetFunctionConfiguration", &error))?;
        Ok(FunctionSettings {
            code_sha256: found.code_sha256().unwrap_or_default().to_owned(),
            architecture: found
                .architectures()
                .first()
                .map(|one| one.as_str().to_owned())
                .unwrap_or_default(),
            role_arn: found.role().unwrap_or_default().to_owned(),
            timeout_s: found.timeout().unwrap_or_default(),
            log_group: found
                .logging_config()
                .and_then(|logs| logs.log_group())
                .unwrap_or_default()
                .to_owned(),
            runtime: found
                .runtime()
                .map(|runtime| runtime.as_str().to_owned())
                .unwrap_or_default(),
            handler: found.handler().unwrap_or_default().to_owned(),
            memory_mb: found.memory_size().unwrap_or_default(),
            layers: found
                .layers()
                .iter()
                .filter_map(|layer| layer.arn().map(str::to_owned))
                .collect(),
            environment: found
                .environment()
                .and_then(|environment| environment.variables())
                .into_iter()
                .flatten()
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        })
    }

    /// Puts an artifact in the place of a function's code.
    pub async fn update_code(
        &self,
        name_or_arn: &str,
        architecture: &str,
        bucket: &str,
        key: &str,
    ) -> Result<Answered<()>, AwsError> {
        let updated = self
            .client
            .update_function_code()
            .function_name(name_or_arn)
            .architectures(Architecture::from(architecture))
            .s3_bucket(bucket)
            .s3_key(key)
            .send()
            .await
            .map_err(|error| AwsError::from_sdk("lambda:UpdateFunctionCode", &error))?;
        Ok(Answered::new((), updated.request_id()))
    }

    /// Writes every setting of a function but its code.
    pub async fn update_settings(
        &self,
        name_or_arn: &str,
        settings: &FunctionSettings,
    ) -> Result<Answered<()>, AwsError> {
        let environment = Environment::builder()
            .set_variables(Some(settings.environment.clone().into_iter().collect()))
            .build();
        let logs = LoggingConfig::builder()
            .log_group(&settings.log_group)
            .log_format(LogFormat::Text)
            .build();
        let updated = self
            .client
            .update_function_configuration()
            .function_name(name_or_arn)
            .role(&settings.role_arn)
            .handler(&settings.handler)
            .runtime(Runtime::from(settings.runtime.as_str()))
            .timeout(settings.timeout_s)
            .memory_size(settings.memory_mb)
            .set_layers(Some(settings.layers.clone()))
            .environment(environment)
            .logging_config(logs)
            .send()
            .await
            .map_err(|error| AwsError::from_sdk("lambda:UpdateFunctionConfiguration", &error))?;
        Ok(Answered::new((), updated.request_id()))
    }
}
