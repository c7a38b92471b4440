//! The preflight: everything that can be known of a connection before anybody signs in with it.
//!
//! Every check of [`Check`] is in the report exactly once, in order, whatever happened: what could not be
//! looked at is `skipped`, what could be and told nothing is `unknown`. Of the provider's answers only what was
//! validated is repeated: an issuer on the tenant's own host, algorithms of our own list, host sources that
//! look like host sources.

mod frames;
mod judge;

use crate::discovery::examine_until;
use crate::exchange::{ClientCredentials, probe_client};
use crate::http::HttpClient;
use crate::tenant_dns::{TenantDns, base_url};
pub use frames::limited_to;
pub use judge::judge_probe;
use judge::{judge_discovery, judge_host, judge_tls, not_reached};
use std::time::{Duration, Instant};
use step_up::settings::ProviderMetadata;

/// Longest that a preflight takes.
pub const LONGEST: Duration = Duration::from_secs(20);
/// Longest that looking a name up takes.
const LOOKUP: Duration = Duration::from_secs(5);

/// What is checked, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// The name resolves to addresses that may be connected to.
    Host,
    /// The certificate is trusted.
    Tls,
    /// There is a metadata document.
    Discovery,
    /// Its issuer is on the tenant's host.
    Issuer,
    /// Its endpoints may be connected to.
    Endpoints,
    /// An accepted algorithm is offered.
    Algorithms,
    /// There are usable keys.
    Keys,
    /// PKCE with S256 is offered.
    Pkce,
    /// `nonce` comes back.
    Nonce,
    /// Who may show the authorize page in a frame.
    FrameAncestors,
    /// The client id and secret are right.
    ClientSecret,
}

impl Check {
    /// Every check, in order.
    pub const ALL: [Self; 11] = [
        Self::Host,
        Self::Tls,
        Self::Discovery,
        Self::Issuer,
        Self::Endpoints,
        Self::Algorithms,
        Self::Keys,
        Self::Pkce,
        Self::Nonce,
        Self::FrameAncestors,
        Self::ClientSecret,
    ];
}

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Passed,
    /// Not usable.
    Failed,
    /// Looked at, and it tells nothing.
    Unknown,
    /// Not looked at.
    Skipped,
}

/// One check's outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was checked.
    pub check: Check,
    /// How it went.
    pub verdict: Verdict,
    /// What was found.
    pub detail: String,
    /// What to do about it.
    pub hint: Option<&'static str>,
}

impl Finding {
    /// A finding without a hint.
    pub fn new(check: Check, verdict: Verdict, detail: impl Into<String>) -> Self {
        Self {
            check,
            verdict,
            detail: detail.into(),
            hint: None,
        }
    }

    /// With what to do about it.
    #[must_use]
    pub fn hint(self, hint: &'static str) -> Self {
        Self {
            hint: Some(hint),
            ..self
        }
    }
}

/// What a preflight found.
#[derive(Debug, Clone, PartialEq)]
pub struct Preflight {
    /// Each of [`Check::ALL`], in order.
    pub findings: Vec<Finding>,
    /// The provider's metadata, when it was found.
    pub provider: Option<ProviderMetadata>,
    /// Sources of `frame-ancestors`; `None` when the page names none.
    pub frame_ancestors: Option<Vec<String>>,
}

impl Preflight {
    /// Puts a finding in the place of that of the same check.
    pub fn replace(&mut self, finding: Finding) {
        let present = self
            .findings
            .iter_mut()
            .find(|present| present.check == finding.check);
        if let Some(present) = present {
            *present = finding;
        }
    }
}

/// What is to be checked.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The host.
    pub tenant_dns: &'a TenantDns,
    /// The community.
    pub community: &'a str,
    /// OAuth client id.
    pub client_id: &'a str,
    /// The credentials, when the caller has them.
    pub credentials: Option<&'a ClientCredentials>,
}

/// Runs every check; over in [`LONGEST`].
pub async fn run(client: &HttpClient, subject: Subject<'_>, now_unix_s: i64) -> Preflight {
    let until = Instant::now() + LONGEST;
    let base = base_url(subject.tenant_dns, client.policy());
    let lookup = client.check_host(&base, until.min(Instant::now() + LOOKUP)).await;
    let host = judge_host(lookup.as_ref().err().copied());
    if lookup.is_err() {
        let mut findings = vec![host];
        findings.extend(Check::ALL[1..].iter().map(|check| not_reached(*check)));
        return Preflight {
            findings,
            provider: None,
            frame_ancestors: None,
        };
    }
    let report = examine_until(client, subject.tenant_dns, subject.community, now_unix_s, until).await;
    let mut findings = vec![host, judge_tls(&base, &report)];
    findings.extend(judge_discovery(&report));
    let provider = report.result.ok();
    let (frame, frame_ancestors) = match &provider {
        Some(provider) => frames::look_at_page(client, provider, subject.client_id, until).await,
        None => (not_reached(Check::FrameAncestors), None),
    };
    findings.push(frame);
    findings.push(match (&provider, subject.credentials) {
        (Some(provider), Some(credentials)) => {
            judge_probe(probe_client(client, provider, credentials, until).await)
        }
        _ => not_reached(Check::ClientSecret),
    });
    Preflight {
        findings,
        provider,
        frame_ancestors,
    }
}
