//! A tenant: one BlockID connection, one user pool, one stack.

use super::{
    blockid::BlockIdConnection,
    cell::CellAccess,
    condition::{self, Condition, Times},
    connection_check::ConnectionReport,
    deletion::{Deletion, Purge},
    drift::{DriftMode, DriftSummary},
    method::TenantMethods,
    operation::Failure,
    pool::PoolSettings,
    tenant_overview::{Facts, TenantCondition},
    validation::Problems,
};
use crate::{
    Error, Result,
    error::Code,
    ids::{CellId, IdSource, PartnerId, TenantId},
};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;

/// Names and values of a partner's choosing, to select tenants by.
pub type Labels = BTreeMap<String, String>;

/// Most labels of a tenant.
pub const MAX_LABELS: usize = 32;
/// Longest name and longest value of a label, characters.
pub const LABEL_MAX_CHARS: usize = 63;
/// Longest external id, characters.
pub const EXTERNAL_ID_MAX_CHARS: usize = 128;

/// Where a tenant is in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TenantState {
    /// Id, cell and secret names are reserved; the client secret is not yet in the cell.
    AwaitingSecret,
    /// Wanted; the worker brings AWS to what is asked.
    Active {
        /// ARN of the `credentials` secret.
        credentials_secret_arn: String,
    },
    /// Deleted: nobody signs in, nothing is removed yet, and it can be restored.
    Deleting {
        /// ARN of the `credentials` secret.
        credentials_secret_arn: String,
        /// Since when, and until when.
        deletion: Deletion,
    },
    /// Being removed for good.
    Purging(Deletion),
    /// Removed; the row keeps the id from being used again.
    Deleted(Deletion),
}

impl TenantState {
    /// The stable text form.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::AwaitingSecret => "awaiting_secret",
            Self::Active { .. } => "active",
            Self::Deleting { .. } => "deleting",
            Self::Purging(_) => "purging",
            Self::Deleted(_) => "deleted",
        }
    }

    /// From the database's columns.
    pub fn from_columns(
        state: &str,
        credentials_secret_arn: Option<String>,
        deletion: Option<Deletion>,
    ) -> Result<Self> {
        match (state, credentials_secret_arn, deletion) {
            ("awaiting_secret", ..) => Ok(Self::AwaitingSecret),
            ("active", Some(credentials_secret_arn), _) => Ok(Self::Active {
                credentials_secret_arn,
            }),
            ("deleting", Some(credentials_secret_arn), Some(deletion)) => Ok(Self::Deleting {
                credentials_secret_arn,
                deletion,
            }),
            ("purging", _, Some(deletion)) => Ok(Self::Purging(deletion)),
            ("deleted", _, Some(deletion)) => Ok(Self::Deleted(deletion)),
            (state, arn, _) => Err(Error::internal(anyhow::anyhow!(
                "tenant state `{state}` with secret {arn:?} cannot be"
            ))),
        }
    }

    /// The deletion, where there is one.
    pub const fn deletion(&self) -> Option<&Deletion> {
        match self {
            Self::AwaitingSecret | Self::Active { .. } => None,
            Self::Deleting { deletion, .. } | Self::Purging(deletion) | Self::Deleted(deletion) => {
                Some(deletion)
            }
        }
    }

    /// Deleted from now on. One that is deleted already stays as it is: repeating is harmless.
    pub fn delete(self, now: DateTime<Utc>, grace: TimeDelta) -> Result<Self> {
        match self {
            Self::Active {
                credentials_secret_arn,
            } => Ok(Self::Deleting {
                credentials_secret_arn,
                deletion: Deletion::begin(now, grace),
            }),
            Self::Deleting { .. } => Ok(self),
            _ => Err(self.refusal()),
        }
    }

    /// Restored; refused to one that is not deleted, or that is being removed already.
    pub fn restore(self) -> Result<Self> {
        match self {
            Self::Deleting {
                credentials_secret_arn,
                ..
            } => Ok(Self::Active {
                credentials_secret_arn,
            }),
            Self::Active { .. } => Err(Error::new(Code::TenantState, "The tenant is not deleted.")),
            _ => Err(self.refusal()),
        }
    }

    /// To be removed for good. One that is being removed goes on as it was confirmed.
    pub fn purge(self, purge: Purge, early: bool, users: Option<i64>) -> Result<Self> {
        match self {
            Self::Deleting { deletion, .. } => Ok(Self::Purging(deletion.begin_purge(purge, early, users)?)),
            Self::Purging(_) => Ok(self),
            Self::Active { .. } => Err(Error::new(
                Code::TenantState,
                "The tenant is not deleted: delete it first.",
            )),
            _ => Err(self.refusal()),
        }
    }

    /// Why nothing of the kind can be done in this state.
    fn refusal(&self) -> Error {
        let detail = match self {
            Self::AwaitingSecret => {
                "The tenant's client secret has not arrived in its cell yet; repeat the request that creates it."
            }
            Self::Deleting { .. } => "The tenant is deleted: restore it first.",
            Self::Purging(_) => "The tenant is being purged.",
            Self::Deleted(_) => "The tenant was purged.",
            Self::Active { .. } => "The tenant's state does not allow this.",
        };
        Error::new(Code::TenantState, detail)
    }
}

/// A tenant's triggers refuse everybody.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Suspension {
    /// Since when it is asked for.
    pub since: DateTime<Utc>,
    /// Why, in the words of who asked for it.
    pub reason: String,
}

/// A tenant.
#[derive(Debug, Clone, PartialEq)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Whose it is.
    pub partner_id: PartnerId,
    /// Where it lives.
    pub cell_id: CellId,
    /// Region of the cell.
    pub region: String,
    /// Name for people, unique at the partner.
    pub name: String,
    /// What the partner's own system calls it, unique at the partner.
    pub external_id: Option<String>,
    /// Names and values to select tenants by.
    pub labels: Labels,
    /// Where it is in its life.
    pub state: TenantState,
    /// How BlockID knows it.
    pub blockid: BlockIdConnection,
    /// What the last preflight of that connection found.
    pub check: Option<ConnectionReport>,
    /// Its pool's settings.
    pub pool: PoolSettings,
    /// Its methods and what was learned about them.
    pub methods: TenantMethods,
    /// Grows with every change of what is wanted.
    pub generation: i64,
    /// The generation that AWS was last brought to.
    pub observed_generation: i64,
    /// Its pool, once there is one.
    pub user_pool_id: Option<String>,
    /// Whether it is for trying out: nothing of it is protected against deletion. Fixed at creation.
    pub sandbox: bool,
    /// Since when it is suspended, and why; `None` when it is not.
    pub suspension: Option<Suspension>,
    /// Why the last pass of the worker failed, while it does.
    pub last_error: Option<Failure>,
    /// How the account of its cell is reached.
    pub access: Option<CellAccess>,
    /// Release of triggers and template that it is to run.
    pub wanted_release: Option<String>,
    /// Release that its stack was last brought to.
    pub running_release: Option<String>,
    /// Whether a change of its connection waits to be tried.
    pub rotation_pending: bool,
    /// What is done about drift.
    pub drift_mode: DriftMode,
    /// What the last check for drift came to.
    pub drift: DriftSummary,
    /// Since when its conditions have been as they are.
    pub condition_times: Times,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl Tenant {
    /// Whether AWS is as asked.
    pub fn ready(&self) -> bool {
        matches!(self.state, TenantState::Active { .. }) && self.observed_generation >= self.generation
    }

    /// What holds of it, why, and since when.
    pub fn conditions(&self) -> Vec<Condition> {
        condition::of(self)
    }

    /// How it is, in one word.
    pub fn condition(&self) -> TenantCondition {
        TenantCondition::of(Facts {
            state: self.state.as_str(),
            suspended: self.suspension.is_some(),
            failing: self.last_error.is_some(),
            behind: self.observed_generation < self.generation,
        })
    }

    /// Refuses unless what is wanted of the tenant may be changed now.
    pub fn require_active(&self) -> Result<()> {
        match self.state {
            TenantState::Active { .. } => Ok(()),
            _ => Err(self.state.refusal()),
        }
    }

    /// Refuses unless the tenant has users who may be read: also while it is deleted, and while a purge waits for them to
    /// be exported.
    pub fn require_users(&self) -> Result<()> {
        match self.state {
            TenantState::Active { .. } | TenantState::Deleting { .. } | TenantState::Purging(_) => Ok(()),
            _ => Err(self.state.refusal()),
        }
    }
}

/// Checks an external id.
pub fn validate_external_id(external_id: Option<&str>, problems: &mut Problems) {
    if let Some(text) = external_id {
        problems.name("/external_id", text, EXTERNAL_ID_MAX_CHARS);
    }
}

/// Checks labels: names as Kubernetes has them without a prefix, values of the same characters or empty.
pub fn validate_labels(labels: &Labels, problems: &mut Problems) {
    problems.require(
        labels.len() <= MAX_LABELS,
        "/labels",
        "too_many",
        format!("at most {MAX_LABELS} labels"),
    );
    for (name, value) in labels.iter().take(MAX_LABELS) {
        let pointer = format!("/labels/{}", name.replace('~', "~0").replace('/', "~1"));
        let rule = "1 to 63 letters, digits, `-`, `_` and `.`, beginning and ending with a letter or digit";
        problems.require(
            is_label(name),
            &pointer,
            "bad_label_name",
            format!("its name must have {rule}"),
        );
        problems.require(
            value.is_empty() || is_label(value),
            &pointer,
            "bad_label_value",
            format!("its value must be empty or have {rule}"),
        );
    }
}

/// Whether `text` may be the name of a label, or a value that is not empty.
pub fn is_label(text: &str) -> bool {
    let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= LABEL_MAX_CHARS
        && ends(bytes.first())
        && ends(bytes.last())
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// Which tenants a list shows; what is absent does not limit it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantFilter {
    /// Beginning of the name.
    pub name_prefix: Option<String>,
    /// State.
    pub state: Option<String>,
    /// Condition that must hold.
    pub condition: Option<String>,
    /// External id.
    pub external_id: Option<String>,
    /// Labels that it must have, with these values.
    pub labels: Labels,
}

/// Names and keys that a tenant gets once and keeps.
#[derive(Clone)]
pub struct Reservation {
    /// Its id.
    pub id: TenantId,
    /// Name of the secret with the client secret.
    pub credentials_secret_name: String,
    /// Name of the secret with everything else.
    pub settings_secret_name: String,
    /// Key of the HMAC that hides user ids in events.
    pub event_hash_key: [u8; 32],
}

impl Reservation {
    /// Chooses them. Names carry a random suffix: a deleted secret's name stays taken for its recovery window.
    pub fn new(ids: &IdSource, now: DateTime<Utc>) -> Self {
        let id = TenantId::generate(ids, now);
        let mut event_hash_key = [0_u8; 32];
        ids.fill(&mut event_hash_key);
        Self {
            id,
            credentials_secret_name: format!("stepgate/{id}/credentials-{}", ids.suffix(6)),
            settings_secret_name: format!("stepgate/{id}/settings-{}", ids.suffix(6)),
            event_hash_key,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn active() -> TenantState {
        TenantState::Active {
            credentials_secret_arn: "arn".into(),
        }
    }

    #[test]
    fn a_life_goes_forward_and_back_only_before_the_purge() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let (later, grace) = (now + TimeDelta::days(40), TimeDelta::days(30));
        let purge = Purge {
            since: later,
            retain_user_pool: true,
            without_export: false,
        };
        let deleting = active().delete(now, grace).unwrap();
        assert_eq!(deleting.clone().restore().unwrap(), active());
        // Deleted twice, it is deleted since the first time.
        assert_eq!(deleting.clone().delete(later, grace).unwrap(), deleting);
        assert!(active().restore().is_err() && active().purge(purge, true, Some(0)).is_err());
        let purging = deleting.purge(purge, false, Some(0)).unwrap();
        assert_eq!(purging.as_str(), "purging");
        assert_eq!(purging.clone().purge(purge, false, Some(0)).unwrap(), purging);
        assert!(purging.clone().restore().is_err() && purging.clone().delete(later, grace).is_err());
        let deleted = TenantState::Deleted(purging.deletion().unwrap().clone());
        assert!(deleted.clone().delete(later, grace).is_err() && deleted.clone().restore().is_err());
        assert!(deleted.purge(purge, true, Some(0)).is_err());
        assert!(TenantState::AwaitingSecret.delete(now, grace).is_err());
    }
}
