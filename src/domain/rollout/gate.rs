//! When a rollout does harm: what functions answer, and how often steps-up succeed.

use super::super::{object::objects_only, validation::Problems};
use serde::{Deserialize, Serialize};

/// Largest smallest sample.
const MAX_SAMPLE: u32 = 1_000_000;
/// Most tenants that may fail.
const MAX_FAILED: u32 = 10_000;

/// When a rollout is stopped and taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields, default)]
pub struct Gate {
    /// Tenants that may fail to be changed, or to answer afterwards.
    #[schema(minimum = 0, maximum = 10_000)]
    pub max_failed_tenants: u32,
    /// Steps-up that must have ended before their rate says anything.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub min_step_ups: u32,
    /// How much the success rate of the updated tenants may be below what it was in the day before, in percentage points.
    #[schema(minimum = 0, maximum = 100)]
    pub max_success_drop_points: u32,
    /// Success rate that there must be in any case, percent; 0 asks for none.
    #[schema(minimum = 0, maximum = 100)]
    pub min_success_percent: u32,
}

objects_only!(Gate and Serialize);

impl Default for Gate {
    fn default() -> Self {
        Self {
            max_failed_tenants: 0,
            min_step_ups: 20,
            max_success_drop_points: 5,
            min_success_percent: 0,
        }
    }
}

impl Gate {
    pub(super) fn validate(&self, problems: &mut Problems) {
        problems.range("/max_failed_tenants", self.max_failed_tenants, 0..=MAX_FAILED);
        problems.range("/min_step_ups", self.min_step_ups, 1..=MAX_SAMPLE);
        problems.range("/max_success_drop_points", self.max_success_drop_points, 0..=100);
        problems.range("/min_success_percent", self.min_success_percent, 0..=100);
    }
}

/// Steps-up that ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Rate {
    /// With a success.
    #[schema(minimum = 0)]
    pub succeeded: u64,
    /// Otherwise: refusals, and journeys that were not answered before their session ended.
    #[schema(minimum = 0)]
    pub failed: u64,
}

impl Rate {
    const fn total(self) -> u64 {
        self.succeeded.saturating_add(self.failed)
    }

    fn percent(self) -> u64 {
        (self.succeeded * 100)
            .checked_div(self.total())
            .unwrap_or_default()
    }
}

/// Steps-up of the tenants that were updated: in the day before that, and since.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Health {
    /// In the day before.
    pub before: Rate,
    /// Since.
    pub after: Rate,
}

impl Health {
    /// What is wrong, if the gate does not let it pass. Too few steps-up say nothing.
    pub fn trouble(&self, gate: &Gate) -> Option<String> {
        let Self { before, after } = *self;
        let least = u64::from(gate.min_step_ups);
        if after.total() < least {
            return None;
        }
        if after.succeeded * 100 < u64::from(gate.min_success_percent) * after.total() {
            return Some(format!(
                "{} of {} steps-up succeeded since the update, {} %: the gate asks for {} %.",
                after.succeeded,
                after.total(),
                after.percent(),
                gate.min_success_percent
            ));
        }
        // before% - after% > points, without fractions.
        let fell_by = u128::from(before.succeeded) * u128::from(after.total());
        let allowed = u128::from(after.succeeded) * u128::from(before.total())
            + u128::from(gate.max_success_drop_points)
                * u128::from(before.total())
                * u128::from(after.total())
                / 100;
        (before.total() >= least && fell_by > allowed).then(|| {
            format!(
                "{} % of {} steps-up succeeded since the update, {} % of {} in the day before: the gate allows a drop by {} points.",
                after.percent(),
                after.total(),
                before.percent(),
                before.total(),
                gate.max_success_drop_points
            )
        })
    }
}

/// What the functions of a tenant answered when they were asked how they do; `None` is no answer at all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeOutcome {
    /// The function `challenge`.
    pub challenge: Option<String>,
    /// The function `verify`.
    pub verify: Option<String>,
}

impl ProbeOutcome {
    /// What a `challenge` in order answers.
    pub const CHALLENGE_GOOD: &str = "asks_for_the_password";
    /// What a `verify` in order answers: the provider got past the client and refused a made-up code.
    pub const VERIFY_GOOD: &str = "invalid_grant";
}

/// Why functions that were changed are worse off than before. What was wrong before (a provider that is away, a tenant
/// that is suspended) is not held against the release; no answer always is.
pub fn compare_probes(before: &ProbeOutcome, after: &ProbeOutcome) -> Result<(), String> {
    for (name, good, before, after) in [
        (
            "challenge",
            ProbeOutcome::CHALLENGE_GOOD,
            &before.challenge,
            &after.challenge,
        ),
        ("verify", ProbeOutcome::VERIFY_GOOD, &before.verify, &after.verify),
    ] {
        match after {
            None => return Err(format!("The function {name} fails since the update.")),
            Some(now) if now == good || before.as_ref() == Some(now) => {}
            Some(now) => {
                let before = before.as_deref().unwrap_or("nothing");
                return Err(format!(
                    "The function {name} answers {now} since the update; before it answered {before}."
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn health(before: (u64, u64), after: (u64, u64)) -> Health {
        let rate = |(succeeded, failed)| Rate { succeeded, failed };
        Health {
            before: rate(before),
            after: rate(after),
        }
    }

    #[test]
    fn a_drop_is_trouble_and_too_few_steps_up_are_none() {
        let gate = Gate::default();
        for (health, trouble) in [
            (health((95, 5), (95, 5)), false),
            (health((95, 5), (90, 10)), false),
            (health((95, 5), (89, 11)), true),
            (health((95, 5), (0, 19)), false),
            (health((95, 5), (0, 20)), true),
            // Nothing to compare with.
            (health((19, 0), (0, 20)), false),
        ] {
            assert_eq!(health.trouble(&gate).is_some(), trouble, "{health:?}");
        }
        let strict = Gate {
            min_success_percent: 50,
            ..gate
        };
        assert!(health((0, 0), (9, 11)).trouble(&strict).is_some());
        assert!(health((0, 0), (10, 10)).trouble(&strict).is_none());
    }

    #[test]
    fn what_was_wrong_before_is_not_held_against_the_release_but_silence_is() {
        let told = |challenge: Option<&str>, verify: Option<&str>| ProbeOutcome {
            challenge: challenge.map(str::to_owned),
            verify: verify.map(str::to_owned),
        };
        let good = told(
            Some(ProbeOutcome::CHALLENGE_GOOD),
            Some(ProbeOutcome::VERIFY_GOOD),
        );
        assert!(compare_probes(&good, &good).is_ok());
        assert!(compare_probes(&told(None, None), &good).is_ok(), "mended");
        let away = told(Some(ProbeOutcome::CHALLENGE_GOOD), Some("unreachable"));
        assert!(compare_probes(&away, &away).is_ok());
        assert!(
            compare_probes(&good, &away)
                .unwrap_err()
                .contains("verify answers unreachable")
        );
        for silent in [
            told(None, Some("invalid_grant")),
            told(Some(ProbeOutcome::CHALLENGE_GOOD), None),
        ] {
            assert!(compare_probes(&silent, &silent).is_err());
        }
    }

    proptest! {
        #[test]
        fn a_rate_that_is_no_worse_is_never_trouble(succeeded in 0_u64..10_000, failed in 0_u64..10_000, more in 0_u64..1_000) {
            let better = health((succeeded, failed), (succeeded + more, failed));
            prop_assert_eq!(better.trouble(&Gate { max_success_drop_points: 0, ..Gate::default() }), None);
        }
    }
}
