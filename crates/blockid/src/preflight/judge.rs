//! What was tried, as findings.

use super::{Check, Finding, Verdict};
use crate::discovery::{Check as Tried, DiscoveryError, DiscoveryReport, Outcome};
use crate::exchange::{ExchangeError, Probe};
use crate::http::HttpError;

/// Longest issuer that is repeated.
const MAX_SHOWN_BYTES: usize = 300;

pub(super) fn not_reached(check: Check) -> Finding {
    Finding::new(check, Verdict::Skipped, "not reached")
}

pub(super) fn judge_host(error: Option<HttpError>) -> Finding {
    let found = |verdict, detail: String| Finding::new(Check::Host, verdict, detail);
    match error {
        None => found(
            Verdict::Passed,
            "resolves to addresses that may be connected to".into(),
        ),
        Some(error @ (HttpError::AddressRefused | HttpError::UrlRefused)) => {
            found(Verdict::Failed, error.to_string()).hint(HINT_ADDRESS)
        }
        Some(error @ HttpError::NameNotFound) => {
            found(Verdict::Failed, error.to_string()).hint("Check the name for a slip of the pen.")
        }
        Some(error) => found(Verdict::Unknown, error.to_string()),
    }
}

const HINT_ADDRESS: &str = "The host must have a public address, or its network be listed for the cell.";
const HINT_CA: &str = "The certificate must be publicly trusted, or its CA be given in `extra_ca_pem`.";

pub(super) fn judge_tls(base: &str, report: &DiscoveryReport) -> Finding {
    let found = |verdict, detail: &str| Finding::new(Check::Tls, verdict, detail);
    if base.starts_with("http:") {
        return found(Verdict::Skipped, "plain HTTP to this machine, for development");
    }
    match &report.result {
        Err(DiscoveryError::Unreachable(HttpError::TlsFailed)) => found(
            Verdict::Failed,
            "the certificate is not trusted, expired, or for another name",
        )
        .hint(HINT_CA),
        Err(DiscoveryError::Unreachable(_)) => found(Verdict::Unknown, "no connection came about"),
        Err(DiscoveryError::CommunityName) => not_reached(Check::Tls),
        _ => found(Verdict::Passed, "the certificate is trusted"),
    }
}

/// Discovery to nonce, from what a discovery tried.
pub(super) fn judge_discovery(report: &DiscoveryReport) -> Vec<Finding> {
    let tried = |name: &str| report.checks.iter().rev().find(|check| check.name == name);
    let document = report
        .checks
        .iter()
        .any(|check| check.name == "metadata" && check.outcome == Outcome::Passed);
    let discovery = match (&report.result, document) {
        (_, true) => Finding::new(
            Check::Discovery,
            Verdict::Passed,
            "the metadata document was found",
        ),
        (Err(DiscoveryError::Unreachable(error)), _) if is_outage(*error) => {
            Finding::new(Check::Discovery, Verdict::Unknown, error.to_string())
        }
        (Err(error), _) => Finding::new(Check::Discovery, Verdict::Failed, error.to_string())
            .hint("Check host and community with 1Kosmos: every known place of the document was tried."),
        (Ok(_), false) => Finding::new(Check::Discovery, Verdict::Unknown, "nothing was tried"),
    };
    vec![
        discovery,
        judge_issuer(tried("issuer")),
        judge_endpoints(report),
        from_tried(Check::Algorithms, tried("algorithms"), Verdict::Passed),
        from_tried(Check::Keys, tried("keys"), Verdict::Passed),
        from_tried(Check::Pkce, tried("pkce"), Verdict::Skipped),
        match from_tried(Check::Nonce, tried("nonce"), Verdict::Unknown) {
            unknown @ Finding {
                verdict: Verdict::Unknown,
                ..
            } => unknown.hint("A recorded pilot step-up tells."),
            known => known,
        },
    ]
}

const fn is_outage(error: HttpError) -> bool {
    matches!(
        error,
        HttpError::ConnectFailed
            | HttpError::Timeout
            | HttpError::Interrupted
            | HttpError::Status(429 | 500..=599)
    )
}

/// `warned`: what a usable deviation counts as. The details of these checks hold nothing of the provider's own.
fn from_tried(check: Check, tried: Option<&Tried>, warned: Verdict) -> Finding {
    let Some(tried) = tried else {
        return not_reached(check);
    };
    let verdict = match tried.outcome {
        Outcome::Passed => Verdict::Passed,
        Outcome::Warning => warned,
        Outcome::Failed => Verdict::Failed,
    };
    Finding {
        hint: tried.hint,
        ..Finding::new(check, verdict, tried.detail.clone())
    }
}

/// Repeats the issuer only when it was found to be a URL on the tenant's own host.
fn judge_issuer(tried: Option<&Tried>) -> Finding {
    let finding = from_tried(Check::Issuer, tried, Verdict::Passed);
    let shown = tried.filter(|tried| {
        tried.outcome != Outcome::Failed
            && tried.target.len() <= MAX_SHOWN_BYTES
            && tried.target.bytes().all(|byte| byte.is_ascii_graphic())
    });
    match shown {
        Some(tried) => Finding {
            detail: format!("{} {}", tried.target, finding.detail),
            ..finding
        },
        None => finding,
    }
}

fn judge_endpoints(report: &DiscoveryReport) -> Finding {
    const MEMBERS: [&str; 3] = ["authorization_endpoint", "token_endpoint", "jwks_uri"];
    let tried = || {
        let all = report.checks.iter();
        all.filter(|check| MEMBERS.contains(&check.name))
    };
    if let Err(error @ (DiscoveryError::Endpoint { .. } | DiscoveryError::Member(_))) = &report.result {
        return Finding::new(Check::Endpoints, Verdict::Failed, error.to_string()).hint(HINT_ADDRESS);
    }
    match (
        tried().next(),
        tried().find(|check| check.outcome != Outcome::Passed),
    ) {
        (None, _) => not_reached(Check::Endpoints),
        (Some(_), None) => Finding::new(Check::Endpoints, Verdict::Passed, "are on the tenant's host"),
        (Some(_), Some(other)) => Finding::new(
            Check::Endpoints,
            Verdict::Passed,
            format!("{} is on another host than the tenant's", other.name),
        ),
    }
}

/// What a probe of credentials means, whoever made it.
pub fn judge_probe(probe: Probe) -> Finding {
    let found = |verdict, detail: &str| Finding::new(Check::ClientSecret, verdict, detail);
    match probe {
        Probe::Accepted => found(Verdict::Passed, "the provider accepts client id and secret"),
        Probe::Rejected => found(
            Verdict::Failed,
            "the provider refuses client id and secret (invalid_client)",
        )
        .hint("Copy client id and secret from AdminX once more; the client must belong to this community."),
        Probe::Inconclusive(ExchangeError::Http(error)) if is_outage(error) => {
            found(Verdict::Unknown, "the token endpoint did not answer")
        }
        Probe::Inconclusive(_) => found(
            Verdict::Unknown,
            "the token endpoint answered neither invalid_grant nor invalid_client to a made-up code",
        ),
    }
}
