//! How a trigger says no.

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use lambda_runtime::Diagnostic;
use step_up::reason::Reason;

/// The gate's refusal: Cognito issues no tokens when the trigger fails, and shows the client this text. A reset whose
/// records stay says so in the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusedTokens(pub Reason);

impl From<RefusedTokens> for Diagnostic {
    fn from(refused: RefusedTokens) -> Self {
        Self {
            error_type: "TokensRefused".to_owned(),
            error_message: refused.0.code().to_owned(),
        }
    }
}

/// Something a trigger depends on could not be read or written. Holds an error code and nothing else:
/// messages of the SDK may quote what was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}")]
pub struct SourceError {
    /// The service's error code, or one of ours.
    pub code: String,
}

impl SourceError {
    /// From an error of an AWS call.
    pub fn aws<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Self {
        let code = match error {
            SdkError::ServiceError(service) => service.err().code().unwrap_or("ServiceError"),
            SdkError::TimeoutError(_) => "Timeout",
            SdkError::DispatchFailure(_) => "NotReachable",
            _ => "ResponseNotReadable",
        };
        Self {
            code: code.to_owned(),
        }
    }

    /// What was read is not what it should be.
    pub fn malformed(code: &'static str) -> Self {
        Self {
            code: code.to_owned(),
        }
    }
}
