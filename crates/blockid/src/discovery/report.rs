//! What a discovery tells: every check, and the result or why there is none.

use crate::http::HttpError;
use crate::jwks::JwksError;
use serde::Serialize;
use step_up::reason::Reason;
use step_up::settings::ProviderMetadata;

/// Why there is no metadata.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
    /// The community name is empty, too long, or not a path segment.
    #[error("the community is not a name: 1 to 128 bytes, no slashes, dots alone or control characters")]
    CommunityName,
    /// The host cannot be used at all.
    #[error("the tenant's host could not be used: {0}")]
    Unreachable(HttpError),
    /// No place has a metadata document.
    #[error("no OpenID metadata document was found at any known place")]
    NotFound,
    /// The document's issuer is not on the tenant's host.
    #[error("the metadata document names an issuer on another host")]
    IssuerMismatch,
    /// A member is missing or of the wrong type.
    #[error("the metadata document has no usable member {0}")]
    Member(&'static str),
    /// An endpoint may not be connected to.
    #[error("{member} cannot be used: {error}")]
    Endpoint {
        /// Member of the document.
        member: &'static str,
        /// What is wrong with it.
        error: HttpError,
    },
    /// Only `none`, `HS*` or unknown algorithms.
    #[error("the provider signs with no algorithm that is accepted (RS, PS, ES256, ES384, EdDSA)")]
    NoAlgorithm,
    /// The key set is not usable.
    #[error("jwks_uri: {0}")]
    Jwks(JwksError),
}

impl DiscoveryError {
    /// The reason code a step-up would fail with.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Unreachable(error) | Self::Endpoint { error, .. } => error.reason(),
            Self::Jwks(error) => error.reason(),
            Self::IssuerMismatch => Reason::IssuerMismatch,
            Self::CommunityName | Self::NotFound | Self::Member(_) | Self::NoAlgorithm => {
                Reason::ProviderMalformed
            }
        }
    }
}

/// Outcome of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As it should be.
    Passed,
    /// Usable, but not as expected.
    Warning,
    /// Not usable.
    Failed,
}

/// One check of a discovery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was checked: `metadata`, `issuer`, `authorization_endpoint`, `token_endpoint`, `jwks_uri`,
    /// `algorithms`, `keys`, `pkce`, `nonce`.
    pub name: &'static str,
    /// URL or value it was about.
    pub target: String,
    /// How it went.
    pub outcome: Outcome,
    /// What was found.
    pub detail: String,
    /// What to do about it, when something is to be done.
    pub hint: Option<&'static str>,
}

/// Everything a discovery tried and found.
#[derive(Debug, Clone, PartialEq)]
pub struct DiscoveryReport {
    /// Checks in the order they were made.
    pub checks: Vec<Check>,
    /// The metadata, or why there is none.
    pub result: Result<ProviderMetadata, DiscoveryError>,
}
