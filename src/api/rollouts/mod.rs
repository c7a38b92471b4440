//! Rollouts: tenants are brought to another release, some first, and back when it does harm.

pub mod cancel;
pub mod create;
pub mod get;
pub mod list;
pub mod pause;
pub mod resume;

use crate::{
    domain::rollout::{Health, Plan, Remark, RolloutState, Stopped, TenantStage},
    ids::{CellId, RolloutId},
    usecases::rollouts::Progress,
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::collections::BTreeMap;

/// A rollout and how far it is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Rollout {
    /// Its id.
    pub id: RolloutId,
    /// Release that tenants are brought to.
    #[schema(example = "0.4.0-3fa9c1d2")]
    pub release: String,
    /// Its cells.
    pub cell_ids: Vec<CellId>,
    /// What was asked for.
    pub plan: Plan,
    /// How far it is.
    pub state: RolloutState,
    /// Wave under way, from 0, the canary.
    #[schema(minimum = 0)]
    pub wave: u32,
    /// Its waves.
    pub waves: Vec<Wave>,
    /// Since when every tenant of the wave is settled and is watched.
    pub soaking_since: Option<DateTime<Utc>>,
    /// Steps-up of the updated tenants, before and since.
    pub health: Option<Health>,
    /// Why it is taken back.
    pub stopped: Option<Stopped>,
    /// Tenants of which there is something to tell: the first 50.
    pub remarks: Vec<Remark>,
    /// Who began it.
    #[schema(example = "key_01jd7v0p3h8s5k2m4n6q9r1t0w")]
    pub created_by: String,
    /// When it was begun.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// A wave of a rollout.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Wave {
    /// Its number, from 0, the canary.
    #[schema(minimum = 0)]
    pub wave: u32,
    /// Tenants in it.
    #[schema(minimum = 0)]
    pub tenants: u32,
    /// How many of them are at which stage; stages without any are left out.
    #[schema(value_type = std::collections::BTreeMap<String, u32>, example = json!({"updated": 9, "probing": 1}))]
    pub stages: BTreeMap<&'static str, u32>,
}

impl Wave {
    fn all(stages: &[(u32, TenantStage, u32)]) -> Vec<Self> {
        let mut waves: BTreeMap<u32, BTreeMap<&'static str, u32>> = BTreeMap::new();
        for (wave, stage, count) in stages {
            waves.entry(*wave).or_default().insert(stage.as_str(), *count);
        }
        let wave = |(wave, stages): (u32, BTreeMap<&'static str, u32>)| Self {
            wave,
            tenants: stages.values().sum(),
            stages,
        };
        waves.into_iter().map(wave).collect()
    }
}

impl From<Progress> for Rollout {
    fn from(progress: Progress) -> Self {
        let Progress {
            rollout,
            stages,
            remarks,
        } = progress;
        Self {
            id: rollout.id,
            release: rollout.release,
            cell_ids: rollout.cells.into_iter().map(|(cell, _)| cell).collect(),
            plan: rollout.plan,
            state: rollout.state,
            wave: rollout.wave,
            waves: Wave::all(&stages),
            soaking_since: rollout.soaking_since,
            health: rollout.health,
            stopped: rollout.stopped,
            remarks,
            created_by: rollout.created_by,
            created_at: rollout.created_at,
            updated_at: rollout.updated_at,
            finished_at: rollout.finished_at,
        }
    }
}
