//! What a preflight of a BlockID connection found, as it is stored and shown.

use super::{blockid::BlockIdConnection, text_enum};
use blockid::preflight::{self, Check, Preflight, Verdict};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

text_enum! {
    /// What was checked.
    CheckName {
        /// The host name resolves to addresses that may be connected to.
        Host => "host",
        /// The certificate is trusted.
        Tls => "tls",
        /// There is a metadata document.
        Discovery => "discovery",
        /// Its issuer is on the tenant's host.
        Issuer => "issuer",
        /// Its endpoints may be connected to.
        Endpoints => "endpoints",
        /// It offers a signature algorithm that is accepted.
        Algorithms => "algorithms",
        /// There are keys that can verify an id_token.
        Keys => "keys",
        /// PKCE with S256 is offered; it is used then.
        Pkce => "pkce",
        /// The provider says that `nonce` comes back in the id_token.
        Nonce => "nonce",
        /// Who may show the authorize page in a frame. Rules that ask for phishing resistance need it limited.
        FrameAncestors => "frame_ancestors",
        /// The provider accepts client id and secret.
        ClientSecret => "client_secret",
    }
}

text_enum! {
    /// How a check went.
    CheckOutcome {
        /// As it should be.
        Passed => "passed",
        /// Not usable.
        Failed => "failed",
        /// Looked at, and it tells nothing.
        Unknown => "unknown",
        /// Not looked at, or not needed.
        Skipped => "skipped",
    }
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ConnectionCheck {
    /// What was checked.
    pub name: CheckName,
    /// How it went.
    pub outcome: CheckOutcome,
    /// What was found.
    pub detail: String,
    /// What to do about it, when something is to be done.
    pub hint: Option<String>,
}

/// What a preflight found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ConnectionReport {
    /// When.
    pub checked_at: DateTime<Utc>,
    /// Host that was looked at.
    pub tenant_dns: String,
    /// Community that was looked at.
    pub community: String,
    /// Whether sign-ins can work: no check failed, not counting who may frame the page.
    pub usable: bool,
    /// The checks, each once, always in the same order.
    pub checks: Vec<ConnectionCheck>,
    /// The provider's issuer.
    pub issuer: Option<String>,
    /// Sources that may show the authorize page in a frame; `null` when the page does not say.
    pub frame_ancestors: Option<Vec<String>>,
}

impl ConnectionReport {
    /// As stored.
    pub fn new(connection: &BlockIdConnection, found: Preflight, checked_at: DateTime<Utc>) -> Self {
        let checks: Vec<_> = found.findings.into_iter().map(ConnectionCheck::from).collect();
        let usable = checks
            .iter()
            .all(|check| check.outcome != CheckOutcome::Failed || check.name == CheckName::FrameAncestors);
        Self {
            checked_at,
            tenant_dns: connection.tenant_dns.clone(),
            community: connection.community.clone(),
            usable,
            checks,
            issuer: found.provider.map(|provider| provider.issuer),
            frame_ancestors: found.frame_ancestors,
        }
    }

    /// Whether the page may be shown by these origins and its own host only.
    pub fn frames_limited_to(&self, origins: &[String]) -> bool {
        self.frame_ancestors
            .as_ref()
            .is_some_and(|sources| preflight::limited_to(sources, origins))
    }
}

impl From<preflight::Finding> for ConnectionCheck {
    fn from(finding: preflight::Finding) -> Self {
        Self {
            name: match finding.check {
                Check::Host => CheckName::Host,
                Check::Tls => CheckName::Tls,
                Check::Discovery => CheckName::Discovery,
                Check::Issuer => CheckName::Issuer,
                Check::Endpoints => CheckName::Endpoints,
                Check::Algorithms => CheckName::Algorithms,
                Check::Keys => CheckName::Keys,
                Check::Pkce => CheckName::Pkce,
                Check::Nonce => CheckName::Nonce,
                Check::FrameAncestors => CheckName::FrameAncestors,
                Check::ClientSecret => CheckName::ClientSecret,
            },
            outcome: match finding.verdict {
                Verdict::Passed => CheckOutcome::Passed,
                Verdict::Failed => CheckOutcome::Failed,
                Verdict::Unknown => CheckOutcome::Unknown,
                Verdict::Skipped => CheckOutcome::Skipped,
            },
            detail: finding.detail,
            hint: finding.hint.map(str::to_owned),
        }
    }
}
