//! What `cargo xtask demo` tells the app, in a file: it holds the demonstration user's password.

use serde::Deserialize;
use std::path::PathBuf;
use url::Url;

/// Everything the app is told.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Region of the user pool.
    pub region: String,
    /// User pool of the tenant.
    pub user_pool_id: String,
    /// App client.
    pub client_id: String,
    /// `iss` of the pool's tokens.
    pub issuer: String,
    /// The emulator: Cognito, logs and mailbox.
    pub aws_endpoint_url: Url,
    /// Origin of BlockID's page, which the app frames.
    pub blockid_url: Url,
    /// Where npm put `amazon-cognito-identity-js`.
    pub cognito_library: PathBuf,
    /// A user to sign in with at once.
    pub user: DemoUser,
}

/// The user that the demonstration made.
#[derive(Clone, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct DemoUser {
    /// Name.
    pub username: String,
    /// Password: shown on the page, which listens on loopback only.
    pub password: String,
}

impl std::fmt::Debug for DemoUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DemoUser")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}
