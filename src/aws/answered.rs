//! An answer together with AWS's request id.

use super::AwsError;

/// What a changing call answered. The request id goes into the operation's step, so that a call can be found
/// in CloudTrail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered<T> {
    /// The answer.
    pub value: T,
    /// AWS's request id.
    pub request_id: Option<String>,
}

impl<T> Answered<T> {
    /// Puts an answer and its request id together.
    pub fn new(value: T, request_id: Option<&str>) -> Self {
        Self {
            value,
            request_id: request_id.map(str::to_owned),
        }
    }

    /// The same request id with another value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Answered<U> {
        Answered {
            value: f(self.value),
            request_id: self.request_id,
        }
    }
}

impl AwsError {
    /// The call succeeded, but its answer lacks `what`.
    pub(super) fn incomplete(operation: &'static str, what: &str) -> Self {
        Self {
            operation,
            code: "Response".to_owned(),
            message: format!("the answer lacks {what}"),
            request_id: None,
        }
    }
}
