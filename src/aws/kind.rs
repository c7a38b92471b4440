//! What an AWS failure means for whoever wants to go on: wait, give up, or take it as an answer.

use super::AwsError;

/// Kinds of failure, by what can be done about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AwsErrorKind {
    /// Too many calls: the same call later succeeds.
    Throttled,
    /// No answer, or a fault on AWS's side, or somebody else is changing the same thing: later.
    Transient,
    /// The thing is not there.
    NotFound,
    /// A thing of that name is there already.
    AlreadyExists,
    /// The control plane may not do this. Somebody must change a policy.
    Denied,
    /// A quota of the account is used up. Somebody must raise it.
    Quota,
    /// AWS does not accept what was asked. The same call fails again.
    Invalid,
}

impl AwsErrorKind {
    /// Whether the same call may succeed later without anybody doing anything.
    pub const fn passes_by_itself(self) -> bool {
        matches!(self, Self::Throttled | Self::Transient)
    }
}

const THROTTLED: &[&str] = &[
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "ProvisionedThroughputExceededException",
    "SlowDown",
    "BudgetUsedUp",
];
/// Whether the body of an error names one of the codes of throttling, whatever the service's protocol.
pub(super) fn names_throttling(body: &[u8]) -> bool {
    /// The code is at the front of every protocol's errors.
    const LOOKED_AT_BYTES: usize = 1024;
    let front = String::from_utf8_lossy(&body[..body.len().min(LOOKED_AT_BYTES)]);
    THROTTLED.iter().any(|code| front.contains(code))
}

const NOT_FOUND: &[&str] = &[
    "ResourceNotFoundException",
    "NotFoundException",
    "NoSuchBucket",
    "NoSuchKey",
    "NotFound",
    "ChangeSetNotFound",
    "ChangeSetNotFoundException",
    "StackNotFoundException",
    "NoSuchEntity",
    "NoSuchEntityException",
];
const ALREADY_EXISTS: &[&str] = &[
    "AlreadyExistsException",
    "ResourceExistsException",
    "TokenAlreadyExistsException",
    "ResourceInUseException",
];
const DENIED: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "NotAuthorizedException",
    "UnauthorizedOperation",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "ExpiredTokenException",
    "PublicPolicyException",
];
const QUOTA: &[&str] = &[
    "LimitExceededException",
    "LimitExceeded",
    "ServiceQuotaExceededException",
];
const TRANSIENT: &[&str] = &[
    "Timeout",
    "Connection",
    "Response",
    "InternalError",
    "InternalErrorException",
    "InternalServiceError",
    "InternalFailure",
    "InternalServerError",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "ServiceException",
    "RequestTimeout",
    "RequestTimeoutException",
    "ConcurrentModificationException",
    "OperationInProgressException",
    "ResourceConflictException",
    "TransactionConflictException",
    "OperationAborted",
    "Unknown",
];

impl AwsError {
    /// What the failure means. A code that nobody listed counts as [`AwsErrorKind::Invalid`]: repeating it
    /// without end would hide it.
    pub fn kind(&self) -> AwsErrorKind {
        let lists: [(&[&str], AwsErrorKind); 6] = [
            (THROTTLED, AwsErrorKind::Throttled),
            (NOT_FOUND, AwsErrorKind::NotFound),
            (ALREADY_EXISTS, AwsErrorKind::AlreadyExists),
            (DENIED, AwsErrorKind::Denied),
            (QUOTA, AwsErrorKind::Quota),
            (TRANSIENT, AwsErrorKind::Transient),
        ];
        // CloudFormation has one code for "there is no such stack" and for a bad request.
        if self.code == "ValidationError" && self.message.contains("does not exist") {
            return AwsErrorKind::NotFound;
        }
        lists
            .iter()
            .find(|(codes, _)| self.is(codes))
            .map_or(AwsErrorKind::Invalid, |(_, kind)| *kind)
    }

    /// Whether the thing is not there.
    pub fn is_not_found(&self) -> bool {
        self.kind() == AwsErrorKind::NotFound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str, message: &str) -> AwsError {
        AwsError {
            operation: "cloudformation:DescribeStacks",
            code: code.into(),
            message: message.into(),
            request_id: None,
        }
    }

    #[test]
    fn kinds_tell_what_can_be_done() {
        for (code, message, kind) in [
            ("Throttling", "Rate exceeded", AwsErrorKind::Throttled),
            (
                "ValidationError",
                "Stack with id stepgate-x does not exist",
                AwsErrorKind::NotFound,
            ),
            ("ValidationError", "Template format error", AwsErrorKind::Invalid),
            (
                "AlreadyExistsException",
                "Stack [x] already exists",
                AwsErrorKind::AlreadyExists,
            ),
            ("AccessDenied", "no", AwsErrorKind::Denied),
            ("LimitExceededException", "stacks", AwsErrorKind::Quota),
            ("Timeout", "no answer in time", AwsErrorKind::Transient),
            ("SomethingNew", "?", AwsErrorKind::Invalid),
        ] {
            assert_eq!(error(code, message).kind(), kind, "{code}: {message}");
        }
    }

    #[test]
    fn only_waiting_helps_against_throttling_and_faults() {
        assert!(AwsErrorKind::Throttled.passes_by_itself() && AwsErrorKind::Transient.passes_by_itself());
        assert!(!AwsErrorKind::Denied.passes_by_itself() && !AwsErrorKind::Quota.passes_by_itself());
    }
}
