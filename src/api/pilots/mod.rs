//! Pilot step-ups: an administrator steps up once with a method, so that what the provider returns is learned.

pub mod complete;
pub mod create;
pub mod get;

use super::methods::ObservedMethod;
use crate::{
    domain::pilot::{self, PilotOutcome, PilotRefusal},
    ids::{PilotId, TenantId},
};
use chrono::{DateTime, Utc};
use serde::Serialize;

/// A pilot step-up.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Pilot {
    /// Its id.
    pub id: PilotId,
    /// Tenant whose provider is asked.
    pub tenant_id: TenantId,
    /// ACR value of the method.
    #[schema(example = "liveID push")]
    pub method: String,
    /// `open`: takes an answer. `exchanging`: took one. `learned` and `refused`: ended. `expired`: took none in time.
    #[schema(pattern = "^(open|exchanging|learned|refused|expired)$")]
    pub state: &'static str,
    /// What the provider returned, when it is `learned`.
    pub observed: Option<ObservedMethod>,
    /// Why nothing was learned, when it is `refused`.
    pub refusal: Option<PilotRefusal>,
    /// When it was begun.
    pub created_at: DateTime<Utc>,
    /// When it takes no answer any more.
    pub expires_at: DateTime<Utc>,
}

impl Pilot {
    /// A pilot as it is now.
    fn at(pilot: pilot::Pilot, now: DateTime<Utc>) -> Self {
        let state = pilot.state_at(now);
        let (observed, refusal) = match pilot.outcome {
            Some(PilotOutcome::Learned(observed)) => (Some(observed.into()), None),
            Some(PilotOutcome::Refused(refusal)) => (None, Some(refusal)),
            None => (None, None),
        };
        Self {
            id: pilot.id,
            tenant_id: pilot.tenant_id,
            method: pilot.method,
            state,
            observed,
            refusal,
            created_at: pilot.created_at,
            expires_at: pilot.expires_at,
        }
    }
}
