//! Single step-up events.

pub mod list;

use crate::{ids::TenantId, reporting::batch::EventRow};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::collections::BTreeMap;

/// One fact about a sign-in or an action.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct StepUpEvent {
    /// Its id; a repetition of the fact by Cognito has the same.
    pub event_id: String,
    /// When.
    pub at: DateTime<Utc>,
    /// What: `started`, `offered`, `succeeded`, `failed`, `skipped`, `exempted`, `refused_tokens`, `tokens`, `linked`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Tenant.
    pub tenant_id: TenantId,
    /// App.
    pub app_id: Option<String>,
    /// Journey: one sign-in from the password to the tokens.
    pub journey_id: Option<String>,
    /// Round of the journey, from 1.
    pub round: Option<i16>,
    /// The user, as an HMAC under the tenant's key.
    pub user_hash: Option<String>,
    /// Reason code of a refusal.
    pub reason: Option<String>,
    /// Method asked for or used (ACR value).
    pub method: Option<String>,
    /// Whether a success came by another method than the one the policy names first.
    pub fallback: Option<bool>,
    /// `acr` of the id_token.
    pub acr: Option<String>,
    /// `amr` of the id_token.
    pub amr: Vec<String>,
    /// Achieved authenticator assurance level.
    pub aal: Option<i16>,
    /// Achieved identity assurance level.
    pub ial: Option<i16>,
    /// Policy version that decided.
    pub policy_version: Option<i64>,
    /// Rule that decided.
    pub rule: Option<String>,
    /// Whether a stale policy had to serve.
    pub policy_stale: bool,
    /// Action, when it is not a sign-in.
    pub action: Option<String>,
    /// Trigger source of the Cognito event.
    pub source: Option<String>,
    /// Whether it was the first invocation of its process.
    pub cold_start: bool,
    /// Time in the function, ms.
    pub duration_ms: i32,
    /// Time by hop, ms.
    pub hops_ms: BTreeMap<String, u32>,
    /// Version of the triggers.
    pub trigger_version: String,
}

impl From<EventRow> for StepUpEvent {
    fn from(event: EventRow) -> Self {
        Self {
            event_id: event.event_id,
            at: event.at,
            kind: event.kind,
            tenant_id: event.tenant_id,
            app_id: event.app_id,
            journey_id: event.journey_id,
            round: event.round,
            user_hash: event.user_hash,
            reason: event.reason,
            method: event.method,
            fallback: event.fallback,
            acr: event.acr,
            amr: event.amr,
            aal: event.aal,
            ial: event.ial,
            policy_version: event.policy_version,
            rule: event.rule,
            policy_stale: event.policy_stale,
            action: event.action,
            source: event.source,
            cold_start: event.cold_start,
            duration_ms: event.duration_ms,
            hops_ms: event.hops_ms,
            trigger_version: event.trigger_version,
        }
    }
}

/// A page of events.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct StepUpEventPage {
    /// Newest first.
    pub items: Vec<StepUpEvent>,
    /// `cursor` of the next page; `null` on the last one.
    pub next_cursor: Option<String>,
}
