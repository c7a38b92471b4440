//! The end of a tenant, in two strides.
//!
//! ```text
//! active ──delete──▶ deleting ──purge, confirmed──▶ purging ──everything is gone──▶ deleted
//!    ▲                  │
//!    └────restore───────┘
//! ```
//!
//! Deleting shuts the tenant and removes nothing. Purging cannot be taken back: it waits for the end of the grace
//! period, keeps the users unless it is told otherwise twice, and then wants exactly those exported first whom the pool
//! holds, or to be told that nobody wants them.

use super::{confirmation, text_enum};
use crate::{
    Error, Result,
    error::{self, Code, FieldError},
    ids::TenantId,
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct UserExport {
    /// When it ended.
    pub at: DateTime<Utc>,
    /// How many users it had.
    pub users: i64,
    /// Who they were, as one number: a purge compares it with whom the pool holds. An export of before it was kept has
    /// none, and does not count.
    #[serde(default)]
    pub digest: Option<String>,
}

/// Tells two sets of users apart, in whatever order they are read, and keeps nothing of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UserSet {
    /// How many they are.
    pub users: i64,
    sum: u128,
}

impl UserSet {
    /// Adds the user with this `sub`, which no other user ever has.
    pub fn add(&mut self, sub: &str) {
        let hash = Sha256::digest(sub.as_bytes());
        let first = hash.iter().take(16);
        let number = first.fold(0_u128, |number, byte| (number << 8) | u128::from(*byte));
        self.users += 1;
        self.sum = self.sum.wrapping_add(number);
    }

    /// Who they are, as one number; hexadecimal.
    pub fn digest(&self) -> String {
        format!("{:032x}", self.sum)
    }

    /// Whether these are exactly the users of an export.
    pub fn is_of(&self, export: &UserExport) -> bool {
        self.users == export.users && export.digest.as_ref() == Some(&self.digest())
    }
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
    /// exported. `users` are those of its pool, by Cognito's estimate, if it has one; whether they are the very users of
    /// the export is for the worker to see, right before it deletes them.
    pub fn begin_purge(self, purge: Purge, early: bool, users: Option<i64>) -> Result<Self> {
        if purge.since < self.purge_from && !early {
            let detail = format!(
                "The tenant can be restored until {}, and purged from then on.",
                self.purge_from.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
            );
            return Err(Error::new(Code::TenantState, detail));
        }
        let lost = users.filter(|_| !purge.retain_user_pool && !purge.without_export);
        let problem = match (
            lost,
            self.export.as_ref().filter(|export| export.digest.is_some()),
        ) {
            (Some(_), None) => Some("The users were not exported since the tenant was deleted".to_owned()),
            (Some(users), Some(export)) if users > export.users => Some(format!(
                "The user pool holds about {users} users, and the export of {} had {}",
                export.at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
                export.users
            )),
            _ => None,
        };
        if let Some(problem) = problem {
            return Err(Error::new(
                Code::ExportRequired,
                format!("{problem}: export them, or say `without_export`."),
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
        let refused = deletion.clone().begin_purge(early, false, Some(3)).unwrap_err();
        assert_eq!(refused.code(), Code::TenantState);
        assert!(refused.detail().contains("2027-02-14T08:00:00Z"), "{refused}");
        deletion.clone().begin_purge(early, true, Some(3)).unwrap();
        let late = purge(now() + TimeDelta::days(30), true, false);
        assert_eq!(
            deletion.begin_purge(late, false, Some(3)).unwrap().purge,
            Some(late)
        );
    }

    #[test]
    fn users_are_exported_before_they_are_deleted() {
        let deletion = Deletion::begin(now(), TimeDelta::zero());
        let refused = deletion
            .clone()
            .begin_purge(purge(now(), false, false), false, Some(0));
        assert_eq!(refused.unwrap_err().code(), Code::ExportRequired);
        let exported = |digest: Option<&str>| Deletion {
            export: Some(UserExport {
                at: now(),
                users: 3,
                digest: digest.map(str::to_owned),
            }),
            ..deletion.clone()
        };
        // One more has come since; and an export of which nobody knows whom it had.
        for (deletion, users) in [(exported(Some("d")), 4), (exported(None), 3)] {
            let refused = deletion.begin_purge(purge(now(), false, false), false, Some(users));
            assert_eq!(refused.unwrap_err().code(), Code::ExportRequired);
        }
        for (deletion, purge, users) in [
            (exported(Some("d")), purge(now(), false, false), Some(3)),
            (exported(Some("d")), purge(now(), false, false), Some(2)),
            (exported(Some("d")), purge(now(), false, true), Some(4)),
            (deletion.clone(), purge(now(), false, true), Some(3)),
            (deletion.clone(), purge(now(), true, false), Some(3)),
            (deletion.clone(), purge(now(), false, false), None),
        ] {
            deletion.begin_purge(purge, false, users).unwrap();
        }
    }

    #[test]
    fn sets_of_users_are_told_apart_whatever_their_order() {
        let set = |subs: &[&str]| {
            let mut set = UserSet::default();
            for sub in subs {
                set.add(sub);
            }
            set
        };
        assert_eq!(set(&["a", "b"]), set(&["b", "a"]));
        let export = UserExport {
            at: now(),
            users: 2,
            digest: Some(set(&["a", "b"]).digest()),
        };
        assert!(set(&["b", "a"]).is_of(&export));
        for other in [&["a", "c"][..], &["a"], &["a", "b", "c"], &["a", "a"], &[]] {
            assert!(!set(other).is_of(&export), "{other:?}");
        }
        let older = UserExport {
            digest: None,
            ..export
        };
        assert!(!set(&["a", "b"]).is_of(&older));
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
