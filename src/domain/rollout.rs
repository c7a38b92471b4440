//! A rollout: tenants are brought to another release, a few first, then more, and back when it does harm.
//!
//! What comes next is decided by [`next`], a pure function of the rollout's row and of what is seen of its tenants. The
//! worker carries it out, one transaction a move, so that it may be killed between any two.

mod gate;
mod machine;
mod waves;

pub use gate::{Health, ProbeOutcome, Rate, compare_probes};
pub use machine::{Move, Seen, Stages, next};
pub use waves::{MAX_CELLS, MAX_WAVES, Plan, wave_sizes};

use super::text_enum;
use crate::ids::{CellId, ReleaseId, RolloutId, TenantId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

text_enum! {
    /// How far a rollout is.
    RolloutState {
        /// Tenants are brought to the release, or watched.
        Running => "running",
        /// No further tenant is taken up. Those under way end, and the gate still stops it.
        Paused => "paused",
        /// Tenants are brought back to what they ran before.
        RollingBack => "rolling_back",
        /// Every tenant runs the release.
        Succeeded => "succeeded",
        /// It was taken back.
        RolledBack => "rolled_back",
        /// It was ended by hand, and tenants were left with what they ran then.
        Cancelled => "cancelled",
    }
}

impl RolloutState {
    /// Whether nothing will change any more.
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::RolledBack | Self::Cancelled)
    }
}

text_enum! {
    /// How far a tenant is in a rollout.
    TenantStage {
        /// Not taken up yet.
        Pending => "pending",
        /// Its functions are asked how they do before they are changed.
        Starting => "starting",
        /// Its stack is being changed.
        Updating => "updating",
        /// Its functions are asked how they do now.
        Probing => "probing",
        /// It runs the release and its functions answer.
        Updated => "updated",
        /// It could not be changed, or its functions do not answer any more.
        Failed => "failed",
        /// It was left out: being deleted, without a stack, or failing before.
        Skipped => "skipped",
        /// It is being brought back to what it ran before.
        Returning => "returning",
        /// It runs what it ran before.
        Returned => "returned",
        /// It could not be brought back yet; the reconciler goes on trying.
        ReturnFailed => "return_failed",
    }
}

impl TenantStage {
    /// Every stage.
    pub const ALL: [Self; 10] = [
        Self::Pending,
        Self::Starting,
        Self::Updating,
        Self::Probing,
        Self::Updated,
        Self::Failed,
        Self::Skipped,
        Self::Returning,
        Self::Returned,
        Self::ReturnFailed,
    ];

    /// Whether the tenant may hold something of the new release.
    pub const fn is_touched(self) -> bool {
        matches!(
            self,
            Self::Updating | Self::Probing | Self::Updated | Self::Failed
        )
    }
}

text_enum! {
    /// Why a rollout is taken back.
    StopCode {
        /// More tenants than the gate allows could not be changed, or do not answer since.
        TenantsFailed => "tenants_failed",
        /// Steps-up succeed less often than before, or than the gate asks.
        StepUpsFail => "step_ups_fail",
        /// Somebody asked for it.
        Asked => "asked",
    }
}

/// Why a rollout is taken back, and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Stopped {
    /// Which reason.
    pub code: StopCode,
    /// What was seen, or who asked why.
    pub detail: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// A tenant of which there is something to tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Remark {
    /// The tenant.
    pub tenant_id: TenantId,
    /// How far it is.
    pub stage: TenantStage,
    /// What there is to tell.
    pub detail: String,
}

/// A rollout.
#[derive(Debug, Clone, PartialEq)]
pub struct Rollout {
    /// Its id.
    pub id: RolloutId,
    /// Name of the release that tenants are brought to.
    pub release: String,
    /// Its cells, and the release there.
    pub cells: Vec<(CellId, ReleaseId)>,
    /// What was asked for.
    pub plan: Plan,
    /// How far it is.
    pub state: RolloutState,
    /// Wave under way, from 0.
    pub wave: u32,
    /// Waves that there are.
    pub waves: u32,
    /// Since when the wave is watched.
    pub soaking_since: Option<DateTime<Utc>>,
    /// Steps-up before and after, as last looked at.
    pub health: Option<Health>,
    /// Why it is taken back.
    pub stopped: Option<Stopped>,
    /// Who began it.
    pub created_by: String,
    /// When it was begun.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}
