//! A tenant: one BlockID connection, one user pool, one stack.

use super::{
    blockid::BlockIdConnection,
    connection_check::ConnectionReport,
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
use chrono::{DateTime, Utc};
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
    /// To be removed.
    Deleting,
    /// Removed; the row keeps the id from being used again.
    Deleted,
}

impl TenantState {
    /// The stable text form.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::AwaitingSecret => "awaiting_secret",
            Self::Active { .. } => "active",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
        }
    }

    /// From the database's columns.
    pub fn from_columns(state: &str, credentials_secret_arn: Option<String>) -> Result<Self> {
        match (state, credentials_secret_arn) {
            ("awaiting_secret", _) => Ok(Self::AwaitingSecret),
            ("active", Some(credentials_secret_arn)) => Ok(Self::Active {
                credentials_secret_arn,
            }),
            ("deleting", _) => Ok(Self::Deleting),
            ("deleted", _) => Ok(Self::Deleted),
            (state, arn) => Err(Error::internal(anyhow::anyhow!(
                "tenant state `{state}` with secret {arn:?} cannot be"
            ))),
        }
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
            TenantState::AwaitingSecret => Err(Error::new(
                Code::TenantState,
                "The tenant's client secret has not arrived in its cell yet; repeat the request that creates it.",
            )),
            TenantState::Deleting | TenantState::Deleted => {
                Err(Error::new(Code::TenantState, "The tenant is being deleted."))
            }
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
