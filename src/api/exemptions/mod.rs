//! Exemptions of a tenant.

pub mod approve;
pub mod create;
pub mod get;
pub mod list;
pub mod revoke;

use super::operations::Operation;
use crate::{
    domain::{
        exemption::{self, ExemptionStage},
        user::UserSub,
    },
    ids::{AppId, ExemptionId, TenantId},
};
use chrono::{DateTime, Utc};
use serde::Serialize;

/// A time-limited pass without a step-up.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Exemption {
    /// Its id; tokens that rest on it name it in `stepup_exempt`.
    pub id: ExemptionId,
    /// Tenant it belongs to.
    pub tenant_id: TenantId,
    /// App it is for.
    pub app_id: AppId,
    /// User it is for; `null` means everybody at the app.
    pub user_sub: Option<UserSub>,
    /// Why, in the words of who asked.
    pub reason: String,
    /// How long it lasts from its approval, min.
    #[schema(minimum = 1, maximum = 1440)]
    pub duration_min: u32,
    /// Where it is in its life.
    pub state: ExemptionStage,
    /// Id of the API key that asked.
    pub asked_by: String,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// Id of the API key that approved, another one.
    pub approved_by: Option<String>,
    /// When it was approved.
    pub approved_at: Option<DateTime<Utc>>,
    /// When it ends by itself, on the second; set by the approval.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked, or seen to have expired.
    pub ended_at: Option<DateTime<Utc>>,
}

impl From<exemption::Exemption> for Exemption {
    fn from(exemption: exemption::Exemption) -> Self {
        let approval = exemption.state.approval();
        Self {
            approved_by: approval.map(|approval| approval.by.clone()),
            approved_at: approval.map(|approval| approval.at),
            expires_at: approval.map(|approval| approval.expires_at),
            ended_at: exemption.state.ended_at(),
            state: exemption.state.stage(),
            id: exemption.id,
            tenant_id: exemption.tenant_id,
            app_id: exemption.app_id,
            user_sub: exemption.user_sub,
            reason: exemption.reason,
            duration_min: exemption.duration_min,
            asked_by: exemption.asked_by,
            created_at: exemption.created_at,
        }
    }
}

/// An exemption and the operation that was opened for it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AcceptedExemption {
    /// The exemption as asked for.
    pub exemption: Exemption,
    /// The work that brings the triggers to it; warm ones follow within 30 s.
    pub operation: Operation,
}
