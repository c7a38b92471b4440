//! Step-up policies of apps.

pub mod diff_versions;
pub mod findings;
pub mod get;
pub mod get_version;
pub mod list_versions;
pub mod put;
pub mod rollback;
pub mod schema;
pub mod simulate;
pub mod validate;

use crate::{domain::policy::PolicyVersion, ids::AppId};
use chrono::{DateTime, Utc};
use serde::Serialize;
use step_up::policy::PolicyDocument;

/// A version of a policy.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Policy {
    /// App it belongs to.
    pub app_id: AppId,
    /// From 1, without gaps.
    #[schema(minimum = 1)]
    pub version: i64,
    /// The document.
    #[schema(value_type = put::PolicyBody)]
    pub document: PolicyDocument,
    /// Id of the API key that wrote it.
    pub author: String,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// Whether the triggers were brought to it; warm ones follow within 30 s.
    pub in_force: bool,
}

impl From<PolicyVersion> for Policy {
    fn from(version: PolicyVersion) -> Self {
        Self {
            app_id: version.app_id,
            version: version.version,
            document: version.document,
            author: version.author,
            created_at: version.created_at,
            in_force: version.in_force,
        }
    }
}

/// The `ETag` of a version.
fn etag(version: i64) -> (&'static str, String) {
    ("etag", format!("\"{version}\""))
}
