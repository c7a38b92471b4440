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
