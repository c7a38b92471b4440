//! What is asked of a rollout, and how its tenants are shared out.

use super::super::{
    object::objects_only,
    tenant::{Labels, validate_labels},
    validation::Problems,
};
use super::gate::Gate;
use serde::{Deserialize, Serialize};

/// Waves after the canary, at most.
pub const MAX_WAVES: usize = 20;
/// Cells of a rollout, at most.
pub const MAX_CELLS: usize = 100;
/// Tenants of the canary, at most.
const MAX_CANARY: u32 = 1_000;
/// Longest soak, s: a week.
const MAX_SOAK_S: u32 = 604_800;

/// How a rollout goes about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields, default)]
pub struct Plan {
    /// Labels that a tenant must have, with these values; by default every tenant of the cells.
    #[schema(value_type = std::collections::BTreeMap<String, String>, example = json!({"plan": "gold"}))]
    pub labels: Labels,
    /// Tenants that go first. Sandboxes are taken before others.
    #[schema(minimum = 1, maximum = 1000)]
    pub canary: u32,
    /// Sizes of the waves after the canary, in percent of the rest; they add up to 100.
    #[schema(min_items = 1, max_items = 20)]
    pub wave_percents: Vec<u32>,
    /// How long each wave is watched before the next begins, s.
    #[schema(minimum = 0, maximum = 604_800)]
    pub soak_s: u32,
    /// When it is stopped and taken back.
    pub gate: Gate,
}

objects_only!(Plan and Serialize);

impl Default for Plan {
    fn default() -> Self {
        Self {
            labels: Labels::new(),
            canary: 1,
            wave_percents: vec![10, 30, 60],
            soak_s: 900,
            gate: Gate::default(),
        }
    }
}

impl Plan {
    /// Checks what an operator gives.
    pub fn validate(&self, problems: &mut Problems) {
        validate_labels(&self.labels, problems);
        problems.range("/canary", self.canary, 1..=MAX_CANARY);
        problems.require(
            (1..=MAX_WAVES).contains(&self.wave_percents.len()),
            "/wave_percents",
            "wrong_length",
            "must have 1 to 20 items",
        );
        for (index, percent) in self.wave_percents.iter().enumerate().take(MAX_WAVES) {
            problems.range(&format!("/wave_percents/{index}"), *percent, 1..=100);
        }
        let sum: u64 = self.wave_percents.iter().map(|percent| u64::from(*percent)).sum();
        problems.require(sum == 100, "/wave_percents", "wrong_sum", "must add up to 100");
        problems.range("/soak_s", self.soak_s, 0..=MAX_SOAK_S);
        problems.within("/gate", |problems| self.gate.validate(problems));
    }

    /// Whether it is for every tenant of its cells, so that new ones get its release from then on.
    pub fn takes_everybody(&self) -> bool {
        self.labels.is_empty()
    }
}

/// How many of `total` tenants go in which wave, the canary first. No wave is empty, and nobody is left over.
pub fn wave_sizes(total: u32, plan: &Plan) -> Vec<u32> {
    let canary = plan.canary.min(total);
    let rest = u64::from(total - canary);
    let mut sizes = vec![canary];
    let (mut percent, mut placed) = (0_u64, 0_u64);
    for wave in &plan.wave_percents {
        percent += u64::from(*wave);
        // Rounded up, so that a small fleet is not kept for the last wave.
        let until = (rest * percent).div_ceil(100).min(rest);
        sizes.push(u32::try_from(until - placed).unwrap_or(u32::MAX));
        placed = until;
    }
    sizes.retain(|size| *size > 0);
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plan(canary: u32, wave_percents: &[u32]) -> Plan {
        Plan {
            canary,
            wave_percents: wave_percents.to_vec(),
            ..Plan::default()
        }
    }

    #[test]
    fn waves_are_what_was_asked() {
        assert_eq!(wave_sizes(101, &plan(1, &[10, 30, 60])), [1, 10, 30, 60]);
        assert_eq!(wave_sizes(4, &plan(1, &[50, 50])), [1, 2, 1]);
        assert_eq!(wave_sizes(1, &plan(5, &[100])), [1]);
        assert!(wave_sizes(0, &plan(1, &[100])).is_empty());
    }

    #[test]
    fn what_does_not_add_up_is_refused_with_its_place() {
        let found = |plan: &Plan| {
            let mut problems = Problems::new();
            plan.validate(&mut problems);
            let refused = problems.finish().err();
            refused.map(|error| {
                error
                    .fields()
                    .iter()
                    .map(|field| field.pointer.clone())
                    .collect::<Vec<_>>()
            })
        };
        assert_eq!(found(&Plan::default()), None);
        assert_eq!(found(&plan(0, &[50, 51])).unwrap(), ["/canary", "/wave_percents"]);
        assert_eq!(
            found(&plan(1, &[])).unwrap(),
            ["/wave_percents", "/wave_percents"]
        );
        assert_eq!(found(&plan(1, &[0, 100])).unwrap(), ["/wave_percents/0"]);
    }

    proptest! {
        #[test]
        fn nobody_is_left_over_and_no_wave_is_empty(total in 0_u32..100_000, canary in 1_u32..1_000, cut in 1_u32..100) {
            let sizes = wave_sizes(total, &plan(canary, &[cut, 100 - cut]));
            prop_assert_eq!(sizes.iter().sum::<u32>(), total);
            prop_assert!(sizes.iter().all(|size| *size > 0));
            prop_assert!(sizes.first().is_none_or(|first| *first == canary.min(total)));
            prop_assert!(sizes.len() <= 3);
        }
    }
}
