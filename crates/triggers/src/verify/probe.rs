//! Trying out client credentials, in force or waiting to be promoted.
//!
//! The control plane may not read credentials. When they are rotated it stages the new value, invokes this
//! function directly with `{"stepgate_probe": {"version_stage": "AWSPENDING"}}`, and learns one word:
//! `{"outcome": "invalid_grant"}` means that the provider got past the client and refused the bogus code.
//! A connection that is not in force yet comes along as `settings`: credentials that were given by another
//! provider than it names are not tried (`credentials_mismatch`), so that none is sent where it does not belong.

use super::{Budget, Verify};
use crate::settings_cache::PENDING;
use blockid::{ExchangeError, Probe};
use serde_json::{Value, json};
use std::sync::Arc;
use step_up::reason::Reason;
use step_up::settings::TenantSettings;

/// What is to be probed.
pub(super) struct Asked {
    pending: bool,
    candidate: Candidate,
}

/// A connection to be tried in place of the one in force.
enum Candidate {
    /// None: the one in force.
    None,
    /// One that cannot be read.
    Unreadable,
    /// This one.
    Settings(Box<TenantSettings>),
}

/// Whether an event is a probe. Cognito's events always name a trigger source and never carry the field.
pub(super) fn asked(event: &Value) -> Option<Asked> {
    let probe = event
        .get("stepgate_probe")
        .filter(|_| event.get("triggerSource").is_none())?;
    let candidate = match probe.get("settings") {
        None => Candidate::None,
        Some(settings) => {
            serde_json::from_value(settings.clone()).map_or(Candidate::Unreadable, Candidate::Settings)
        }
    };
    Some(Asked {
        pending: probe.get("version_stage").and_then(Value::as_str) == Some(PENDING),
        candidate,
    })
}

impl Verify {
    /// Probes the credentials and tells the outcome, nothing else.
    pub(super) async fn probe(&self, asked: &Asked, budget: Budget) -> Value {
        let outcome = tokio::time::timeout_at(budget.stored_by.into(), self.probe_outcome(asked, budget));
        json!({ "outcome": outcome.await.unwrap_or("unreachable") })
    }

    async fn probe_outcome(&self, asked: &Asked, budget: Budget) -> &'static str {
        let credentials = async {
            if asked.pending {
                self.credentials.pending().await
            } else {
                self.credentials.current().await
            }
        };
        let (settings, credentials) = tokio::join!(self.settings.get(&*self.clock), credentials);
        let Ok(settings) = settings else {
            return "settings_unavailable";
        };
        let settings = match &asked.candidate {
            Candidate::None => settings.value,
            Candidate::Settings(candidate) if candidate.tenant_id == settings.value.tenant_id => {
                Arc::new((**candidate).clone())
            }
            _ => return "settings_unavailable",
        };
        let Ok(credentials) = credentials else {
            return "credentials_unavailable";
        };
        if !credentials.fits(&settings.connection) {
            return "credentials_mismatch";
        }
        let Some(provider) = &settings.provider else {
            return "settings_unavailable";
        };
        match self
            .provider
            .probe(&settings, provider, &credentials, budget.judged_by)
            .await
        {
            Probe::Accepted => "invalid_grant",
            Probe::Rejected => "invalid_client",
            Probe::Inconclusive(error) => inconclusive(error),
        }
    }
}

fn inconclusive(error: ExchangeError) -> &'static str {
    match error.reason() {
        Reason::ProviderUnavailable => "unreachable",
        Reason::ProviderAddressRefused => "address_refused",
        _ => "malformed",
    }
}
