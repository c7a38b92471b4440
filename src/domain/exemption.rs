//! Exemptions: a time-limited pass without a step-up, asked for by one person and approved by another.

use super::{text_enum, user::UserSub, validation::Problems};
use crate::{
    Error, Result,
    domain::audit::REASON_MAX_CHARS,
    error::Code,
    ids::{AppId, ExemptionId, PartnerId, TenantId},
};
use chrono::{DateTime, TimeDelta, Utc};

/// Longest exemption, min.
pub const MAX_DURATION_MIN: u32 = 24 * 60;
/// How long a request waits for its second person.
pub const PENDING_LIVES: TimeDelta = TimeDelta::hours(24);
/// Exemptions of an app that may be pending or in force at the same time: the triggers read them with the policy.
pub const MAX_LIVE_PER_APP: i64 = 100;

text_enum! {
    /// Where an exemption is in its life.
    ExemptionStage {
        /// It waits for a second person and opens nothing.
        Pending => "pending",
        /// It is in force, or on its way to the triggers.
        Approved => "approved",
        /// Somebody ended it, or withdrew the request.
        Revoked => "revoked",
        /// It ended by itself, or nobody approved it in time.
        Expired => "expired",
    }
}

/// An approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Who approved; never who asked.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
    /// When the exemption ends by itself.
    pub expires_at: DateTime<Utc>,
}

/// Where an exemption is in its life, with what belongs to that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExemptionState {
    /// It waits for a second person.
    Pending,
    /// It is in force.
    Approved(Approval),
    /// Somebody ended it.
    Revoked {
        /// Its approval, if it had one.
        approval: Option<Approval>,
        /// When.
        at: DateTime<Utc>,
    },
    /// It ended by itself.
    Expired {
        /// Its approval, if it had one.
        approval: Option<Approval>,
        /// When.
        at: DateTime<Utc>,
    },
}

impl ExemptionState {
    /// The stage alone.
    pub const fn stage(&self) -> ExemptionStage {
        match self {
            Self::Pending => ExemptionStage::Pending,
            Self::Approved(_) => ExemptionStage::Approved,
            Self::Revoked { .. } => ExemptionStage::Revoked,
            Self::Expired { .. } => ExemptionStage::Expired,
        }
    }

    /// The approval, if there is or was one.
    pub const fn approval(&self) -> Option<&Approval> {
        match self {
            Self::Pending => None,
            Self::Approved(approval) => Some(approval),
            Self::Revoked { approval, .. } | Self::Expired { approval, .. } => approval.as_ref(),
        }
    }

    /// When it was revoked or had expired.
    pub const fn ended_at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Pending | Self::Approved(_) => None,
            Self::Revoked { at, .. } | Self::Expired { at, .. } => Some(*at),
        }
    }

    /// From the database's columns.
    pub fn from_columns(
        stage: ExemptionStage,
        approval: Option<Approval>,
        ended_at: Option<DateTime<Utc>>,
    ) -> Result<Self> {
        match (stage, approval, ended_at) {
            (ExemptionStage::Pending, None, None) => Ok(Self::Pending),
            (ExemptionStage::Approved, Some(approval), None) => Ok(Self::Approved(approval)),
            (ExemptionStage::Revoked, approval, Some(at)) => Ok(Self::Revoked { approval, at }),
            (ExemptionStage::Expired, approval, Some(at)) => Ok(Self::Expired { approval, at }),
            (stage, ..) => Err(Error::internal(anyhow::anyhow!(
                "an exemption in state `{stage}` lacks what belongs to it"
            ))),
        }
    }
}

/// An exemption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exemption {
    /// Its id; tokens name it in `stepup_exempt`.
    pub id: ExemptionId,
    /// Whose it is.
    pub partner_id: PartnerId,
    /// Tenant it belongs to.
    pub tenant_id: TenantId,
    /// App it is for.
    pub app_id: AppId,
    /// User it is for; `None` means everybody at the app.
    pub user_sub: Option<UserSub>,
    /// Why, in the words of who asked.
    pub reason: String,
    /// How long it is to last from its approval, min.
    pub duration_min: u32,
    /// Who asked.
    pub asked_by: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// Where it is in its life.
    pub state: ExemptionState,
}

impl Exemption {
    /// In force from now on; refused to whoever asked, and to everybody when it was asked for too long ago.
    pub fn approve(self, by: String, now: DateTime<Utc>) -> Result<Self> {
        if by == self.asked_by {
            return Err(Error::new(
                Code::SecondPersonRequired,
                "Somebody else than who asked must approve: another key of a partner_admin, or an operator.",
            ));
        }
        let ExemptionState::Pending = self.state else {
            return Err(not_allowed(&self, "can no longer be approved"));
        };
        if now >= self.created_at + PENDING_LIVES {
            return Err(Error::new(
                Code::ExemptionState,
                "The exemption was asked for more than 24 hours ago: ask again.",
            ));
        }
        let approval = Approval {
            by,
            at: now,
            expires_at: now + TimeDelta::minutes(i64::from(self.duration_min)),
        };
        Ok(Self {
            state: ExemptionState::Approved(approval),
            ..self
        })
    }

    /// Ended by somebody, also by whoever asked: closing is never wrong.
    pub fn revoke(self, now: DateTime<Utc>) -> Result<Self> {
        let approval = self.state.approval().cloned();
        match self.state {
            ExemptionState::Pending | ExemptionState::Approved(_) => Ok(Self {
                state: ExemptionState::Revoked { approval, at: now },
                ..self
            }),
            _ => Err(not_allowed(&self, "has ended already")),
        }
    }

    /// Ended by time; `None` while its time has not come.
    pub fn expire(self, now: DateTime<Utc>) -> Option<Self> {
        let approval = self.state.approval().cloned();
        let over = match &self.state {
            ExemptionState::Pending => now >= self.created_at + PENDING_LIVES,
            ExemptionState::Approved(approval) => now >= approval.expires_at,
            ExemptionState::Revoked { .. } | ExemptionState::Expired { .. } => false,
        };
        over.then_some(Self {
            state: ExemptionState::Expired { approval, at: now },
            ..self
        })
    }
}

fn not_allowed(exemption: &Exemption, what: &str) -> Error {
    let stage = exemption.state.stage();
    Error::new(
        Code::ExemptionState,
        format!("The exemption is {stage} and {what}."),
    )
}

/// Checks what is asked for.
pub fn validate(reason: &str, duration_min: u32, problems: &mut Problems) {
    problems.name("/reason", reason, REASON_MAX_CHARS);
    problems.range("/duration_min", duration_min, 1..=MAX_DURATION_MIN);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::IdSource;

    fn asked(duration_min: u32) -> Exemption {
        let ids = IdSource::seeded(1);
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        Exemption {
            id: ExemptionId::generate(&ids, now),
            partner_id: PartnerId::generate(&ids, now),
            tenant_id: TenantId::generate(&ids, now),
            app_id: AppId::generate(&ids, now),
            user_sub: None,
            reason: "lost phone".to_owned(),
            duration_min,
            asked_by: "key_asker".to_owned(),
            created_at: now,
            state: ExemptionState::Pending,
        }
    }

    #[test]
    fn a_second_person_approves_and_the_time_counts_from_then() {
        let exemption = asked(90);
        let later = exemption.created_at + TimeDelta::hours(5);
        let own = exemption
            .clone()
            .approve("key_asker".to_owned(), later)
            .unwrap_err();
        assert_eq!(own.code(), Code::SecondPersonRequired);
        let approved = exemption.approve("key_other".to_owned(), later).unwrap();
        let approval = approved.state.approval().unwrap();
        assert_eq!(
            (approval.at, approval.expires_at),
            (later, later + TimeDelta::minutes(90))
        );
        let again = approved.approve("key_third".to_owned(), later).unwrap_err();
        assert_eq!(again.code(), Code::ExemptionState);
    }

    #[test]
    fn what_nobody_approves_within_a_day_is_over() {
        let exemption = asked(90);
        let late = exemption.created_at + PENDING_LIVES;
        let refused = exemption
            .clone()
            .approve("key_other".to_owned(), late)
            .unwrap_err();
        assert_eq!(refused.code(), Code::ExemptionState);
        let moment_before = late - TimeDelta::seconds(1);
        assert!(exemption.clone().expire(moment_before).is_none());
        assert_eq!(
            exemption.expire(late).unwrap().state.stage(),
            ExemptionStage::Expired
        );
    }

    #[test]
    fn what_has_ended_stays_ended() {
        let now = asked(1).created_at;
        let revoked = asked(1).revoke(now).unwrap();
        assert_eq!(
            revoked.clone().revoke(now).unwrap_err().code(),
            Code::ExemptionState
        );
        let approving = revoked.clone().approve("key_other".to_owned(), now).unwrap_err();
        assert_eq!(approving.code(), Code::ExemptionState);
        assert!(revoked.expire(now + TimeDelta::days(2)).is_none());
        let approved = asked(1).approve("key_other".to_owned(), now).unwrap();
        assert!(approved.clone().expire(now + TimeDelta::seconds(59)).is_none());
        let expired = approved.expire(now + TimeDelta::seconds(60)).unwrap();
        assert!(expired.state.approval().is_some() && expired.state.ended_at().is_some());
    }

    #[test]
    fn a_day_is_the_longest() {
        for (duration_min, fine) in [(0, false), (1, true), (1_440, true), (1_441, false)] {
            let mut problems = Problems::new();
            validate("lost phone", duration_min, &mut problems);
            assert_eq!(problems.finish().is_ok(), fine, "{duration_min}");
        }
    }
}
