//! What an AWS call failed with, in our words.

use super::BudgetUsedUp;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// A failed AWS call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation} failed: {code}: {message} (request id {})", request_id.as_deref().unwrap_or("unknown"))]
pub struct AwsError {
    /// Service and operation, for example `secretsmanager:CreateSecret`.
    pub operation: &'static str,
    /// AWS's error code, or `Timeout`, `Connection`, `Response` when there was no answer to read one from.
    pub code: String,
    /// AWS's message.
    pub message: String,
    /// AWS's request id, by which their support finds the call.
    pub request_id: Option<String>,
}

impl AwsError {
    /// Reads an SDK error.
    pub fn from_sdk<E, R>(operation: &'static str, error: &SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: std::fmt::Debug,
    {
        let (code, message, request_id) = match error {
            SdkError::ServiceError(service) => {
                let meta = service.err().meta();
                (
                    meta.code().unwrap_or("Unknown").to_owned(),
                    meta.message().unwrap_or("no message").to_owned(),
                    meta.extra("aws_request_id").map(str::to_owned),
                )
            }
            SdkError::TimeoutError(_) => ("Timeout".to_owned(), "no answer in time".to_owned(), None),
            SdkError::DispatchFailure(failure) => {
                if let Some(used_up) = failure.as_connector_error().and_then(|error| used_up(error)) {
                    return Self {
                        operation,
                        code: "BudgetUsedUp".to_owned(),
                        message: used_up.to_string(),
                        request_id: None,
                    };
                }
                let text = failure
                    .as_connector_error()
                    .map_or_else(|| "not sent".to_owned(), ToString::to_string);
                ("Connection".to_owned(), text, None)
            }
            SdkError::ResponseError(_) => (
                "Response".to_owned(),
                "the answer could not be read".to_owned(),
                None,
            ),
            _ => (
                "Construction".to_owned(),
                "the request could not be made".to_owned(),
                None,
            ),
        };
        Self {
            operation,
            code,
            message,
            request_id,
        }
    }

    /// Whether the error code is one of `codes`.
    pub fn is(&self, codes: &[&str]) -> bool {
        codes.contains(&self.code.as_str())
    }
}

/// The budget that ran out, however deep the SDK has wrapped the news.
fn used_up<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a BudgetUsedUp> {
    let mut chain = std::iter::successors(Some(error), |error| error.source());
    chain.find_map(|error| error.downcast_ref())
}
