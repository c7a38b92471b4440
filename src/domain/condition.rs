//! Conditions of a tenant, as Kubernetes has them: what holds of it at the moment, why, and since when.
//!
//! Status, reason and message are derived from the tenant ([`derive`]); since when a status has been so is kept in its
//! row ([`Since`]), because nothing else there tells. To add one: a variant of [`ConditionType`] and its lines in
//! [`derive`].

use super::{
    drift::Severity,
    tenant::{Tenant, TenantState},
    text_enum,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

text_enum! {
    /// What a condition is about.
    ConditionType {
        /// AWS is as asked.
        Ready => "Ready",
        /// Work is under way or waits to be tried again.
        Reconciling => "Reconciling",
        /// The last attempt to bring AWS to what is asked failed.
        Failing => "Failing",
        /// AWS was found other than wanted, past Stepgate.
        Drifted => "Drifted",
        /// A change of the BlockID connection or its secret waits to be tried.
        RotationPending => "RotationPending",
        /// The triggers are to refuse everybody.
        Suspended => "Suspended",
    }
}

impl ConditionType {
    /// Every type, in the order in which they are shown.
    pub const ALL: [Self; 6] = [
        Self::Ready,
        Self::Reconciling,
        Self::Failing,
        Self::Drifted,
        Self::RotationPending,
        Self::Suspended,
    ];
}

text_enum! {
    /// Whether a condition holds.
    ConditionStatus {
        /// It does.
        True => "True",
        /// It does not.
        False => "False",
        /// Nobody can tell.
        Unknown => "Unknown",
    }
}

/// A condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Condition {
    /// What it is about.
    #[serde(rename = "type")]
    pub kind: ConditionType,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Why, in one word, for programs.
    #[schema(example = "AsAsked")]
    pub reason: String,
    /// Why, for people; may be empty.
    pub message: String,
    /// Since when the status has been so.
    pub last_transition_time: DateTime<Utc>,
}

/// A status and since when it has been so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Since {
    /// The status.
    pub status: ConditionStatus,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// By the condition's type.
pub type Times = BTreeMap<String, Since>;

/// The conditions of a tenant.
pub fn of(tenant: &Tenant) -> Vec<Condition> {
    ConditionType::ALL
        .into_iter()
        .map(|kind| {
            let (status, reason, message) = derive(tenant, kind);
            let known = tenant.condition_times.get(kind.as_str());
            Condition {
                kind,
                status,
                reason,
                message,
                // A row from before conditions were kept tells only when it was last changed.
                last_transition_time: known
                    .filter(|known| known.status == status)
                    .map_or(tenant.updated_at, |known| known.since),
            }
        })
        .collect()
}

/// The times to be kept for a tenant as it is at `now`; those of a status that has not changed stay.
pub fn times(tenant: &Tenant, now: DateTime<Utc>) -> Times {
    let time = |kind: ConditionType| {
        let (status, ..) = derive(tenant, kind);
        let known = tenant.condition_times.get(kind.as_str()).copied();
        let since = known
            .filter(|known| known.status == status)
            .unwrap_or(Since { status, since: now });
        (kind.as_str().to_owned(), since)
    };
    ConditionType::ALL.into_iter().map(time).collect()
}

type Derived = (ConditionStatus, String, String);

fn holds(reason: &str, message: impl Into<String>) -> Derived {
    (ConditionStatus::True, reason.to_owned(), message.into())
}

fn holds_not(reason: &str, message: impl Into<String>) -> Derived {
    (ConditionStatus::False, reason.to_owned(), message.into())
}

fn derive(tenant: &Tenant, kind: ConditionType) -> Derived {
    match kind {
        ConditionType::Ready => ready(tenant),
        ConditionType::Reconciling if tenant.ready() => holds_not("AsAsked", ""),
        ConditionType::Reconciling => match &tenant.state {
            TenantState::Active { .. } => holds("Behind", behind(tenant)),
            TenantState::AwaitingSecret => holds_not("AwaitingSecret", ""),
            TenantState::Deleting { .. } => holds("Deleting", ""),
            TenantState::Purging(_) => holds("Purging", ""),
            TenantState::Deleted(_) => holds_not("Deleted", ""),
        },
        ConditionType::Failing => match &tenant.last_error {
            Some(failure) => holds(&failure.code, failure.message.clone()),
            None => holds_not("NoFailure", ""),
        },
        ConditionType::Drifted => drifted(tenant),
        ConditionType::RotationPending if tenant.rotation_pending => holds(
            "Staged",
            "The change waits to be tried; the connection before it is in force.",
        ),
        ConditionType::RotationPending => holds_not("NothingStaged", ""),
        ConditionType::Suspended => match &tenant.suspension {
            Some(suspension) => holds("Asked", suspension.reason.clone()),
            None => holds_not("NotSuspended", ""),
        },
    }
}

fn ready(tenant: &Tenant) -> Derived {
    match &tenant.state {
        TenantState::Active { .. } if tenant.ready() => holds("AsAsked", ""),
        TenantState::Active { .. } => match &tenant.last_error {
            Some(failure) => holds_not("Failing", failure.message.clone()),
            None => holds_not("Reconciling", behind(tenant)),
        },
        TenantState::AwaitingSecret => holds_not(
            "AwaitingSecret",
            "The client secret has not arrived; repeat the request that creates the tenant.",
        ),
        TenantState::Deleting { .. } => holds_not("Deleting", ""),
        TenantState::Purging(_) => holds_not("Purging", ""),
        TenantState::Deleted(_) => holds_not("Deleted", ""),
    }
}

fn behind(tenant: &Tenant) -> String {
    format!(
        "AWS is at generation {}, wanted is {}.",
        tenant.observed_generation, tenant.generation
    )
}

fn drifted(tenant: &Tenant) -> Derived {
    let drift = &tenant.drift;
    if let Some(worst) = drift.worst {
        let count = drift.findings;
        let noun = if count == 1 { "difference" } else { "differences" };
        let reason = match worst {
            Severity::Critical => "Critical",
            Severity::High => "High",
            Severity::Medium => "Medium",
        };
        return holds(
            reason,
            format!("{count} {noun}; the drift report of the tenant names them."),
        );
    }
    match (&drift.error, drift.checked_at) {
        (Some(failure), _) => (
            ConditionStatus::Unknown,
            "CheckFailed".to_owned(),
            failure.message.clone(),
        ),
        (None, None) => (ConditionStatus::Unknown, "NotChecked".to_owned(), String::new()),
        (None, Some(_)) => holds_not("AsWanted", ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{
            blockid::BlockIdConnection,
            drift::{DriftMode, DriftSummary},
            method::TenantMethods,
            operation::Failure,
            pool::PoolSettings,
            tenant::{Labels, Suspension},
        },
        ids::{CellId, IdSource, PartnerId, TenantId},
    };

    fn at(s: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_767_607_200 + s, 0).unwrap()
    }

    /// A tenant that is ready.
    fn tenant() -> Tenant {
        let ids = IdSource::seeded(1);
        Tenant {
            id: TenantId::generate(&ids, at(0)),
            partner_id: PartnerId::generate(&ids, at(0)),
            cell_id: CellId::generate(&ids, at(0)),
            region: "eu-central-1".into(),
            name: "Acme".into(),
            external_id: None,
            labels: Labels::new(),
            state: TenantState::Active {
                credentials_secret_arn: "arn".into(),
            },
            blockid: BlockIdConnection {
                tenant_dns: "acme.1kosmos.net".into(),
                community: "default".into(),
                client_id: "portal".into(),
                extra_ca_pem: None,
            },
            check: None,
            pool: PoolSettings::default(),
            methods: TenantMethods::default(),
            generation: 2,
            observed_generation: 2,
            access: None,
            wanted_release: None,
            running_release: None,
            user_pool_id: None,
            sandbox: false,
            suspension: None,
            last_error: None,
            rotation_pending: false,
            drift_mode: DriftMode::Report,
            drift: DriftSummary::default(),
            condition_times: Times::new(),
            created_at: at(0),
            updated_at: at(1),
        }
    }

    fn condition(tenant: &Tenant, kind: ConditionType) -> (ConditionStatus, String) {
        let found = of(tenant).into_iter().find(|one| one.kind == kind).unwrap();
        (found.status, found.reason)
    }

    fn failure(code: &str) -> Failure {
        Failure {
            code: code.into(),
            message: "It failed.".into(),
            hint: None,
            step: None,
            aws_request_id: None,
            at: at(0),
        }
    }

    #[test]
    fn statuses_follow_from_the_tenant() {
        use ConditionStatus::{False, True, Unknown};
        use ConditionType::{Drifted, Failing, Ready, Reconciling, RotationPending, Suspended};
        let ready = tenant();
        assert_eq!(condition(&ready, Ready), (True, "AsAsked".into()));
        assert_eq!(condition(&ready, Drifted), (Unknown, "NotChecked".into()));
        let behind = Tenant {
            generation: 3,
            ..tenant()
        };
        assert_eq!(condition(&behind, Ready), (False, "Reconciling".into()));
        assert_eq!(condition(&behind, Reconciling), (True, "Behind".into()));
        let failing = Tenant {
            last_error: Some(failure("quota_exceeded")),
            ..behind
        };
        assert_eq!(condition(&failing, Ready), (False, "Failing".into()));
        assert_eq!(condition(&failing, Failing), (True, "quota_exceeded".into()));
        let checked = DriftSummary {
            checked_at: Some(at(0)),
            ..DriftSummary::default()
        };
        let clean = Tenant {
            drift: checked.clone(),
            ..tenant()
        };
        assert_eq!(condition(&clean, Drifted), (False, "AsWanted".into()));
        let blind = DriftSummary {
            error: Some(failure("AccessDenied")),
            ..checked.clone()
        };
        let blind = Tenant {
            drift: blind,
            ..tenant()
        };
        assert_eq!(condition(&blind, Drifted), (Unknown, "CheckFailed".into()));
        let drifted = DriftSummary {
            findings: 2,
            worst: Some(Severity::High),
            error: Some(failure("AccessDenied")),
            ..checked
        };
        let drifted = Tenant {
            drift: drifted,
            ..tenant()
        };
        assert_eq!(
            condition(&drifted, Drifted),
            (True, "High".into()),
            "what was found stays"
        );
        let shut = Tenant {
            rotation_pending: true,
            suspension: Some(Suspension {
                since: at(0),
                reason: "drill".into(),
            }),
            ..tenant()
        };
        assert_eq!(condition(&shut, RotationPending), (True, "Staged".into()));
        assert_eq!(condition(&shut, Suspended), (True, "Asked".into()));
        let leaving = Tenant {
            state: tenant().state.delete(at(2), TimeDelta::days(30)).unwrap(),
            ..tenant()
        };
        assert_eq!(condition(&leaving, Ready), (False, "Deleting".into()));
        assert_eq!(condition(&leaving, Reconciling), (True, "Deleting".into()));
    }

    #[test]
    fn a_time_stays_until_the_status_changes() {
        let mut tenant = tenant();
        let since = |tenant: &Tenant| of(tenant)[0].last_transition_time;
        assert_eq!(since(&tenant), at(1), "never kept: when it was last changed");
        tenant.condition_times = times(&tenant, at(10));
        tenant.condition_times = times(&tenant, at(20));
        assert_eq!(since(&tenant), at(10));
        tenant.generation = 3;
        tenant.condition_times = times(&tenant, at(30));
        assert_eq!(since(&tenant), at(30));
    }
}
