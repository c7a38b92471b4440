//! Findings of validation, as answers show them.

use serde::Serialize;
use step_up::policy;

/// One thing that is wrong with a policy, or worth knowing.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PolicyFinding)]
pub struct Finding {
    /// JSON pointer (RFC 6901) into the document.
    pub pointer: String,
    /// Id of the rule; `default` for the default; absent when it concerns the document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Stable code.
    #[schema(example = "unknown_method")]
    pub code: String,
    /// For people.
    pub message: String,
}

impl From<policy::Finding> for Finding {
    fn from(finding: policy::Finding) -> Self {
        Self {
            pointer: finding.pointer,
            rule: finding.rule,
            code: finding.code.into_owned(),
            message: finding.message,
        }
    }
}

/// All of them, in order.
pub(super) fn all(findings: Vec<policy::Finding>) -> Vec<Finding> {
    findings.into_iter().map(Finding::from).collect()
}
