//! How the tenants of a caller are, at a glance.

use super::text_enum;
use crate::ids::TenantId;

text_enum! {
    /// How a tenant is, in one word: the first of these that holds.
    TenantCondition {
        /// It is being removed.
        Deleting => "deleting",
        /// Its client secret has not arrived in its cell.
        AwaitingSecret => "awaiting_secret",
        /// Its triggers are to refuse everybody.
        Suspended => "suspended",
        /// The last attempt to bring AWS to what is asked failed.
        Failing => "failing",
        /// AWS is being brought to what is asked.
        Changing => "changing",
        /// AWS is as asked.
        Ready => "ready",
    }
}

/// What a tenant's condition follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts<'a> {
    /// Its state.
    pub state: &'a str,
    /// Whether it is suspended.
    pub suspended: bool,
    /// Whether the last pass of the worker failed.
    pub failing: bool,
    /// Whether AWS is behind what is asked.
    pub behind: bool,
}

impl TenantCondition {
    /// Every condition, those that ask for somebody first.
    pub const ALL: [Self; 6] = [
        Self::Failing,
        Self::Suspended,
        Self::AwaitingSecret,
        Self::Changing,
        Self::Ready,
        Self::Deleting,
    ];

    /// The condition that follows.
    pub fn of(facts: Facts<'_>) -> Self {
        match facts.state {
            "deleting" | "deleted" => Self::Deleting,
            "awaiting_secret" => Self::AwaitingSecret,
            _ if facts.suspended => Self::Suspended,
            _ if facts.failing => Self::Failing,
            _ if facts.behind => Self::Changing,
            _ => Self::Ready,
        }
    }

    /// Whether somebody should look.
    pub const fn asks_for_somebody(self) -> bool {
        matches!(self, Self::Failing | Self::Suspended | Self::AwaitingSecret)
    }
}

/// A tenant that somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TroubledTenant {
    /// Its id.
    pub id: TenantId,
    /// Its name.
    pub name: String,
    /// Its condition.
    pub condition: TenantCondition,
    /// Why, as far as that is known.
    pub why: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_word_wins() {
        let of = |state, suspended, failing, behind| {
            TenantCondition::of(Facts {
                state,
                suspended,
                failing,
                behind,
            })
        };
        assert_eq!(of("active", false, false, false), TenantCondition::Ready);
        assert_eq!(of("active", false, false, true), TenantCondition::Changing);
        assert_eq!(of("active", false, true, true), TenantCondition::Failing);
        assert_eq!(of("active", true, true, true), TenantCondition::Suspended);
        assert_eq!(
            of("awaiting_secret", false, false, true),
            TenantCondition::AwaitingSecret
        );
        assert_eq!(of("deleting", true, true, true), TenantCondition::Deleting);
    }
}
