//! Why a step failed: in words that a partner may read, with what to do about it.

use crate::{
    aws::{AwsError, AwsErrorKind, cloudformation::StackFailure},
    domain::{operation::Failure, provisioning::StepName},
};
use chrono::{DateTime, Utc};

/// How a step ended without success.
#[derive(Debug)]
pub enum StepError {
    /// Another worker holds the tenant: nothing more may be written.
    LeaseLost,
    /// The worker is stopping: the step is resumed by whoever comes next.
    Stopped,
    /// It failed.
    Failed(Box<StepFailure>),
}

impl StepError {
    /// How the step ended, in the word that is counted.
    pub const fn outcome(&self) -> &'static str {
        match self {
            Self::LeaseLost => "lease_lost",
            Self::Stopped => "stopped",
            Self::Failed(_) => "failed",
        }
    }
}

/// A failure of a step.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub struct StepFailure {
    /// Stable code, or AWS's error code.
    pub code: String,
    /// What happened. Shown to the partner: no secrets, no internals.
    pub message: String,
    /// What can be done about it, when that is known.
    pub hint: Option<&'static str>,
    /// AWS's request id.
    pub aws_request_id: Option<String>,
    /// Whether the same pass may succeed later without anybody doing anything.
    pub passes_by_itself: bool,
    /// For the log only.
    pub cause: Option<anyhow::Error>,
}

impl StepFailure {
    /// A failure that stays until somebody does something.
    pub fn lasting(code: &str, message: impl Into<String>, hint: Option<&'static str>) -> Self {
        let (code, message) = (code.to_owned(), message.into());
        Self {
            code,
            message,
            hint,
            aws_request_id: None,
            passes_by_itself: false,
            cause: None,
        }
    }

    /// A failure that may pass by itself.
    pub fn passing(code: &str, message: impl Into<String>) -> Self {
        Self {
            passes_by_itself: true,
            ..Self::lasting(code, message, None)
        }
    }

    /// In the words that partners read.
    pub fn told(&self, step: Option<StepName>, at: DateTime<Utc>) -> Failure {
        Failure {
            code: self.code.clone(),
            message: self.message.clone(),
            hint: self.hint.map(str::to_owned),
            step: step.map(|step| step.to_string()),
            aws_request_id: self.aws_request_id.clone(),
            at,
        }
    }

    /// The first resource that a stack failed on, with AWS's reason.
    pub fn from_stack(stack: &str, failures: &[StackFailure]) -> Self {
        let Some(first) = failures.first() else {
            return Self::lasting(
                "stack_failed",
                format!("Stack {stack} failed; its events name no resource."),
                None,
            );
        };
        let StackFailure {
            logical_id,
            resource_type,
            reason,
        } = first;
        let (code, hint) = root_cause(reason);
        Self::lasting(
            code,
            format!("Stack {stack} failed on {logical_id} ({resource_type}): {reason}"),
            hint,
        )
    }
}

impl From<StepFailure> for StepError {
    fn from(failure: StepFailure) -> Self {
        Self::Failed(Box::new(failure))
    }
}

impl From<AwsError> for StepError {
    fn from(error: AwsError) -> Self {
        let kind = error.kind();
        let operation = error.operation;
        let (message, hint) = match kind {
            AwsErrorKind::Throttled => (format!("AWS throttles {operation} in this cell."), None),
            AwsErrorKind::Transient => (format!("AWS did not answer {operation}."), None),
            AwsErrorKind::Denied => (
                format!("The control plane may not call {operation} in this cell."),
                Some(HINT_PERMISSION),
            ),
            AwsErrorKind::Quota => (format!("{operation}: {}", error.message), Some(HINT_QUOTA)),
            AwsErrorKind::NotFound | AwsErrorKind::AlreadyExists | AwsErrorKind::Invalid => {
                (format!("{operation}: {}", error.message), None)
            }
        };
        StepFailure {
            code: error.code.clone(),
            message,
            hint,
            aws_request_id: error.request_id.clone(),
            passes_by_itself: kind.passes_by_itself(),
            cause: Some(error.into()),
        }
        .into()
    }
}

/// A fault of our own side (most often the database): it is logged, and the pass repeated.
impl From<crate::Error> for StepError {
    fn from(error: crate::Error) -> Self {
        let failure = StepFailure::passing("internal", "The control plane failed; its log has the reason.");
        StepFailure {
            cause: Some(anyhow::Error::new(error)),
            ..failure
        }
        .into()
    }
}

const HINT_QUOTA: &str = "A quota of the cell's AWS account is used up. An operator raises it in Service Quotas or \
    closes the cell for new tenants; the work then goes on by itself.";
const HINT_PERMISSION: &str = "The control plane's role in the cell lacks a permission. An operator adds it; the work \
    then goes on by itself.";
const HINT_NAME: &str = "Something of this name is in the account that does not belong to the stack. An operator \
    removes or imports it; the work then goes on by itself.";
const HINT_ARTIFACT: &str = "The cell's trigger artifacts are not usable. An operator runs `stepgate cell apply` again \
    with artifacts of the cell's architecture.";
const HINT_EMAIL: &str = "The SES identity is not verified in the cell's region, or its policy does not let Cognito \
    send. Correct `pool.email` or the identity.";

/// Sorts AWS's reason for a failed resource into what somebody can do about it. The texts are AWS's own and not
/// promised to stay: an unknown one is shown as it is.
fn root_cause(reason: &str) -> (&'static str, Option<&'static str>) {
    let text = reason.to_ascii_lowercase();
    let says = |needles: &[&str]| needles.iter().any(|needle| text.contains(needle));
    if says(&[
        "limit exceeded",
        "limitexceeded",
        "quota",
        "exceeds the maximum",
        "maximum number",
    ]) {
        ("quota_exceeded", Some(HINT_QUOTA))
    } else if says(&["ses", "email identity", "email address is not verified"]) && says(&["verif", "email"]) {
        ("email_identity", Some(HINT_EMAIL))
    } else if says(&[
        "s3 error",
        "s3key",
        "nosuchkey",
        "getting the object from",
        "unzip",
        "code storage",
        "bucket",
    ]) {
        ("bad_artifact", Some(HINT_ARTIFACT))
    } else if says(&[
        "not authorized",
        "accessdenied",
        "access denied",
        "cannot be assumed",
    ]) {
        ("permission_missing", Some(HINT_PERMISSION))
    } else if says(&["already exists", "alreadyexists"]) {
        ("name_clash", Some(HINT_NAME))
    } else {
        ("stack_failed", None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(reason: &str) -> StepFailure {
        let failure = StackFailure {
            logical_id: "UserPool".into(),
            resource_type: "AWS::Cognito::UserPool".into(),
            reason: reason.into(),
        };
        StepFailure::from_stack("stepgate-x", &[failure])
    }

    #[test]
    fn reasons_of_aws_become_codes_with_hints() {
        for (reason, code) in [
            ("User pool limit exceeded (Service: Cognito)", "quota_exceeded"),
            (
                "User: arn:… is not authorized to perform: iam:CreateRole",
                "permission_missing",
            ),
            ("stepgate-x-records already exists in stack arn:…", "name_clash"),
            (
                "Error occurred while GetObject. S3 Error Code: NoSuchKey.",
                "bad_artifact",
            ),
            ("Email address is not verified (SES)", "email_identity"),
            ("Something else", "stack_failed"),
        ] {
            let failure = failed(reason);
            assert_eq!(failure.code, code, "{reason}");
            assert!(failure.message.contains(reason) && !failure.passes_by_itself);
        }
    }

    #[test]
    fn a_denied_call_does_not_show_our_role() {
        let error = AwsError {
            operation: "iam:CreateRole",
            code: "AccessDenied".into(),
            message: "User: arn:aws:sts::1:assumed-role/control-plane is not authorized".into(),
            request_id: Some("r-1".into()),
        };
        let StepError::Failed(failure) = StepError::from(error) else {
            panic!("not a failure")
        };
        assert!(!failure.message.contains("control-plane"));
        assert_eq!(failure.aws_request_id.as_deref(), Some("r-1"));
    }
}
