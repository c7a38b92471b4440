//! The end of a tenant, in two strides.
//!
//! ```text
//! active ──delete──▶ deleting ──purge, confirmed──▶ purging ──everything is gone──▶ deleted
//!    ▲                  │
//!    └────restore───────┘
//! ```
//!
//! Deleting shuts the tenant and removes nothing. Purging cannot be taken back: it waits for the end of the grace
//! period, keeps the users unless it is told otherwise twice, and then wants them exported first, or to be told that
//! nobody wants them.

use super::{confirmation, text_enum};
use crate::{
    Error, Result,
    error::{self, Code, FieldError},
    ids::TenantId,
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The deletion of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Deletion {
    /// Since when it is deleted.
    pub since: DateTime<Utc>,
    /// When it can be purged, if it is not restored before.
    pub purge_from: DateTime<Utc>,
    /// The last complete export of its users since then.
    #[serde(default)]
    pub export: Option<UserExport>,
    /// How it is to be purged, once that was confirmed.
    #[serde(default)]
    pub purge: Option<Purge>,
    /// What came of the purge, once it is done.
    #[serde(default)]
    pub report: Option<PurgeReport>,
}

/// An export of all users that was read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct UserExport {
    /// When it ended.
    pub at: DateTime<Utc>,
    /// How many users it had.
    pub users: i64,
}

/// How a tenant is to be purged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Purge {
    /// When it was confirmed.
    pub since: DateTime<Utc>,
    /// Whether the user pool stays, with its users and their links.
    pub retain_user_pool: bool,
    /// Whether it was said that nobody wants the users exported.
    pub without_export: bool,
}

text_enum! {
    /// What became of a user pool.
    PoolFate {
        /// There was none.
        Absent => "absent",
        /// It stays in the cell's account, without app clients and functions: nobody signs in to it.
        Retained => "retained",
        /// It is gone, with its users and their links.
        Deleted => "deleted",
    }
}

/// What was found and done by a purge; grows with its steps, and is final when the tenant is `deleted`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct PurgeReport {
    /// App clients that were deleted; `null` until they were looked for.
    pub app_clients: Option<u32>,
    /// Stack that was deleted.
    pub stack: Option<String>,
    /// What became of the user pool; `null` until it was come to.
    pub user_pool: Option<PoolFate>,
    /// Its id.
    pub user_pool_id: Option<String>,
    /// Users in it, by Cognito's estimate.
    pub users: Option<i64>,
    /// Table with the users' links, which goes or stays with the pool.
    pub records_table: Option<String>,
    /// Secrets that were deleted.
    pub secrets: Vec<DeletedSecret>,
    /// Rows that were deleted here.
    pub rows: Option<DeletedRows>,
}

/// A deleted secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DeletedSecret {
    /// Its name.
    pub name: String,
    /// Until when an operator can restore it in AWS; then it is gone for good.
    pub restorable_until: DateTime<Utc>,
}

/// Rows of a purged tenant that were deleted here. Its own row stays, for operations and the audit log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DeletedRows {
    /// Apps.
    pub apps: u64,
    /// Versions of their policies.
    pub policy_versions: u64,
    /// Exemptions.
    pub exemptions: u64,
    /// Changes of the BlockID connection.
    pub connection_changes: u64,
    /// Pilot step-ups.
    pub pilots: u64,
}

impl Deletion {
    /// A deletion that begins.
    pub fn begin(now: DateTime<Utc>, grace: TimeDelta) -> Self {
        Self {
            since: now,
            purge_from: now + grace,
            export: None,
            purge: None,
            report: None,
        }
    }

    /// Refuses a purge whose time has not come, unless it may come `early`; and one that loses users whom nobody has
    /// exported.
    pub fn begin_purge(self, purge: Purge, early: bool, has_pool: bool) -> Result<Self> {
        if purge.since < self.purge_from && !early {
            let detail = format!(
                "The tenant can be restored until {}, and purged from then on.",
                self.purge_from.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
            );
            return Err(Error::new(Code::TenantState, detail));
        }
        let loses_users = has_pool && !purge.retain_user_pool;
        if loses_users && self.export.is_none() && !purge.without_export {
            return Err(Error::new(
                Code::ExportRequired,
                "The users were not exported since the tenant was deleted: export them, or say `without_export`.",
            )
            .with_fields(vec![FieldError::new(
                "/without_export",
                "export_required",
                "must be true for users to be deleted whom nobody has exported",
            )]));
        }
        Ok(Self {
            purge: Some(purge),
            ..self
        })
    }
}

/// What has to be asked for twice.
#[derive(Clone, Copy)]
pub struct PurgeConfirmation<'a> {
    /// Key of the tenant.
    pub key: &'a [u8],
    /// The tenant.
    pub tenant_id: TenantId,
    /// Its pool, if it has one.
    pub user_pool_id: Option<&'a str>,
    /// Whether the pool stays.
    pub retain_user_pool: bool,
    /// Users in it, by Cognito's estimate.
    pub users: i64,
    /// Apps that it has.
    pub apps: i64,
}

impl PurgeConfirmation<'_> {
    /// Refuses unless `given` confirms it.
    pub fn check(&self, given: Option<&str>, now: DateTime<Utc>) -> Result<()> {
        let request = self.request();
        if given.is_some_and(|given| confirmation::accepts(self.key, &request, given, now)) {
            return Ok(());
        }
        let rule = if given.is_some() {
            "not_this_purge"
        } else {
            "missing"
        };
        let field = FieldError::new(
            "/confirm",
            rule,
            "must be what `confirmation.confirm` says, for exactly this purge",
        );
        Err(Error::new(
            Code::ConfirmationRequired,
            format!("A purge cannot be taken back. It deletes {}.", self.loses()),
        )
        .with_fields(vec![field])
        .with_confirmation(error::Confirmation {
            confirm: confirmation::token(self.key, &request, now),
            loses: self.loses(),
        }))
    }

    /// What is lost, in words. The counts are not part of what is confirmed: Cognito's is an estimate.
    fn loses(&self) -> String {
        let rest = format!(
            "stack and secrets, {} apps with their app clients and policies",
            self.apps
        );
        match self.user_pool_id {
            None => rest,
            Some(pool) if self.retain_user_pool => {
                format!(
                    "{rest}; user pool {pool} with about {} users stays, and nobody signs in to it",
                    self.users
                )
            }
            Some(pool) => format!(
                "about {} users with their links, and user pool {pool}; {rest}",
                self.users
            ),
        }
    }

    fn request(&self) -> Value {
        json!(["purge", self.tenant_id, self.user_pool_id, self.retain_user_pool])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::IdSource;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn purge(since: DateTime<Utc>, retain_user_pool: bool, without_export: bool) -> Purge {
        Purge {
            since,
            retain_user_pool,
            without_export,
        }
    }

    #[test]
    fn nothing_is_purged_before_its_time_unless_that_is_asked_for() {
        let deletion = Deletion::begin(now(), TimeDelta::days(30));
        let early = purge(now() + TimeDelta::days(29), true, false);
        let refused = deletion.clone().begin_purge(early, false, true).unwrap_err();
        assert_eq!(refused.code(), Code::TenantState);
        assert!(refused.detail().contains("2027-02-14T08:00:00Z"), "{refused}");
        deletion.clone().begin_purge(early, true, true).unwrap();
        let late = purge(now() + TimeDelta::days(30), true, false);
        assert_eq!(deletion.begin_purge(late, false, true).unwrap().purge, Some(late));
    }

    #[test]
    fn users_are_exported_before_they_are_deleted() {
        let deletion = Deletion::begin(now(), TimeDelta::zero());
        let refused = deletion
            .clone()
            .begin_purge(purge(now(), false, false), false, true);
        assert_eq!(refused.unwrap_err().code(), Code::ExportRequired);
        let exported = Deletion {
            export: Some(UserExport { at: now(), users: 3 }),
            ..deletion.clone()
        };
        for (deletion, purge, has_pool) in [
            (&exported, purge(now(), false, false), true),
            (&deletion, purge(now(), false, true), true),
            (&deletion, purge(now(), true, false), true),
            (&deletion, purge(now(), false, false), false),
        ] {
            deletion.clone().begin_purge(purge, false, has_pool).unwrap();
        }
    }

    #[test]
    fn what_confirms_the_loss_of_the_stack_does_not_confirm_that_of_the_users() {
        let tenant_id = TenantId::generate(&IdSource::seeded(1), now());
        let kept = PurgeConfirmation {
            key: b"key",
            tenant_id,
            user_pool_id: Some("pool"),
            retain_user_pool: true,
            users: 12,
            apps: 2,
        };
        let lost = PurgeConfirmation {
            retain_user_pool: false,
            ..kept
        };
        let refused = kept.check(None, now()).unwrap_err();
        let confirmation = refused.confirmation().unwrap();
        assert!(confirmation.loses.contains("2 apps") && confirmation.loses.contains("stays"));
        kept.check(Some(&confirmation.confirm), now()).unwrap();
        let refused = lost.check(Some(&confirmation.confirm), now()).unwrap_err();
        assert_eq!(refused.fields()[0].code, "not_this_purge");
        assert!(refused.confirmation().unwrap().loses.contains("12 users"));
    }
}
