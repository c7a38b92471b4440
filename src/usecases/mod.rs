//! What callers can have done: authorise, apply a domain rule, store, in one transaction.
//!
//! One file a noun. A use case takes the [`crate::Context`], a [`Request`] (who asks, under which id) and
//! plain input; it knows nothing of HTTP. Nothing is authorised elsewhere: the scope that storage asks for is
//! made here, from the caller's role.

pub mod alarms;
pub mod api_keys;
pub mod apps;
pub(crate) mod audit;
pub mod audit_trail;
pub mod callers;
pub mod cells;
pub mod connection_checks;
pub mod connections;
pub mod console_sessions;
pub mod create_tenant;
pub mod deletions;
pub mod denials;
pub mod drift;
pub mod exemptions;
pub mod idempotency;
pub mod integrations;
pub mod links;
pub mod methods;
pub mod operations;
pub mod partners;
pub mod pilots;
pub mod policies;
pub mod policy_checks;
pub mod policy_versions;
pub mod rollouts;
pub mod step_up_reports;
pub mod suspensions;
pub mod templates;
pub mod tenant_overview;
pub mod tenants;
pub mod user_exports;
pub mod users;
pub mod webhook_deliveries;
pub mod webhooks;

use crate::{Error, Result, domain::actor::Actor, error::Code};

/// Who asks, and under which id the request is logged.
#[derive(Debug, Clone)]
pub struct Request {
    /// The caller.
    pub actor: Actor,
    /// Id of the request, kept with the operations it opens.
    pub id: String,
    /// W3C trace context of the request, kept with the operations it opens.
    pub traceparent: Option<String>,
}

impl Request {
    /// A request without a trace of its own.
    pub fn new(actor: Actor, id: impl Into<String>) -> Self {
        Self {
            actor,
            id: id.into(),
            traceparent: None,
        }
    }
}

/// Refuses the change of what is at revision `now` by somebody who read `replaces`. The row is locked by then: compared
/// before, two who read the same could both be let through.
fn require_as_read(what: &str, now: i64, replaces: i64) -> Result<()> {
    if now == replaces {
        return Ok(());
    }
    let detail = format!("The {what} is at revision {now}, not {replaces}: read it again.");
    Err(Error::new(Code::PreconditionFailed, detail))
}
