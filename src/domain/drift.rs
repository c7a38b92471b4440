//! Drift: what AWS has of a tenant that is not as it is wanted, because somebody changed it past Stepgate.
//!
//! A [`Finding`] is one difference, named by its path from the outside in (`app_clients/app_…/auth_flows`). Values that
//! may be secret are never in it: where a document differs, digests are.

use super::{operation::Failure, text_enum};
use crate::ids::{OperationId, PartnerId, TenantId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

text_enum! {
    /// What is done about drift.
    DriftMode {
        /// It is reported.
        Report => "report",
        /// It is reported and written back.
        Heal => "heal",
    }
}

text_enum! {
    /// How bad a difference is.
    Severity {
        /// One of the walls between a password and tokens is gone, or the client secret is within reach of others.
        Critical => "critical",
        /// Users, their attributes or the means of seeing an attack are less protected.
        High => "high",
        /// Something works other than asked.
        Medium => "medium",
    }
}

impl Severity {
    /// The worst is 0.
    const fn rank(self) -> u8 {
        match self {
            Self::Critical => 0,
            Self::High => 1,
            Self::Medium => 2,
        }
    }
}

/// A difference.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What differs.
    pub path: String,
    /// How bad that is.
    pub severity: Severity,
    /// What is wanted; `null`: nothing.
    pub wanted: Value,
    /// What is there; `null`: nothing.
    pub observed: Value,
    /// Whether it can be written back.
    pub healable: bool,
}

/// A difference as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownFinding {
    /// The difference.
    pub finding: Finding,
    /// When it was first seen to be so.
    pub found_at: DateTime<Utc>,
    /// Operation that writes it back, or tried to. One that ended is not repeated by itself.
    pub operation_id: Option<OperationId>,
    /// Whether that operation is under way.
    pub healing: bool,
}

/// What a check came to; kept in the tenant's row. Empty before the first one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DriftSummary {
    /// When AWS was last compared with what is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checked_at: Option<DateTime<Utc>>,
    /// Generation it was compared with.
    pub generation: i64,
    /// How many differences there are.
    pub findings: usize,
    /// The worst of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worst: Option<Severity>,
    /// What could not be compared, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_checked: Vec<String>,
    /// Why the last attempt to compare failed, while it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
}

/// The right to record one check. A later one makes it void.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckClaim {
    /// The tenant.
    pub tenant_id: TenantId,
    /// Whose it is.
    pub partner_id: PartnerId,
    /// Grows with every check of this tenant.
    pub number: i64,
    /// When the check is taken for lost.
    pub until: DateTime<Utc>,
}

/// What a check found, and what it could not look at.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Comparison {
    /// Differences, in the order in which they were found.
    pub findings: Vec<Finding>,
    /// What could not be compared, and why.
    pub not_checked: Vec<String>,
}

/// What became of the differences since the check before.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DriftChange {
    /// Every difference there is now, the worst first. One that was known keeps its time.
    pub now: Vec<KnownFinding>,
    /// Paths of those that are new, or differ otherwise than before.
    pub appeared: Vec<String>,
    /// Paths of those that are gone.
    pub gone: Vec<String>,
}

impl DriftChange {
    /// Compares what is known with what was found now.
    pub fn between(known: Vec<KnownFinding>, found: Vec<Finding>, now: DateTime<Utc>) -> Self {
        let mut known: BTreeMap<String, KnownFinding> = known
            .into_iter()
            .map(|one| (one.finding.path.clone(), one))
            .collect();
        let mut change = Self::default();
        for finding in found {
            let before = known.remove(&finding.path);
            let before = before.filter(|before| before.finding.observed == finding.observed);
            let one = if let Some(before) = before {
                KnownFinding { finding, ..before }
            } else {
                change.appeared.push(finding.path.clone());
                KnownFinding {
                    finding,
                    found_at: now,
                    operation_id: None,
                    healing: false,
                }
            };
            change.now.push(one);
        }
        change.gone = known.into_keys().collect();
        change
            .now
            .sort_by(|one, other| order(&one.finding).cmp(&order(&other.finding)));
        change
    }

    /// Whether something is to be written back that nobody tried to.
    pub fn wants_healing(&self) -> bool {
        let untried = |one: &KnownFinding| one.finding.healable && one.operation_id.is_none();
        self.now.iter().any(untried)
    }
}

/// The order in which findings are shown: the worst first.
fn order(finding: &Finding) -> (u8, &str) {
    (finding.severity.rank(), &finding.path)
}

/// What is told of findings: to webhooks and in the audit log.
pub fn told(findings: &[KnownFinding]) -> Vec<Value> {
    findings
        .iter()
        .map(
            |KnownFinding {
                 finding, found_at, ..
             }| {
                json!({
                    "path": finding.path, "severity": finding.severity, "wanted": finding.wanted,
                    "observed": finding.observed, "found_at": found_at,
                })
            },
        )
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(path: &str, severity: Severity, observed: Value) -> Finding {
        Finding {
            path: path.into(),
            severity,
            wanted: json!(null),
            observed,
            healable: true,
        }
    }

    #[test]
    fn what_is_known_keeps_its_time_and_what_changes_or_goes_is_told_once() {
        let first = DateTime::from_timestamp(1_767_607_200, 0).unwrap();
        let later = first + chrono::TimeDelta::hours(1);
        let flows = || finding("app_clients/a/auth_flows", Severity::Critical, json!(["X"]));
        let tier = || finding("user_pool/tier", Severity::Medium, json!("LITE"));
        let change = DriftChange::between(Vec::new(), vec![tier(), flows()], first);
        let paths: Vec<_> = change.now.iter().map(|one| one.finding.path.as_str()).collect();
        assert_eq!(
            paths,
            ["app_clients/a/auth_flows", "user_pool/tier"],
            "the worst first"
        );
        assert_eq!(change.appeared.len(), 2);
        assert!(change.wants_healing());

        let same = DriftChange::between(change.now.clone(), vec![tier(), flows()], later);
        assert!(same.appeared.is_empty() && same.gone.is_empty());
        assert!(same.now.iter().all(|one| one.found_at == first));

        let worse = finding("app_clients/a/auth_flows", Severity::Critical, json!(["X", "Y"]));
        let other = DriftChange::between(same.now, vec![worse], later);
        assert_eq!(other.appeared, ["app_clients/a/auth_flows"]);
        assert_eq!(other.gone, ["user_pool/tier"]);
        assert_eq!(other.now[0].found_at, later);
    }

    #[test]
    fn what_was_tried_or_cannot_be_is_not_healed_again() {
        let at = DateTime::from_timestamp(0, 0).unwrap();
        let mut change = DriftChange::between(Vec::new(), vec![finding("a", Severity::High, json!(1))], at);
        let operation = OperationId::generate(&crate::ids::IdSource::seeded(1), at);
        change.now[0].operation_id = Some(operation);
        assert!(!change.wants_healing());
        change.now[0].operation_id = None;
        assert!(change.wants_healing());
        change.now[0].finding.healable = false;
        assert!(!change.wants_healing());
    }

    #[test]
    fn an_empty_row_is_a_tenant_never_checked() {
        let summary: DriftSummary = serde_json::from_str("{}").unwrap();
        assert_eq!(summary, DriftSummary::default());
        assert_eq!(summary.checked_at, None);
    }
}
