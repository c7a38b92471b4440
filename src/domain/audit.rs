//! Who did what, when and why: what weakens or restores protection is written down for good.

use super::text_enum;
use crate::ids::TenantId;
use serde_json::Value;

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
        /// A partner was changed.
        PartnerChanged => "partner_changed",
        /// A key was made.
        KeyCreated => "key_created",
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
    }
}

/// An entry to be made; who and when come from the request.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// Tenant it is about, if it is about one.
    pub tenant_id: Option<TenantId>,
    /// What was changed.
    pub resource_id: String,
    /// What was done.
    pub action: AuditAction,
    /// Why, in the actor's words.
    pub reason: String,
    /// What else is worth knowing. No secrets, no user attributes.
    pub detail: Value,
}
