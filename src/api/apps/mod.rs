//! Apps of a tenant.

pub mod create;
pub mod delete;
pub mod get;
pub mod integration;
pub mod list;
pub mod snippets;
pub mod update;

use crate::{
    domain::app::{self, AppSettings},
    ids::{AppId, TenantId},
};
use chrono::{DateTime, Utc};
use serde::Serialize;

/// A customer application: an app client and a step-up policy.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct App {
    /// Its id.
    pub id: AppId,
    /// Tenant it belongs to.
    pub tenant_id: TenantId,
    /// Name for people, unique in the tenant.
    #[schema(example = "Portal")]
    pub name: String,
    /// Cognito app client id, once there is one.
    #[schema(example = "4k1ni9m0f3v0l2c1u8d7e6p5q4")]
    pub client_id: Option<String>,
    /// Settings.
    #[serde(flatten)]
    pub settings: AppSettings,
    /// Newest version of its policy.
    pub policy_version: i64,
    /// Grows with every change of name and settings; its `ETag`.
    #[schema(minimum = 1)]
    pub revision: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl From<app::App> for App {
    fn from(app: app::App) -> Self {
        Self {
            id: app.id,
            tenant_id: app.tenant_id,
            name: app.name,
            client_id: app.client_id,
            settings: app.settings,
            policy_version: app.policy_version,
            revision: app.revision,
            created_at: app.created_at,
            updated_at: app.updated_at,
        }
    }
}

/// The `ETag` of a revision.
fn etag(revision: i64) -> (&'static str, String) {
    ("etag", format!("\"{revision}\""))
}
