//! What comes next in a rollout. Pure: a row, what is seen of its tenants, the time.

use super::{Health, Rollout, RolloutState, StopCode, TenantStage};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;

/// How many tenants are at which stage.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stages(BTreeMap<&'static str, u32>);

impl Stages {
    /// Adds tenants at a stage.
    pub fn add(&mut self, stage: TenantStage, count: u32) {
        *self.0.entry(stage.as_str()).or_default() += count;
    }

    /// Tenants at a stage.
    pub fn of(&self, stage: TenantStage) -> u32 {
        self.0.get(stage.as_str()).copied().unwrap_or_default()
    }

    fn any(&self, which: impl Fn(TenantStage) -> bool) -> bool {
        TenantStage::ALL
            .into_iter()
            .any(|stage| which(stage) && self.of(stage) > 0)
    }
}

/// What is seen of the tenants of a rollout.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Those of the wave under way.
    pub wave: Stages,
    /// All of them.
    pub all: Stages,
    /// Steps-up of the updated ones.
    pub health: Health,
    /// Tenants of the cells that are not among them and run something else; none where the rollout is for some only.
    pub strays: u32,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// Nothing at this moment.
    Wait,
    /// Take tenants of the wave up.
    Start,
    /// Watch the wave from now on.
    Soak,
    /// Go on to the next wave.
    Advance,
    /// Make a further wave of the tenants that came meanwhile.
    TakeIn,
    /// End it: every tenant runs the release.
    Succeed,
    /// Stop it and begin to take it back.
    Stop {
        /// Why.
        code: StopCode,
        /// What was seen.
        detail: String,
    },
    /// Begin to bring tenants back.
    Return,
    /// End it: every tenant is back, or is left to the reconciler.
    Returned,
}

/// Decides what comes next. Total; a rollout that has ended waits for ever.
pub fn next(rollout: &Rollout, seen: &Seen, now: DateTime<Utc>) -> Move {
    match rollout.state {
        RolloutState::Running => running(rollout, seen, now),
        RolloutState::Paused => harm(rollout, seen).unwrap_or(Move::Wait),
        RolloutState::RollingBack => rolling_back(seen),
        RolloutState::Succeeded | RolloutState::RolledBack | RolloutState::Cancelled => Move::Wait,
    }
}

fn harm(rollout: &Rollout, seen: &Seen) -> Option<Move> {
    let gate = &rollout.plan.gate;
    let failed = seen.all.of(TenantStage::Failed);
    if failed > gate.max_failed_tenants {
        return Some(Move::Stop {
            code: StopCode::TenantsFailed,
            detail: format!(
                "{failed} tenants could not be updated or do not answer since; the gate allows {}.",
                gate.max_failed_tenants
            ),
        });
    }
    seen.health.trouble(gate).map(|detail| Move::Stop {
        code: StopCode::StepUpsFail,
        detail,
    })
}

fn running(rollout: &Rollout, seen: &Seen, now: DateTime<Utc>) -> Move {
    if let Some(stop) = harm(rollout, seen) {
        return stop;
    }
    let is_under_way = |stage| {
        matches!(
            stage,
            TenantStage::Starting | TenantStage::Updating | TenantStage::Probing
        )
    };
    if seen.wave.of(TenantStage::Pending) > 0 {
        return Move::Start;
    }
    if seen.wave.any(is_under_way) {
        return Move::Wait;
    }
    if rollout.waves > 0 {
        let Some(since) = rollout.soaking_since else {
            return Move::Soak;
        };
        if now < since + TimeDelta::seconds(i64::from(rollout.plan.soak_s)) {
            return Move::Wait;
        }
    }
    if rollout.wave + 1 < rollout.waves {
        Move::Advance
    } else if seen.strays > 0 {
        Move::TakeIn
    } else {
        Move::Succeed
    }
}

fn rolling_back(seen: &Seen) -> Move {
    let is_to_return = |stage: TenantStage| {
        stage.is_touched() || matches!(stage, TenantStage::Pending | TenantStage::Starting)
    };
    if seen.all.any(is_to_return) {
        Move::Return
    } else if seen.all.of(TenantStage::Returning) > 0 {
        Move::Wait
    } else {
        Move::Returned
    }
}

#[cfg(test)]
mod tests;
