//! Alarms: what tenants are watched for, and what was raised.

pub mod get;
pub mod list;
pub mod put;

use crate::{
    domain::alarm::{Alarm, AlarmSettings, Thresholds},
    ids::TenantId,
};
use chrono::{DateTime, Utc};
use serde::Serialize;

/// What a tenant is watched for, and what of it is on.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct TenantAlarms {
    /// The tenant.
    pub tenant_id: TenantId,
    /// From 1.
    #[schema(minimum = 1)]
    pub version: i64,
    /// What is watched for.
    pub thresholds: Thresholds,
    /// When that was last changed; `null` while it is what every tenant begins with.
    pub updated_at: Option<DateTime<Utc>>,
    /// Alarms that are on.
    pub raised: Vec<Alarm>,
}

impl TenantAlarms {
    fn new(tenant_id: TenantId, (settings, raised): (AlarmSettings, Vec<Alarm>)) -> Self {
        Self {
            tenant_id,
            version: settings.version,
            thresholds: settings.thresholds,
            updated_at: settings.updated_at,
            raised,
        }
    }
}
