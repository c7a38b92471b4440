//! Discovery: where a tenant's provider is and which keys it has.
//!
//! 1Kosmos does not publish the path of the metadata document, and a tenant's host answers unknown paths
//! with its web application and status 200. So several places are tried, an answer counts only if it is
//! JSON with an acceptable `issuer`, and everything tried is told in a [`DiscoveryReport`] for whoever
//! sets the tenant up.

mod read;
mod report;

use crate::http::{HttpClient, HttpError, METADATA_BODY_LIMIT_BYTES};
use crate::jwks::{SUPPORTED_ALGORITHMS, fetch_jwks};
use crate::tenant_dns::{TenantDns, base_url};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use read::{is_about_the_host, is_community_name, list, text};
pub use report::{Check, DiscoveryError, DiscoveryReport, Outcome};
use serde_json::{Map, Value};
use std::time::{Duration, Instant};
use step_up::settings::ProviderMetadata;
use url::Url;

/// Longest that one request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest that all of them may take.
const LONGEST: Duration = Duration::from_secs(30);
/// What stays as it is in a path segment (RFC 3986, unreserved).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// Discovers the provider of a community. See [`examine`] for the report.
pub async fn discover(
    client: &HttpClient,
    tenant_dns: &TenantDns,
    community: &str,
    now_unix_s: i64,
) -> Result<ProviderMetadata, DiscoveryError> {
    examine(client, tenant_dns, community, now_unix_s).await.result
}

/// Discovers the provider of a community and tells every check. Takes half a minute at most.
pub async fn examine(
    client: &HttpClient,
    tenant_dns: &TenantDns,
    community: &str,
    now_unix_s: i64,
) -> DiscoveryReport {
    let until = Instant::now() + LONGEST;
    examine_until(client, tenant_dns, community, now_unix_s, until).await
}

/// [`examine`] that is over at `until`.
pub async fn examine_until(
    client: &HttpClient,
    tenant_dns: &TenantDns,
    community: &str,
    now_unix_s: i64,
    until: Instant,
) -> DiscoveryReport {
    let mut examination = Examination {
        client,
        base: base_url(tenant_dns, client.policy()),
        checks: Vec::new(),
        until,
    };
    let result = examination.run(community, now_unix_s).await;
    DiscoveryReport {
        checks: examination.checks,
        result,
    }
}

/// `{base}/admin/{community}/post_stepup`, one for all clients of a community.
pub fn redirect_uri(base: &str, community: &str) -> String {
    format!(
        "{base}/admin/{}/post_stepup",
        utf8_percent_encode(community, SEGMENT)
    )
}

struct Examination<'a> {
    client: &'a HttpClient,
    base: String,
    checks: Vec<Check>,
    until: Instant,
}

impl Examination<'_> {
    /// When the next request must be over.
    fn deadline(&self) -> Instant {
        self.until.min(Instant::now() + REQUEST_TIMEOUT)
    }

    fn note(
        &mut self,
        name: &'static str,
        target: &str,
        outcome: Outcome,
        detail: impl Into<String>,
        hint: Option<&'static str>,
    ) {
        self.checks.push(Check {
            name,
            target: target.to_owned(),
            outcome,
            detail: detail.into(),
            hint,
        });
    }

    async fn run(&mut self, community: &str, now_unix_s: i64) -> Result<ProviderMetadata, DiscoveryError> {
        if !is_community_name(community) {
            return Err(DiscoveryError::CommunityName);
        }
        let document = self.find_document(community).await?;
        let issuer = text(&document, "issuer")?;
        let authorization_endpoint = self.endpoint(&document, "authorization_endpoint").await?;
        let token_endpoint = self.endpoint(&document, "token_endpoint").await?;
        let jwks_uri = self.endpoint(&document, "jwks_uri").await?;
        let id_token_signing_algorithms = self.algorithms(&document)?;
        let pkce_s256 = list(&document, "code_challenge_methods_supported").contains(&"S256");
        let jwks = fetch_jwks(self.client, &jwks_uri, self.deadline()).await;
        let (outcome, detail) = match &jwks {
            Ok(set) => {
                let count = set["keys"].as_array().map_or(0, Vec::len);
                (Outcome::Passed, format!("{count} usable signature keys"))
            }
            Err(error) => (Outcome::Failed, error.to_string()),
        };
        self.note("keys", &jwks_uri, outcome, detail, None);
        let jwks = jwks.map_err(DiscoveryError::Jwks)?;
        let detail = if pkce_s256 {
            "S256 is offered and will be used"
        } else {
            "not offered, will not be sent"
        };
        let outcome = if pkce_s256 {
            Outcome::Passed
        } else {
            Outcome::Warning
        };
        self.note("pkce", "code_challenge_methods_supported", outcome, detail, None);
        let (outcome, detail) = if list(&document, "claims_supported").contains(&"nonce") {
            (Outcome::Passed, "is listed")
        } else {
            (Outcome::Warning, "is not listed, which says nothing")
        };
        self.note("nonce", "claims_supported", outcome, detail, None);
        Ok(ProviderMetadata {
            issuer,
            authorization_endpoint,
            token_endpoint,
            jwks_uri,
            redirect_uri: redirect_uri(&self.base, community),
            id_token_signing_algorithms,
            pkce_s256,
            jwks,
            fetched_at_unix_s: now_unix_s,
        })
    }

    /// Tries the known places, likeliest first, and keeps the first acceptable document.
    async fn find_document(&mut self, community: &str) -> Result<Map<String, Value>, DiscoveryError> {
        let segment = utf8_percent_encode(community, SEGMENT).to_string();
        let path = format!("/oauth2/community/{segment}");
        let near = format!("{}{path}/v1{WELL_KNOWN}", self.base);
        let mut mismatch = false;
        match self.try_document(&near).await {
            Ok(document) => return Ok(document),
            // The host itself cannot be used: the other paths on it cannot either.
            Err(DiscoveryError::Unreachable(error)) if is_about_the_host(error) => {
                return Err(DiscoveryError::Unreachable(error));
            }
            Err(error) => mismatch |= error == DiscoveryError::IssuerMismatch,
        }
        let named = self
            .oauth2_service()
            .await
            .map(|base| format!("{base}/community/{segment}/v1{WELL_KNOWN}"));
        let places = named.into_iter().filter(|place| *place != near).chain([
            format!("{}{path}{WELL_KNOWN}", self.base),
            format!("{}{WELL_KNOWN}{path}/v1", self.base),
            format!("{}{WELL_KNOWN}", self.base),
        ]);
        for place in places {
            match self.try_document(&place).await {
                Ok(document) => return Ok(document),
                Err(error) => mismatch |= error == DiscoveryError::IssuerMismatch,
            }
        }
        Err(if mismatch {
            DiscoveryError::IssuerMismatch
        } else {
            DiscoveryError::NotFound
        })
    }

    /// The base URL of the OAuth service from the service directory (`/caas/sd`, key `oauth2`).
    async fn oauth2_service(&mut self) -> Option<String> {
        let place = format!("{}/caas/sd", self.base);
        let answer = self
            .client
            .get(&place, METADATA_BODY_LIMIT_BYTES, self.deadline())
            .await
            .and_then(|answer| {
                if answer.status == 200 {
                    answer.json()
                } else {
                    Err(HttpError::Status(answer.status))
                }
            });
        let found = match &answer {
            Ok(directory) => directory
                .get("oauth2")
                .and_then(Value::as_str)
                .ok_or("has no text member oauth2".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        match found {
            Ok(service) => {
                self.note(
                    "service_directory",
                    &place,
                    Outcome::Passed,
                    "names the OAuth service",
                    None,
                );
                Some(service.trim_end_matches('/').to_owned())
            }
            Err(detail) => {
                self.note("service_directory", &place, Outcome::Warning, detail, None);
                None
            }
        }
    }

    async fn try_document(&mut self, place: &str) -> Result<Map<String, Value>, DiscoveryError> {
        let answer = self
            .client
            .get(place, METADATA_BODY_LIMIT_BYTES, self.deadline())
            .await
            .and_then(|answer| {
                if answer.status == 200 {
                    answer.json()
                } else {
                    Err(HttpError::Status(answer.status))
                }
            });
        let document = match answer {
            Ok(document) => document,
            Err(error) => {
                let hint = match error {
                    HttpError::NotJson => Some("The web application answered; the metadata is elsewhere."),
                    HttpError::AddressRefused => {
                        Some("The host must have a public address, or its network be listed for the cell.")
                    }
                    HttpError::TlsFailed => {
                        Some("The certificate must be publicly trusted, or its CA be given.")
                    }
                    _ => None,
                };
                self.note("metadata", place, Outcome::Failed, error.to_string(), hint);
                return Err(DiscoveryError::Unreachable(error));
            }
        };
        self.note("metadata", place, Outcome::Passed, "is a JSON document", None);
        self.judge_issuer(&document, place)?;
        Ok(document)
    }

    /// OpenID Connect Discovery wants the issuer to be the document's URL without the well-known suffix.
    /// What BlockID uses is not published, so any issuer on the tenant's own origin is taken and a
    /// deviation told; the id_token's `iss` is later compared with it exactly.
    fn judge_issuer(&mut self, document: &Map<String, Value>, place: &str) -> Result<(), DiscoveryError> {
        let issuer = text(document, "issuer").inspect_err(|_| {
            self.checks.push(Check {
                name: "issuer",
                target: place.to_owned(),
                outcome: Outcome::Failed,
                detail: "is missing".into(),
                hint: Some("A JSON document without issuer is not OpenID metadata."),
            });
        })?;
        let origin = |text: &str| Url::parse(text).ok().map(|url| url.origin());
        let acceptable = Url::parse(&issuer).is_ok_and(|url| {
            url.query().is_none()
                && url.fragment().is_none()
                && url.username().is_empty()
                && url.password().is_none()
        });
        if !acceptable || origin(&issuer) != origin(&self.base) {
            let hint = "Use the host name that the provider's issuer has.";
            self.note(
                "issuer",
                &issuer,
                Outcome::Failed,
                "is not on the tenant's host",
                Some(hint),
            );
            return Err(DiscoveryError::IssuerMismatch);
        }
        let by_the_book = place.strip_suffix(WELL_KNOWN) == Some(issuer.trim_end_matches('/'));
        let (outcome, detail) = if by_the_book {
            (Outcome::Passed, "equals the document's place")
        } else {
            (
                Outcome::Warning,
                "differs from the document's place but is on the tenant's host",
            )
        };
        self.note("issuer", &issuer, outcome, detail, None);
        Ok(())
    }

    async fn endpoint(
        &mut self,
        document: &Map<String, Value>,
        member: &'static str,
    ) -> Result<String, DiscoveryError> {
        let endpoint = text(document, member)?;
        match self.client.check_host(&endpoint, self.deadline()).await {
            Ok(url) => {
                let same = Url::parse(&self.base).is_ok_and(|base| base.origin() == url.origin());
                let (outcome, detail) = if same {
                    (Outcome::Passed, "is on the tenant's host")
                } else {
                    (Outcome::Warning, "is on another host than the tenant's")
                };
                self.note(member, &endpoint, outcome, detail, None);
                Ok(endpoint)
            }
            Err(error) => {
                self.note(member, &endpoint, Outcome::Failed, error.to_string(), None);
                Err(DiscoveryError::Endpoint { member, error })
            }
        }
    }

    fn algorithms(&mut self, document: &Map<String, Value>) -> Result<Vec<String>, DiscoveryError> {
        const MEMBER: &str = "id_token_signing_alg_values_supported";
        let offered = list(document, MEMBER);
        if !document.contains_key(MEMBER) {
            self.note(
                "algorithms",
                MEMBER,
                Outcome::Warning,
                "is missing; RS256 is assumed",
                None,
            );
            return Ok(vec!["RS256".to_owned()]);
        }
        let accepted: Vec<String> = SUPPORTED_ALGORITHMS
            .iter()
            .filter(|alg| offered.contains(alg))
            .map(ToString::to_string)
            .collect();
        if accepted.is_empty() {
            let hint = "Let the provider sign id_tokens with RS256, PS256 or ES256.";
            self.note(
                "algorithms",
                MEMBER,
                Outcome::Failed,
                "holds none that is accepted",
                Some(hint),
            );
            return Err(DiscoveryError::NoAlgorithm);
        }
        self.note("algorithms", MEMBER, Outcome::Passed, accepted.join(", "), None);
        Ok(accepted)
    }
}
