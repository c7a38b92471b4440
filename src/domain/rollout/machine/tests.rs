//! Every rollout ends: tried with tenants that succeed, fail or linger at each stage, with pauses and stops in between.

use super::super::{Plan, Rate, Stopped, wave_sizes};
use super::*;
use crate::ids::{IdSource, RolloutId};
use proptest::prelude::*;

fn rollout(total: u32, plan: Plan) -> Rollout {
    let at = DateTime::from_timestamp(1_767_607_200, 0).unwrap();
    Rollout {
        id: RolloutId::generate(&IdSource::seeded(1), at),
        release: "1-0".into(),
        cells: Vec::new(),
        waves: u32::try_from(wave_sizes(total, &plan).len()).unwrap(),
        plan,
        state: RolloutState::Running,
        wave: 0,
        soaking_since: None,
        health: None,
        stopped: None,
        created_by: "key".into(),
        created_at: at,
        updated_at: at,
        finished_at: None,
    }
}

fn stages(of: &[(TenantStage, u32)]) -> Stages {
    let mut stages = Stages::default();
    for (stage, count) in of {
        stages.add(*stage, *count);
    }
    stages
}

/// What is seen when the wave is all there is.
fn seen(of: &[(TenantStage, u32)]) -> Seen {
    Seen {
        wave: stages(of),
        all: stages(of),
        ..Seen::default()
    }
}

#[test]
fn a_wave_is_taken_up_waited_for_watched_and_left() {
    let mut rollout = rollout(10, Plan::default());
    let now = rollout.created_at;
    assert_eq!(
        next(&rollout, &seen(&[(TenantStage::Pending, 1)]), now),
        Move::Start
    );
    for stage in [TenantStage::Starting, TenantStage::Updating, TenantStage::Probing] {
        assert_eq!(
            next(&rollout, &seen(&[(stage, 1), (TenantStage::Updated, 3)]), now),
            Move::Wait
        );
    }
    let settled = seen(&[(TenantStage::Updated, 1), (TenantStage::Skipped, 1)]);
    assert_eq!(next(&rollout, &settled, now), Move::Soak);
    rollout.soaking_since = Some(now);
    assert_eq!(
        next(&rollout, &settled, now + TimeDelta::seconds(899)),
        Move::Wait
    );
    assert_eq!(
        next(&rollout, &settled, now + TimeDelta::seconds(900)),
        Move::Advance
    );
    rollout.wave = rollout.waves - 1;
    let later = now + TimeDelta::seconds(900);
    assert_eq!(next(&rollout, &settled, later), Move::Succeed);
    let strays = Seen { strays: 2, ..settled };
    assert_eq!(next(&rollout, &strays, later), Move::TakeIn);
}

#[test]
fn harm_stops_a_rollout_whatever_it_is_at_also_when_it_is_paused() {
    let failing = Seen {
        health: Health {
            before: Rate {
                succeeded: 100,
                failed: 0,
            },
            after: Rate {
                succeeded: 10,
                failed: 10,
            },
        },
        ..seen(&[(TenantStage::Updated, 1)])
    };
    for state in [RolloutState::Running, RolloutState::Paused] {
        let rollout = Rollout {
            state,
            ..rollout(10, Plan::default())
        };
        for (seen, expected) in [
            (
                seen(&[(TenantStage::Failed, 1), (TenantStage::Pending, 9)]),
                StopCode::TenantsFailed,
            ),
            (failing.clone(), StopCode::StepUpsFail),
        ] {
            match next(&rollout, &seen, rollout.created_at) {
                Move::Stop { code, .. } => assert_eq!(code, expected),
                other => panic!("{other:?}"),
            }
        }
    }
    let mut lenient = rollout(10, Plan::default());
    lenient.plan.gate.max_failed_tenants = 1;
    let one = seen(&[(TenantStage::Failed, 1), (TenantStage::Pending, 9)]);
    assert_eq!(next(&lenient, &one, lenient.created_at), Move::Start);
}

#[test]
fn a_paused_rollout_takes_nobody_up_and_one_that_has_ended_does_nothing() {
    let pending = seen(&[(TenantStage::Pending, 3)]);
    for state in [
        RolloutState::Paused,
        RolloutState::Succeeded,
        RolloutState::RolledBack,
        RolloutState::Cancelled,
    ] {
        let rollout = Rollout {
            state,
            ..rollout(3, Plan::default())
        };
        assert_eq!(
            next(&rollout, &pending, rollout.created_at),
            Move::Wait,
            "{state}"
        );
    }
}

#[test]
fn rolling_back_leaves_nobody_with_the_new_release() {
    let rollout = Rollout {
        state: RolloutState::RollingBack,
        ..rollout(3, Plan::default())
    };
    for stage in TenantStage::ALL {
        let expected = match stage {
            TenantStage::Returning => Move::Wait,
            TenantStage::Skipped | TenantStage::Returned | TenantStage::ReturnFailed => Move::Returned,
            _ => Move::Return,
        };
        assert_eq!(
            next(&rollout, &seen(&[(stage, 1)]), rollout.created_at),
            expected,
            "{stage}"
        );
        // Whatever else is there, one that holds it comes first.
        let with_updated = seen(&[(stage, 1), (TenantStage::Updated, 1)]);
        assert_eq!(
            next(&rollout, &with_updated, rollout.created_at),
            Move::Return,
            "{stage}"
        );
    }
}

/// A fleet in memory: carries moves out as the worker does, with every outcome that a tenant can have.
struct Fleet {
    rollout: Rollout,
    tenants: Vec<(u32, TenantStage)>,
    now: DateTime<Utc>,
}

impl Fleet {
    fn new(total: u32, plan: Plan) -> Self {
        let rollout = rollout(total, plan);
        let sizes = wave_sizes(total, &rollout.plan);
        let waves = sizes.iter().zip(0_u32..);
        let tenants = waves.flat_map(|(size, wave)| (0..*size).map(move |_| (wave, TenantStage::Pending)));
        Self {
            tenants: tenants.collect(),
            now: rollout.created_at,
            rollout,
        }
    }

    fn seen(&self) -> Seen {
        let mut seen = Seen::default();
        for (wave, stage) in &self.tenants {
            seen.all.add(*stage, 1);
            if *wave == self.rollout.wave {
                seen.wave.add(*stage, 1);
            }
        }
        seen
    }

    /// One look of the worker; `fate` says how tenants under way come out.
    fn look(&mut self, fate: u8) {
        for (index, (_, stage)) in self.tenants.iter_mut().enumerate() {
            let luck = fate
                .wrapping_mul(31)
                .wrapping_add(u8::try_from(index % 256).unwrap());
            *stage = match (*stage, luck % 8) {
                (stage, 0) => stage,
                (TenantStage::Updating | TenantStage::Probing, 1) if fate.is_multiple_of(4) => {
                    TenantStage::Failed
                }
                (TenantStage::Starting, 1) => TenantStage::Skipped,
                (TenantStage::Returning, 1) => TenantStage::ReturnFailed,
                (TenantStage::Starting, _) => TenantStage::Updating,
                (TenantStage::Updating, _) => TenantStage::Probing,
                (TenantStage::Probing, _) => TenantStage::Updated,
                (TenantStage::Returning, _) => TenantStage::Returned,
                (stage, _) => stage,
            };
        }
        let seen = self.seen();
        let rollout = &mut self.rollout;
        let wave = rollout.wave;
        match next(rollout, &seen, self.now) {
            Move::Wait | Move::TakeIn => {}
            Move::Start => {
                for (_, stage) in self.tenants.iter_mut().filter(|(of, _)| *of == wave) {
                    if *stage == TenantStage::Pending {
                        *stage = TenantStage::Starting;
                    }
                }
            }
            Move::Soak => rollout.soaking_since = Some(self.now),
            Move::Advance => (rollout.wave, rollout.soaking_since) = (wave + 1, None),
            Move::Succeed => rollout.state = RolloutState::Succeeded,
            Move::Stop { code, detail } => {
                let at = self.now;
                rollout.stopped = Some(Stopped { code, detail, at });
                rollout.state = RolloutState::RollingBack;
            }
            Move::Return => {
                for (_, stage) in &mut self.tenants {
                    *stage = match *stage {
                        TenantStage::Pending | TenantStage::Starting => TenantStage::Skipped,
                        stage if stage.is_touched() => TenantStage::Returning,
                        stage => stage,
                    };
                }
            }
            Move::Returned => rollout.state = RolloutState::RolledBack,
        }
        self.now += TimeDelta::seconds(600);
    }
}

proptest! {
    #[test]
    fn every_rollout_ends_and_no_later_wave_begins_before_the_one_before_is_settled(
        total in 0_u32..40, canary in 1_u32..5, cut in 1_u32..100, fates in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        let plan = Plan { canary, wave_percents: vec![cut, 100 - cut], ..Plan::default() };
        let mut fleet = Fleet::new(total, plan);
        for fate in fates.iter().cycle().take(400).chain([2, 3].iter().cycle().take(400)) {
            fleet.look(*fate);
            let wave = fleet.rollout.wave;
            for (of, stage) in &fleet.tenants {
                if fleet.rollout.state == RolloutState::Running {
                    prop_assert!(*of <= wave || *stage == TenantStage::Pending, "wave {of} at {stage} in wave {wave}");
                    let settled = matches!(stage, TenantStage::Updated | TenantStage::Skipped);
                    prop_assert!(*of >= wave || settled, "wave {of} left at {stage}");
                }
            }
        }
        prop_assert!(fleet.rollout.state.has_ended(), "{:?} {:?}", fleet.rollout, fleet.seen());
        for (_, stage) in &fleet.tenants {
            match fleet.rollout.state {
                RolloutState::Succeeded => {
                    prop_assert!(matches!(stage, TenantStage::Updated | TenantStage::Skipped));
                }
                _ => prop_assert!(!stage.is_touched(), "{stage} after a roll back"),
            }
        }
    }
}
