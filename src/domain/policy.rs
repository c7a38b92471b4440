//! Versions of an app's policy. The document itself and its rules are the `step-up` crate's.

use crate::ids::AppId;
use chrono::{DateTime, Utc};
use step_up::policy::PolicyDocument;

/// A stored version without its document, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyVersionHead {
    /// From 1, without gaps.
    pub version: i64,
    /// Id of the API key that wrote it.
    pub author: String,
    /// When it was written.
    pub created_at: DateTime<Utc>,
}

/// A stored version of a policy.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyVersion {
    /// App it belongs to.
    pub app_id: AppId,
    /// From 1, without gaps.
    pub version: i64,
    /// The document, as it was accepted.
    pub document: PolicyDocument,
    /// Id of the API key that wrote it.
    pub author: String,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// Whether the triggers were brought to it.
    pub in_force: bool,
}
