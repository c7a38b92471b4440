//! The audit log: reading, exporting and checking it. Nothing changes it but what it tells of.

pub mod export;
pub mod list;
pub mod verify;

use super::extract::{BadValue, Filter, unusable};
use crate::{
    domain::audit::{AuditOutcome, AuditRecord},
    ids::{PartnerId, TenantId},
    storage::audit_log::{AuditFilter, Placed},
};
use chrono::{DateTime, Utc};
use serde::Serialize;

/// Longest action or actor that is looked for, characters.
const MAX_TEXT_CHARS: usize = 200;

/// An entry of the audit log.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AuditEntry {
    /// What is sealed.
    #[serde(flatten)]
    pub record: AuditRecord,
    /// Its seal; `null` in the few seconds before the worker sealed it.
    pub seal: Option<Seal>,
}

/// Place of an entry in its chain.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Seal {
    /// From 1, without gaps, in the order of commits.
    #[schema(minimum = 1)]
    pub sequence: i64,
    /// SHA-256 over this entry and the seal before it, hexadecimal.
    #[schema(example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    pub hash: String,
}

impl From<Placed> for AuditEntry {
    fn from(placed: Placed) -> Self {
        Self {
            record: placed.record,
            seal: placed.seal.map(|head| Seal {
                sequence: head.sequence,
                hash: head.hash.to_string(),
            }),
        }
    }
}

/// Query parameters that narrow the audit log.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only documents what `AuditFilter` reads")]
pub struct AuditParams {
    /// Of this partner's chain; for operators and auditors.
    partner_id: Option<PartnerId>,
    /// About this tenant.
    tenant_id: Option<TenantId>,
    /// Of this action.
    #[param(example = "policy_changed", min_length = 1, max_length = 200)]
    action: Option<String>,
    /// By this actor.
    #[param(min_length = 1, max_length = 200)]
    actor: Option<String>,
    /// `done` or `denied`.
    #[param(pattern = "^(done|denied)$")]
    outcome: Option<String>,
    /// Not before this time.
    from: Option<DateTime<Utc>>,
    /// Before this time.
    to: Option<DateTime<Utc>>,
}

impl Filter for AuditFilter {
    fn take(&mut self, name: &str, value: &str) -> Option<Result<(), BadValue>> {
        const NAMES: [&str; 7] = [
            "partner_id",
            "tenant_id",
            "action",
            "actor",
            "outcome",
            "from",
            "to",
        ];
        NAMES.contains(&name).then(|| set(self, name, value))
    }
}

fn set(filter: &mut AuditFilter, name: &str, value: &str) -> Result<(), BadValue> {
    let text = || {
        let fits = !value.is_empty() && !value.contains('\0') && value.chars().count() <= MAX_TEXT_CHARS;
        fits.then(|| value.to_owned())
            .ok_or_else(|| unusable("a text of 1 to 200 characters"))
    };
    let time = || {
        DateTime::parse_from_rfc3339(value)
            .map(|time| time.with_timezone(&Utc))
            .map_err(|_| {
                unusable("a time like 2026-01-05T10:00:00Z (RFC 3339; `+` is written `%2B` in a URL)")
            })
    };
    match name {
        "partner_id" => {
            let partner_id = value.parse();
            filter.partner_id = Some(partner_id.map_err(|_| unusable("the id of a partner"))?);
        }
        "tenant_id" => {
            let tenant_id = value.parse();
            filter.tenant_id = Some(tenant_id.map_err(|_| unusable("the id of a tenant"))?);
        }
        "action" => filter.action = Some(text()?),
        "actor" => filter.actor = Some(text()?),
        "outcome" => {
            let outcome = value.parse::<AuditOutcome>();
            filter.outcome = Some(outcome.map_err(|_| unusable("`done` or `denied`"))?);
        }
        "from" => filter.from = Some(time()?),
        _ => filter.to = Some(time()?),
    }
    Ok(())
}
