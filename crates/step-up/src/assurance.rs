//! Methods, assurance levels, and the comparison of what was asked with what was achieved.
//!
//! Labels follow NIST SP 800-63B (authenticators) and 800-63A (identity proofing).

use serde::{Deserialize, Serialize};

/// A step-up method as BlockID names it, with its labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Method {
    /// ACR value as sent to BlockID, for example `liveID push`.
    pub acr: String,
    /// Name for people.
    pub label: String,
    /// Highest authenticator assurance level a password plus this method reaches, 1–3.
    pub max_aal: u8,
    /// Resists a verifier that impersonates (SP 800-63B, 5.2.5).
    #[serde(default)]
    pub phishing_resistant: bool,
    /// Restricted authenticator (SP 800-63B, 5.2.10): SMS.
    #[serde(default)]
    pub restricted: bool,
    /// Not a second factor on its own (e-mail is not an out-of-band authenticator, SP 800-63B, 5.1.3.1).
    #[serde(default)]
    pub not_out_of_band: bool,
    /// Identity assurance level that the method proves, for proofing methods.
    #[serde(default)]
    pub proves_ial: Option<u8>,
}
