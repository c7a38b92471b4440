//! Versions of an app's policy. The document itself and its rules are the `step-up` crate's.

use crate::ids::AppId;
use chrono::{DateTime, Utc};
use step_up::policy::PolicyDocument;

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

/// The policy of an app for which none was given: everybody steps up, with any shipped method.
pub fn default_document() -> PolicyDocument {
    let methods = ["liveID push", "otp", "otp sms", "otp email"];
    PolicyDocument {
        schema_version: step_up::policy::POLICY_SCHEMA_VERSION,
        rules: Vec::new(),
        default: step_up::policy::Outcome::Required(step_up::policy::Requirement {
            methods: methods.map(str::to_owned).to_vec(),
            min_aal: None,
            phishing_resistant: false,
            min_ial: None,
            attempts: 2,
            challenge_open_s: None,
            max_age_min: None,
            binding: step_up::policy::Binding::default(),
            subject_link: step_up::policy::SubjectLink::default(),
            subject_attribute: "username".to_owned(),
        }),
    }
}
