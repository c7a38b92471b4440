//! Who did what, when and why: every change and every refused attempt of a known caller is written down for good.
//!
//! Entries form chains, one a partner and one for the installation. A *seal* gives an entry its place in its chain
//! and a hash over the entry and the seal before it ([`seal`]), so that nothing can be changed, taken out or put in
//! between without every later seal being wrong. What an entry says of a change is made by
//! [`super::audit_diff`].
//!
//! To audit another change: a variant of [`AuditAction`], and a call of `usecases::audit::record` in the
//! transaction that makes the change.

use super::text_enum;
use crate::ids::{AuditId, PartnerId, TenantId};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt;

/// Longest reason, characters.
pub const REASON_MAX_CHARS: usize = 500;

text_enum! {
    /// What was done.
    AuditAction {
        /// A tenant was suspended.
        TenantSuspended => "tenant_suspended",
        /// A tenant was resumed.
        TenantResumed => "tenant_resumed",
        /// The BlockID connection was tried out, and what was found is believed from now on.
        ConnectionChecked => "connection_checked",
        /// The BlockID connection is to change: another secret, client, place or issuer.
        ConnectionChanged => "connection_changed",
        /// The BlockID connection is to be what it was before.
        ConnectionReverted => "connection_reverted",
        /// An exemption was asked for.
        ExemptionAsked => "exemption_asked",
        /// A second person approved an exemption.
        ExemptionApproved => "exemption_approved",
        /// An exemption was ended, or its request withdrawn.
        ExemptionRevoked => "exemption_revoked",
        /// An exemption ended by itself, or was not approved in time.
        ExemptionExpired => "exemption_expired",
        /// A user was linked to a BlockID subject by hand.
        UserLinked => "user_linked",
        /// It was asked to unlink a user, with all that follows.
        UserUnlinked => "user_unlinked",
        /// It was asked to sign a user out everywhere.
        UserSignedOut => "user_signed_out",
        /// A partner was added.
        PartnerCreated => "partner_created",
        /// An API key was made.
        KeyCreated => "key_created",
        /// A partner was changed.
        PartnerChanged => "partner_changed",
        /// A key was put in the place of another.
        KeyRotated => "key_rotated",
        /// A key was withdrawn.
        KeyRevoked => "key_revoked",
        /// A pilot step-up was begun.
        PilotStarted => "pilot_started",
        /// A pilot step-up taught what the provider returns for a method.
        PilotLearned => "pilot_learned",
        /// A pilot step-up taught nothing.
        PilotRefused => "pilot_refused",
        /// The tenant's own methods were changed.
        MethodsChanged => "methods_changed",
        /// A cell was put up, or brought to other settings.
        CellApplied => "cell_applied",
        /// A cell was closed, opened, or given other quotas or limits of calls.
        CellChanged => "cell_changed",
        /// Triggers and template were registered that tenants can be brought to.
        ReleaseRegistered => "release_registered",
        /// A rollout was begun.
        RolloutCreated => "rollout_created",
        /// A rollout was paused.
        RolloutPaused => "rollout_paused",
        /// A rollout was resumed.
        RolloutResumed => "rollout_resumed",
        /// A rollout was stopped by hand.
        RolloutCancelled => "rollout_cancelled",
        /// A rollout came to another wave, or stopped, or ended.
        RolloutAdvanced => "rollout_advanced",
        /// A tenant was brought to another release by a rollout, or back.
        TenantReleaseChanged => "tenant_release_changed",
        /// A tenant was created.
        TenantCreated => "tenant_created",
        /// A tenant was changed.
        TenantUpdated => "tenant_updated",
        /// A check for drift was asked for.
        DriftCheckAsked => "drift_check_asked",
        /// AWS was found other than wanted, past Stepgate.
        DriftFound => "drift_found",
        /// What was found other than wanted is as wanted again.
        DriftCleared => "drift_cleared",
        /// A tenant whose client secret never arrived was removed.
        TenantAbandoned => "tenant_abandoned",
        /// A tenant was deleted; it can be restored.
        TenantDeleted => "tenant_deleted",
        /// A deleted tenant was restored.
        TenantRestored => "tenant_restored",
        /// It was confirmed that a deleted tenant is to be removed for good.
        TenantPurgeAsked => "tenant_purge_asked",
        /// A tenant was removed for good.
        TenantPurged => "tenant_purged",
        /// A tenant was found in AWS, and has its rows again.
        TenantRebuilt => "tenant_rebuilt",
        /// An export of all users was begun.
        UsersExportBegun => "users_export_begun",
        /// An export of all users was read to its end.
        UsersExported => "users_exported",
        /// An app was added to a tenant.
        AppCreated => "app_created",
        /// An app's name or settings were changed.
        AppChanged => "app_changed",
        /// An app was deleted.
        AppDeleted => "app_deleted",
        /// The work on an operation was stopped.
        OperationCancelled => "operation_cancelled",
        /// Somebody signed in to the console.
        ConsoleSignedIn => "console_signed_in",
        /// A policy got a new version.
        PolicyChanged => "policy_changed",
        /// An attempt of a known caller was refused.
        AccessDenied => "access_denied",
        /// Attempts like an earlier one were refused too.
        AccessDeniedRepeatedly => "access_denied_repeatedly",
        /// A webhook was made.
        WebhookCreated => "webhook_created",
        /// A webhook was changed.
        WebhookUpdated => "webhook_updated",
        /// A webhook was removed.
        WebhookDeleted => "webhook_deleted",
        /// A webhook that failed for days was switched off.
        WebhookDisabled => "webhook_disabled",
        /// A test message was sent to a webhook.
        WebhookTested => "webhook_tested",
        /// A message was sent to a webhook again.
        WebhookReplayed => "webhook_replayed",
        /// What a tenant is watched for was changed.
        AlarmsChanged => "alarms_changed",
    }
}

text_enum! {
    /// Whether it happened.
    AuditOutcome {
        /// It was done.
        Done => "done",
        /// It was refused.
        Denied => "denied",
    }
}

/// An entry to be made; who and when come from the request.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// Tenant it is about, if it is about one.
    pub tenant_id: Option<TenantId>,
    /// What was changed, or asked for.
    pub resource_id: String,
    /// What was done.
    pub action: AuditAction,
    /// Why, in the actor's words; empty where no reason is asked for.
    pub reason: String,
    /// What else is worth knowing. No secrets, no user attributes.
    pub detail: Value,
}

impl AuditAction {
    /// Whether such an entry tells of something that was done or of something that was refused.
    pub const fn outcome(self) -> AuditOutcome {
        match self {
            Self::AccessDenied | Self::AccessDeniedRepeatedly => AuditOutcome::Denied,
            _ => AuditOutcome::Done,
        }
    }
}

/// An entry as it was made. Its JSON is what is sealed: to change it is to break every seal there is.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct AuditRecord {
    /// Its id.
    pub id: AuditId,
    /// Partner whose chain it belongs to; `null` for the installation's.
    pub partner_id: Option<PartnerId>,
    /// Tenant it is about.
    pub tenant_id: Option<TenantId>,
    /// What was changed, or the path that was asked for.
    pub resource_id: String,
    /// What was done.
    #[schema(example = "policy_changed")]
    pub action: String,
    /// `done`, or `denied` when it was refused.
    #[schema(pattern = "^(done|denied)$", example = "done")]
    pub outcome: String,
    /// Id of the caller, `worker`, or `command_line`.
    #[schema(example = "key_01jd7v0p3h8s5k2m4n6q9r1t0w")]
    pub actor: String,
    /// What the caller was allowed to do.
    #[schema(example = "partner_admin")]
    pub actor_role: Option<String>,
    /// Why, in the actor's words; empty where no reason is asked for.
    pub reason: String,
    /// What else is known: for changes, `changes` by JSON pointer; `null` where there is nothing. Never a secret.
    #[schema(value_type = Option<Object>)]
    pub detail: Value,
    /// Request by which it was done.
    pub request_id: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
}

/// Which chain an entry belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Chain(pub Option<PartnerId>);

impl Chain {
    /// Name of the chain of what belongs to nobody.
    pub const INSTALLATION: &'static str = "installation";
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(partner_id) => partner_id.fmt(f),
            None => f.write_str(Self::INSTALLATION),
        }
    }
}

/// SHA-256 over an entry in its place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SealHash(pub [u8; 32]);

impl SealHash {
    /// What the first entry of a chain has before it.
    pub const ZERO: Self = Self([0; 32]);
}

impl fmt::Debug for SealHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for SealHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// The end of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Place of the last entry; 0 when there is none.
    pub sequence: i64,
    /// Its hash.
    pub hash: SealHash,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            sequence: 0,
            hash: SealHash::ZERO,
        }
    }
}

/// The hash of an entry that follows `previous` in `chain`: SHA-256 over the canonical JSON (keys sorted by their
/// bytes, no white space, UTF-8) of `{"chain", "entry", "previous", "sequence"}`. `docs/audit.md` shows how anybody
/// with an export computes it.
pub fn seal(chain: Chain, previous: Head, entry: &AuditRecord) -> Head {
    let sequence = previous.sequence + 1;
    let sealed = json!({
        "chain": chain.to_string(),
        "sequence": sequence,
        "previous": previous.hash.to_string(),
        "entry": entry,
    });
    let mut text = String::new();
    canonical(&sealed, &mut text);
    Head {
        sequence,
        hash: SealHash(Sha256::digest(text).into()),
    }
}

/// Writes JSON in the one form that is hashed. The order of a map in memory must not matter: it depends on how
/// `serde_json` was built.
fn canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<_> = map.iter().collect();
            keys.sort_by_key(|(key, _)| key.as_bytes());
            text.push('{');
            for (index, (key, value)) in keys.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                canonical(value, text);
            }
            text.push('}');
        }
        Value::Array(list) => {
            text.push('[');
            for (index, value) in list.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                canonical(value, text);
            }
            text.push(']');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::IdSource;

    fn entry() -> AuditRecord {
        let now = DateTime::from_timestamp(1_767_607_200, 120_000_000).unwrap();
        AuditRecord {
            id: AuditId::generate(&IdSource::seeded(1), now),
            partner_id: None,
            tenant_id: None,
            resource_id: "cel_1".into(),
            action: "cell_applied".into(),
            outcome: "done".into(),
            actor: "command_line".into(),
            actor_role: None,
            reason: "für ä \u{7f} \"x\"\n".into(),
            detail: json!({"z": [1, true, null], "a": {"é": "x", "b": -2}}),
            request_id: None,
            at: now,
        }
    }

    #[test]
    fn canonical_json_is_sorted_and_bare() {
        let mut text = String::new();
        canonical(
            &json!({"b": [1, {"y": null, "x": "ä\"\n"}], "a": true}),
            &mut text,
        );
        assert_eq!(text, r#"{"a":true,"b":[1,{"x":"ä\"\n","y":null}]}"#);
    }

    #[test]
    fn a_seal_depends_on_chain_place_past_and_every_field() {
        let chain = Chain(None);
        let first = seal(chain, Head::default(), &entry());
        assert_eq!(first, seal(chain, Head::default(), &entry()));
        assert_eq!(first.sequence, 1);
        let partner = PartnerId::generate(&IdSource::seeded(2), entry().at);
        let mut others = vec![
            seal(Chain(Some(partner)), Head::default(), &entry()),
            seal(chain, first, &entry()),
            seal(
                chain,
                Head {
                    sequence: 1,
                    ..Head::default()
                },
                &entry(),
            ),
        ];
        for change in [
            |entry: &mut AuditRecord| entry.actor = "worker".into(),
            |entry: &mut AuditRecord| entry.reason.push('x'),
            |entry: &mut AuditRecord| entry.detail["a"]["b"] = json!(-3),
            |entry: &mut AuditRecord| entry.outcome = "denied".into(),
            |entry: &mut AuditRecord| entry.at += chrono::TimeDelta::microseconds(1),
            |entry: &mut AuditRecord| entry.request_id = Some("r".into()),
        ] {
            let mut changed = entry();
            change(&mut changed);
            others.push(seal(chain, Head::default(), &changed));
        }
        for other in others {
            assert_ne!(other.hash, first.hash);
        }
    }
}
