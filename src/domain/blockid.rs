//! How a tenant is known to BlockID.

use super::validation::Problems;
use serde::{Deserialize, Serialize};

/// A tenant's BlockID connection without the client secret, which only passes through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BlockIdConnection {
    /// Host name of the tenant at 1Kosmos, without scheme.
    #[schema(example = "acme.1kosmos.net", max_length = 253)]
    pub tenant_dns: String,
    /// Community name.
    #[schema(example = "default", max_length = 128)]
    pub community: String,
    /// OAuth client id, as registered in AdminX.
    #[schema(example = "acme-portal", max_length = 256)]
    pub client_id: String,
}

impl BlockIdConnection {
    /// Checks everything but the host name's place in the network, which depends on the cell.
    pub fn validate(&self, problems: &mut Problems) {
        problems.name("/community", &self.community, 128);
        // The community becomes one path segment of provider URLs.
        problems.require(
            !self.community.contains(['/', '\\', '?', '#', '%'])
                && !matches!(self.community.as_str(), "." | ".."),
            "/community",
            "not_a_path_segment",
            "must not contain `/`, `\\`, `?`, `#` or `%`",
        );
        problems.name("/client_id", &self.client_id, 256);
        // HTTP Basic separates id and secret by a colon.
        problems.require(
            self.client_id
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b':'),
            "/client_id",
            "invalid_character",
            "must consist of printable ASCII characters without `:` and spaces",
        );
    }
}

/// Checks a client secret without repeating it.
pub fn validate_client_secret(secret: &str, problems: &mut Problems) {
    problems.require(!secret.is_empty(), "/client_secret", "empty", "must not be empty");
    problems.require(
        secret.len() <= 1024,
        "/client_secret",
        "too_long",
        "must have at most 1024 characters",
    );
    problems.require(
        secret.bytes().all(|byte| (0x20..0x7f).contains(&byte)),
        "/client_secret",
        "invalid_character",
        "must consist of printable ASCII characters",
    );
}
