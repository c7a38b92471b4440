//! What of a tenant and of its apps only the control plane needs to know, beside what the triggers are told of them.
//!
//! The worker writes it where it writes that, and nobody on the sign-in path reads it: it is there for the day on which
//! the database is lost ([`crate::provisioning::rebuild`]). No secrets, nothing of any user.

use super::{app::AppSettings, pool::PoolSettings, tenant::Labels};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Of a tenant; in its settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TenantRegistration {
    /// Name for people.
    pub name: String,
    /// What the partner's own system calls it.
    pub external_id: Option<String>,
    /// Names and values of the partner's choosing.
    pub labels: Labels,
    /// Settings of its pool.
    pub pool: PoolSettings,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// Of an app; beside its policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppRegistration {
    /// Name for people.
    pub name: String,
    /// Its settings.
    pub settings: AppSettings,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}
