//! How many tenants a cell takes: AWS quotas of its account and region, and what is used of them.
//!
//! Use is counted from our own rows. What else lives in the account is the operator's to tell, by a quota that is
//! smaller by as much.

use super::super::{object::objects_only, text_enum, validation::Problems};
use serde::{Deserialize, Serialize};

/// Largest value of a quota that is taken.
pub const QUOTA_MAX: u32 = 1_000_000;

text_enum! {
    /// What AWS limits.
    QuotaName {
        /// Cognito user pools of the account and region.
        UserPools => "user_pools",
        /// CloudFormation stacks of the account and region.
        Stacks => "stacks",
        /// IAM roles of the account.
        Roles => "roles",
        /// Calls of `UserAuthentication` per second, shared by all pools of the account and region.
        SignInCalls => "sign_in_calls_per_s",
    }
}

impl QuotaName {
    /// Every quota.
    pub const ALL: [Self; 4] = [Self::UserPools, Self::Stacks, Self::Roles, Self::SignInCalls];

    /// AWS's default (service endpoints and quotas, AWS General Reference).
    const fn default_limit(self) -> u32 {
        match self {
            Self::UserPools | Self::Roles => 1_000,
            Self::Stacks => 2_000,
            Self::SignInCalls => 120,
        }
    }

    /// What one tenant uses; of sign-in calls nothing that could be told beforehand.
    const fn per_tenant(self) -> u64 {
        match self {
            Self::UserPools | Self::Stacks => 1,
            Self::Roles => 2,
            Self::SignInCalls => 0,
        }
    }

    /// What the cell uses by itself: its stack, and the forwarder's role.
    const fn per_cell(self) -> u64 {
        match self {
            Self::Stacks | Self::Roles => 1,
            Self::UserPools | Self::SignInCalls => 0,
        }
    }

    /// What people call it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::UserPools => "Cognito user pools",
            Self::Stacks => "CloudFormation stacks",
            Self::Roles => "IAM roles",
            Self::SignInCalls => "Cognito UserAuthentication calls per second",
        }
    }
}

/// AWS quotas as an operator gave them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields, default)]
#[schema(example = json!({"user_pools": 10000, "roles": 5000}))]
pub struct Quotas {
    /// Cognito user pools; AWS's default is 1,000.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub user_pools: Option<u32>,
    /// CloudFormation stacks; AWS's default is 2,000.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub stacks: Option<u32>,
    /// IAM roles; AWS's default is 1,000.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub roles: Option<u32>,
    /// Calls of `UserAuthentication` per second; AWS's default is 120.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub sign_in_calls_per_s: Option<u32>,
}

objects_only!(Quotas and Serialize);

impl Quotas {
    const fn given(&self, name: QuotaName) -> Option<u32> {
        match name {
            QuotaName::UserPools => self.user_pools,
            QuotaName::Stacks => self.stacks,
            QuotaName::Roles => self.roles,
            QuotaName::SignInCalls => self.sign_in_calls_per_s,
        }
    }

    /// What is in force.
    pub fn limit(&self, name: QuotaName) -> u32 {
        self.given(name).unwrap_or(name.default_limit())
    }

    /// Checks what an operator gives.
    pub fn validate(&self, problems: &mut Problems) {
        for name in QuotaName::ALL {
            if let Some(limit) = self.given(name) {
                problems.range(&format!("/{name}"), limit, 0..=QUOTA_MAX);
            }
        }
    }
}

/// What a cell has to carry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Use {
    /// Tenants that were placed in it and are not gone.
    pub tenants: u64,
    /// Sign-ins begun in the busiest minute of the last hour.
    pub busiest_minute: u64,
}

/// Calls of `UserAuthentication` that a sign-in makes: password, proof of it, step-up.
const CALLS_PER_SIGN_IN: u64 = 3;

/// One quota and what is used of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Quota {
    /// Which.
    pub name: QuotaName,
    /// What AWS allows.
    #[schema(minimum = 0)]
    pub limit: u64,
    /// What the cell and its tenants use. Of calls per second: as many as in the busiest minute of the last hour.
    #[schema(minimum = 0)]
    pub used: u64,
    /// How many more tenants it leaves room for; `null` where that cannot be told from it.
    #[schema(minimum = 0)]
    pub tenants: Option<u64>,
}

impl Quota {
    fn new(name: QuotaName, quotas: &Quotas, used: Use) -> Self {
        let limit = u64::from(quotas.limit(name));
        let used = match name {
            QuotaName::SignInCalls => (used.busiest_minute * CALLS_PER_SIGN_IN).div_ceil(60),
            _ => name.per_cell() + used.tenants * name.per_tenant(),
        };
        let tenants = limit.saturating_sub(used).checked_div(name.per_tenant());
        Self {
            name,
            limit,
            used,
            tenants,
        }
    }

    /// Whether it leaves no room for another tenant.
    pub fn is_spent(&self) -> bool {
        match self.tenants {
            Some(tenants) => tenants == 0,
            None => self.used >= self.limit,
        }
    }

    /// What is free of it, in thousandths.
    fn free_permille(&self) -> u64 {
        if self.is_spent() {
            return 0;
        }
        (self.limit.saturating_sub(self.used) * 1_000)
            .checked_div(self.limit)
            .unwrap_or_default()
    }
}

/// How much room a cell has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct HeadRoom {
    /// Tenants that are in it.
    #[schema(minimum = 0)]
    pub tenants: u64,
    /// How many more it takes.
    #[schema(minimum = 0)]
    pub free_tenants: u64,
    /// What is free of the quota that has least left, in thousandths of it. New tenants go where this is most.
    #[schema(minimum = 0, maximum = 1000)]
    pub free_permille: u64,
    /// Each quota.
    pub quotas: Vec<Quota>,
}

impl HeadRoom {
    /// Of a cell with these quotas that carries this.
    pub fn new(quotas: &Quotas, used: Use) -> Self {
        let quotas: Vec<_> = QuotaName::ALL
            .iter()
            .map(|name| Quota::new(*name, quotas, used))
            .collect();
        let full = quotas.iter().any(Quota::is_spent);
        let free_tenants = quotas.iter().filter_map(|quota| quota.tenants).min();
        Self {
            tenants: used.tenants,
            free_tenants: if full { 0 } else { free_tenants.unwrap_or_default() },
            free_permille: quotas.iter().map(Quota::free_permille).min().unwrap_or_default(),
            quotas,
        }
    }

    /// The first quota that leaves no room.
    pub fn spent(&self) -> Option<&Quota> {
        self.quotas.iter().find(|quota| quota.is_spent())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn by_default_roles_are_what_runs_out_first() {
        let room = HeadRoom::new(&Quotas::default(), Use::default());
        // 1,000 roles, one of them the forwarder's, two a tenant.
        assert_eq!((room.free_tenants, room.spent()), (499, None));
        let full = Use {
            tenants: 499,
            busiest_minute: 0,
        };
        let room = HeadRoom::new(&Quotas::default(), full);
        assert_eq!(room.free_tenants, 0);
        let spent = room.spent().unwrap();
        assert_eq!(
            (spent.name, spent.used, spent.limit),
            (QuotaName::Roles, 999, 1_000)
        );
    }

    #[test]
    fn a_cell_whose_sign_ins_reach_the_quota_is_full_however_few_its_tenants_are() {
        let busy = |busiest_minute| Use {
            tenants: 1,
            busiest_minute,
        };
        assert!(HeadRoom::new(&Quotas::default(), busy(2_300)).spent().is_none());
        let room = HeadRoom::new(&Quotas::default(), busy(2_400));
        assert_eq!(room.spent().unwrap().name, QuotaName::SignInCalls);
        assert_eq!((room.free_tenants, room.free_permille), (0, 0));
    }

    proptest! {
        #[test]
        fn free_tenants_fit_and_one_more_does_not(pools in 0_u32..3_000, stacks in 0_u32..3_000, roles in 0_u32..3_000, tenants in 0_u64..3_000) {
            let quotas = Quotas { user_pools: Some(pools), stacks: Some(stacks), roles: Some(roles), sign_in_calls_per_s: None };
            let room = |tenants| HeadRoom::new(&quotas, Use { tenants, busiest_minute: 0 });
            let free = room(tenants).free_tenants;
            prop_assert_eq!(free == 0, room(tenants).spent().is_some());
            if free > 0 {
                prop_assert!(room(tenants + free - 1).spent().is_none());
                prop_assert!(room(tenants + free).spent().is_some());
                prop_assert!(room(tenants + free).quotas.iter().all(|quota| quota.used <= quota.limit));
            }
        }
    }
}
