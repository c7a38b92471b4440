//! The item of the `policies` table: what a trigger must know about one app client.
//!
//! Key: `pk` = the Cognito app client id (string). One item per app, holding the version in force, so
//! that a cold trigger needs one consistent read; older versions stay in the control plane's database.
//! Attributes: `pk`, `generation` (number), `document` (string: [`PolicyItem`] as JSON).

use crate::policy::PolicyDocument;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Largest serialized item the control plane writes (DynamoDB's own limit is 400 KiB).
pub const MAX_ITEM_BYTES: usize = 300 * 1024;

/// Everything the triggers know about an app.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PolicyItem {
    /// Grows with every write; a warm function ignores an item with a lower one than it has.
    pub generation: i64,
    /// `app_…`
    pub app_id: String,
    /// Cognito app client id; equals the key.
    pub client_id: String,
    /// Version of `policy`, named in every event and private parameter.
    pub policy_version: i64,
    /// The policy in force.
    pub policy: PolicyDocument,
    /// Whether signed-in users may step up for one action (off by default).
    #[serde(default)]
    pub action_step_up: bool,
    /// Page of the app to which a step-up without a frame returns.
    #[serde(default)]
    pub return_url: Option<String>,
    /// The app client's `AuthSessionValidity`: how long Cognito keeps a challenge open at most.
    pub session_validity_s: u32,
    /// Refresh-token validity; evidence of a step-up lives as long.
    pub refresh_validity_s: u32,
    /// Exemptions in force (lost phone, provider outage); see [`Exemption`].
    #[serde(default)]
    pub exemptions: Vec<Exemption>,
    /// What only the control plane needs of the app, kept here for the day on which its database is lost. Triggers do
    /// not look at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration: Option<Value>,
}

/// A time-limited pass without a step-up, visible to apps as claim `stepup_exempt`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exemption {
    /// `exm_…`
    pub id: String,
    /// Cognito `sub` of the user; `None` means every user of the app.
    pub user_sub: Option<String>,
    /// When it ends.
    pub expires_at_unix_s: i64,
}
