//! The tenant under attack, and what the attacker may use.
//!
//! A target is a JSON file; `cargo xtask demo --json FILE` writes one, a test makes one, and for a deployed
//! tenant it is written by hand. Secrets may stay out of the file: `STEPGATE_API_KEY` holds the API key, and
//! AWS credentials come from the usual variables.

use anyhow::Context as _;
use serde::Deserialize;
use url::Url;

/// What can be had of a target. A row that needs more is skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Capability {
    /// AWS credentials of the tenant's account: users are made, records and logs are read.
    AwsAdmin,
    /// The provider is the simulator, which breaks on demand.
    ProviderFaults,
    /// An API key that may make apps of the tenant.
    Api,
    /// An emulator that evaluates IAM policies can be started, to try the tenant's policies on.
    Iam,
}

impl Capability {
    /// Why a row cannot run without it.
    pub fn missing(self) -> &'static str {
        match self {
            Self::AwsAdmin => "needs AWS credentials of the tenant's account",
            Self::ProviderFaults => "needs the provider simulator",
            Self::Api => "needs an API key that may make apps",
            Self::Iam => "needs STEPGATE_TEST_PYTHON, a virtual environment with the emulator",
        }
    }
}

/// A tenant, where it is and what is known about it. Unknown fields are ignored: the demo's file has more.
#[derive(Clone, Deserialize)]
pub struct TargetFile {
    /// Region of the pool.
    pub aws_region: String,
    /// Replaces AWS's own addresses (an emulator).
    #[serde(default)]
    pub aws_endpoint_url: Option<Url>,
    /// `tnt_…`
    pub tenant_id: String,
    /// Pool id.
    pub user_pool_id: String,
    /// App client of an app whose policy accepts any shipped method.
    pub client_id: String,
    /// App of that client.
    #[serde(default)]
    pub app_id: Option<String>,
    /// A confirmed user, for targets where none can be made.
    #[serde(default)]
    pub username: Option<String>,
    /// The user's password.
    #[serde(default)]
    pub password: Option<String>,
    /// The control plane.
    #[serde(default)]
    pub api_url: Option<Url>,
    /// API key of the tenant's partner.
    #[serde(default)]
    pub api_key: Option<String>,
    /// The provider, when it is the simulator.
    #[serde(default)]
    pub blockid_url: Option<Url>,
    /// Log group that the tenant's functions write to.
    #[serde(default)]
    pub log_group: Option<String>,
    /// AWS credentials, when they do not come from the environment.
    #[serde(default)]
    pub aws_access_key_id: Option<String>,
    /// See `aws_access_key_id`.
    #[serde(default)]
    pub aws_secret_access_key: Option<String>,
    /// Python of a virtual environment with the emulator, in which policies are tried out.
    #[serde(default)]
    pub python: Option<std::path::PathBuf>,
    /// The client secret at BlockID, where the tester knows it: it is searched for everywhere.
    #[serde(default)]
    pub client_secret: Option<String>,
}

impl std::fmt::Debug for TargetFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TargetFile")
            .field("tenant_id", &self.tenant_id)
            .field("user_pool_id", &self.user_pool_id)
            .finish_non_exhaustive()
    }
}

impl TargetFile {
    /// Reads a file and fills in what the environment gives.
    pub fn read(path: &std::path::Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let mut target: Self =
            serde_json::from_str(&text).with_context(|| format!("{} is not a target", path.display()))?;
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        target.api_key = target.api_key.or_else(|| variable("STEPGATE_API_KEY"));
        target.aws_access_key_id = target.aws_access_key_id.or_else(|| variable("AWS_ACCESS_KEY_ID"));
        target.aws_secret_access_key = target
            .aws_secret_access_key
            .or_else(|| variable("AWS_SECRET_ACCESS_KEY"));
        target.python = target
            .python
            .or_else(|| variable("STEPGATE_TEST_PYTHON").map(Into::into));
        Ok(target)
    }

    /// The tenant's id without its prefix, as in the names of its AWS resources.
    pub fn ulid(&self) -> &str {
        self.tenant_id.trim_start_matches("tnt_")
    }

    /// Whether this can be had.
    pub fn has(&self, capability: Capability) -> bool {
        match capability {
            Capability::AwsAdmin => self.aws_access_key_id.is_some() && self.aws_secret_access_key.is_some(),
            Capability::ProviderFaults => self.blockid_url.is_some(),
            Capability::Api => self.api_url.is_some() && self.api_key.is_some(),
            Capability::Iam => self.has(Capability::AwsAdmin) && self.python.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_known() {
        let target: TargetFile = serde_json::from_str(
            r#"{"aws_region":"eu-central-1","tenant_id":"tnt_x","user_pool_id":"p","client_id":"c","steps":[]}"#,
        )
        .expect("target");
        assert_eq!(target.ulid(), "x");
        assert!(
            !target.has(Capability::AwsAdmin) && !target.has(Capability::Api) && !target.has(Capability::Iam)
        );
    }
}
