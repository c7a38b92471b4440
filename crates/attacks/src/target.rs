//! The tenant under attack, and what the attacker may use.
//!
//! A target is a JSON file; `cargo xtask demo --json FILE` writes one, a test makes one, and for a deployed
//! tenant it is written by hand. Secrets may stay out of the file: `STEPGATE_API_KEY` holds the API key, and
//! AWS credentials come from the usual variables.
//!
//! Or it is the tenant's address in the API, `https://…/v1/tenants/tnt_…`: then it is asked there, with
//! `STEPGATE_API_KEY` (a partner administrator's) or `STEPGATE_OPERATOR_KEY`. An operator makes no apps of a
//! partner's, but keys: with that one a key of the tenant's partner is made ([`BorrowedKey`]), which expires by itself
//! and is revoked when the rows are through.

use crate::stepgate::Stepgate;
use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use url::Url;

/// How long a borrowed key works; a run of all rows takes minutes.
const BORROWED_FOR: TimeDelta = TimeDelta::hours(2);

/// What can be had of a target. A row that needs more is skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Capability {
    /// AWS credentials of the tenant's account: users are made, records and logs are read.
    AwsAdmin,
    /// The provider is the simulator, which breaks on demand.
    ProviderFaults,
    /// An API key that may make apps of the tenant.
    Api,
    /// An API key of another partner of the installation.
    OtherPartner,
    /// An emulator that evaluates IAM policies can be started, to try the tenant's policies on.
    Iam,
    /// Node is there, to run the browser SDK.
    Node,
}

impl Capability {
    /// Why a row cannot run without it.
    pub fn missing(self) -> &'static str {
        match self {
            Self::AwsAdmin => "needs AWS credentials of the tenant's account",
            Self::ProviderFaults => "needs the provider simulator",
            Self::Api => "needs an API key that may make apps",
            Self::Node => {
                "needs Node 20 or later (STEPGATE_TEST_NODE or the PATH) and the sources of the browser SDK"
            }
            Self::OtherPartner => "needs an API key of another partner",
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
    /// API key of another partner's administrator, who tries to reach this one's.
    #[serde(default)]
    pub other_partner_api_key: Option<String>,
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
    /// See `aws_access_key_id`; for temporary credentials.
    #[serde(default)]
    pub aws_session_token: Option<String>,
    /// Python of a virtual environment with the emulator, in which policies are tried out.
    #[serde(default)]
    pub python: Option<PathBuf>,
    /// The client secret at BlockID, where the tester knows it: it is searched for everywhere.
    #[serde(default)]
    pub client_secret: Option<String>,
    /// The key behind `api_key`, when an operator's key made it for this run.
    #[serde(skip)]
    borrowed: Option<BorrowedKey>,
}

/// A partner's key that an operator made for the rows' sake.
#[derive(Clone)]
struct BorrowedKey {
    operator: Stepgate,
    path: String,
}

impl BorrowedKey {
    /// Makes a key of the tenant's partner. Returns it, and how to give it back.
    async fn make(operator: Stepgate, tenant: &Value, now: DateTime<Utc>) -> anyhow::Result<(String, Self)> {
        let partner = tenant["partner_id"]
            .as_str()
            .context("a tenant without partner")?;
        let keys = format!("/v1/partners/{partner}/keys");
        let wanted = json!({
            "name": "attack catalogue",
            "role": "partner_admin",
            "expires_at": now + BORROWED_FOR,
        });
        let made = operator.post(&keys, &wanted).await.context(
            "no key of the tenant's partner could be made; is STEPGATE_OPERATOR_KEY an operator's?",
        )?;
        let (key, id) = (made["key"].as_str(), made["id"].as_str());
        let (key, id) = key.zip(id).context("a key without its value")?;
        let path = format!("{keys}/{id}:revoke");
        Ok((key.to_owned(), Self { operator, path }))
    }
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
    /// Reads a file or asks an address, and fills in what the environment gives.
    pub async fn find(target: &str, now: DateTime<Utc>) -> anyhow::Result<Self> {
        let found = match Url::parse(target) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => Self::ask(&url, now).await?,
            _ => Self::read(Path::new(target))?,
        };
        Ok(found.with_environment())
    }

    fn read(path: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is not a target", path.display()))
    }

    /// Asks the API about a tenant: its pool and the first app that can be signed in to.
    async fn ask(url: &Url, now: DateTime<Utc>) -> anyhow::Result<Self> {
        let (base, tenant_id) = tenant_address(url).context("expected https://…/v1/tenants/tnt_…")?;
        let own_key = variable("STEPGATE_API_KEY");
        let key = own_key.clone().or_else(|| variable("STEPGATE_OPERATOR_KEY"));
        let key = key.context("set STEPGATE_API_KEY or STEPGATE_OPERATOR_KEY")?;
        let api = Stepgate::new(crate::http::client()?, base.clone(), key);
        let tenant = api.get(&format!("/v1/tenants/{tenant_id}")).await?;
        let apps = api.get(&format!("/v1/tenants/{tenant_id}/apps")).await?;
        let apps = apps["items"].as_array().cloned().unwrap_or_default();
        let app = apps.into_iter().find(|app| app["client_id"].is_string());
        let app = app.context("the tenant has no app that can be signed in to")?;
        let (api_key, borrowed) = if let Some(own) = own_key {
            (own, None)
        } else {
            let (key, borrowed) = BorrowedKey::make(api, &tenant, now).await?;
            (key, Some(borrowed))
        };
        let found: Self = serde_json::from_value(json!({
            "aws_region": tenant["region"],
            "aws_endpoint_url": variable("AWS_ENDPOINT_URL"),
            "tenant_id": tenant_id,
            "user_pool_id": tenant["user_pool_id"],
            "client_id": app["client_id"],
            "app_id": app["id"],
            "api_url": base,
            "api_key": api_key,
        }))?;
        Ok(Self { borrowed, ..found })
    }

    /// Revokes the key that was made for this run, if one was.
    pub async fn give_back(&self) -> anyhow::Result<()> {
        if let Some(BorrowedKey { operator, path }) = &self.borrowed {
            operator.post(path, &json!({})).await?;
        }
        Ok(())
    }

    fn with_environment(self) -> Self {
        Self {
            api_key: self.api_key.or_else(|| variable("STEPGATE_API_KEY")),
            other_partner_api_key: self
                .other_partner_api_key
                .or_else(|| variable("STEPGATE_OTHER_PARTNER_API_KEY")),
            aws_access_key_id: self.aws_access_key_id.or_else(|| variable("AWS_ACCESS_KEY_ID")),
            aws_secret_access_key: self
                .aws_secret_access_key
                .or_else(|| variable("AWS_SECRET_ACCESS_KEY")),
            aws_session_token: self.aws_session_token.or_else(|| variable("AWS_SESSION_TOKEN")),
            python: self
                .python
                .or_else(|| variable("STEPGATE_TEST_PYTHON").map(Into::into)),
            ..self
        }
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
            Capability::Node => crate::sdk::node().is_some(),
            Capability::OtherPartner => self.has(Capability::Api) && self.other_partner_api_key.is_some(),
            Capability::Iam => self.has(Capability::AwsAdmin) && self.python.is_some(),
        }
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The API's base and the tenant's id in a tenant's address.
fn tenant_address(url: &Url) -> Option<(Url, String)> {
    let id = url.path().strip_prefix("/v1/tenants/")?;
    let sound = id.starts_with("tnt_")
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    sound.then(|| Some((url.join("/").ok()?, id.to_owned())))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_is_found_in_its_address() {
        let url = |text: &str| Url::parse(text).expect("a URL");
        let (base, id) = tenant_address(&url("https://api.example:8443/v1/tenants/tnt_01abc")).expect("it");
        assert_eq!(
            (base.as_str(), id.as_str()),
            ("https://api.example:8443/", "tnt_01abc")
        );
        assert!(tenant_address(&url("https://api.example/v1/tenants/tnt_1/apps")).is_none());
        assert!(tenant_address(&url("https://api.example/")).is_none());
    }

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
