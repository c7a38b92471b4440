//! Configuration: tenants, communities, clients, users. TOML; `examples/blockid-sim.toml` shows all of it.

use crate::behaviour::Behaviour;
use crate::keys::Algorithm;
use serde::Deserialize;
use std::collections::BTreeSet;

/// Methods a user has when the configuration does not say.
pub const ALL_METHODS: [&str; 4] = ["liveID push", "otp sms", "otp email", "otp"];

/// Everything the simulator starts with.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Code that the authorize page accepts (and shows, marked as development only).
    #[serde(default = "demo_code")]
    pub demo_code: String,
    /// Whether users that are not listed are unknown. By default every name is a user with all methods.
    #[serde(default)]
    pub strict_users: bool,
    /// Tenants.
    pub tenants: Vec<TenantConfig>,
}

/// One tenant: a host name.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantConfig {
    /// `Host` header it answers to, with port where there is one. Without: every host.
    #[serde(default)]
    pub dns: Option<String>,
    /// Communities.
    pub communities: Vec<CommunityConfig>,
}

/// One community: clients, users, a signing key, switches.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommunityConfig {
    /// Name, part of every path.
    pub name: String,
    /// How id_tokens are signed.
    #[serde(default)]
    pub algorithm: Algorithm,
    /// OAuth clients.
    #[serde(default)]
    pub clients: Vec<ClientConfig>,
    /// Users.
    #[serde(default)]
    pub users: Vec<UserConfig>,
    /// Switches.
    #[serde(default)]
    pub behaviour: Behaviour,
}

/// An OAuth client. `Debug` hides the secret.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientConfig {
    /// Client id.
    pub id: String,
    /// Client secret.
    pub secret: String,
    /// Addresses that the client may return to beside the community's own page. Whether 1Kosmos registers any is not published.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
}

impl std::fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientConfig")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// A user.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserConfig {
    /// User name.
    pub username: String,
    /// E-mail address; by default made from the user name.
    #[serde(default)]
    pub email: Option<String>,
    /// Methods the user has enrolled; all, when left out.
    #[serde(default)]
    pub methods: Option<Vec<String>>,
}

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not TOML of this shape. The text names line and member, never a value.
    #[error("{0}")]
    Syntax(String),
    /// No tenant, or one without a community.
    #[error("there must be at least one tenant, and in every tenant at least one community")]
    Empty,
    /// The same name twice.
    #[error("{what} {name:?} is there twice")]
    Twice {
        /// Kind of thing.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A client without a secret.
    #[error("client {0:?} has an empty secret")]
    EmptySecret(String),
}

fn demo_code() -> String {
    "246810".to_owned()
}

impl Config {
    /// Reads and validates TOML.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|error| {
            let line = error
                .span()
                .map(|span| text[..span.start.min(text.len())].lines().count().max(1));
            // `message` names members; the excerpt that `Display` adds may show a secret.
            ConfigError::Syntax(format!("line {}: {}", line.unwrap_or(1), error.message()))
        })?;
        config.validate()?;
        Ok(config)
    }

    /// One tenant for every host with community `default`, client `demo-client`, any user.
    pub fn seeded(client_secret: &str) -> Self {
        let clients = vec![ClientConfig {
            id: "demo-client".into(),
            secret: client_secret.into(),
            redirect_uris: Vec::new(),
        }];
        let community = CommunityConfig {
            name: "default".into(),
            algorithm: Algorithm::default(),
            clients,
            users: Vec::new(),
            behaviour: Behaviour::default(),
        };
        Self {
            demo_code: demo_code(),
            strict_users: false,
            tenants: vec![TenantConfig {
                dns: None,
                communities: vec![community],
            }],
        }
    }

    /// Refuses what cannot be served.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.tenants.is_empty() || self.tenants.iter().any(|tenant| tenant.communities.is_empty()) {
            return Err(ConfigError::Empty);
        }
        let hosts = self
            .tenants
            .iter()
            .map(|tenant| tenant.dns.as_deref().unwrap_or("(every host)"));
        no_doubles("tenant", hosts)?;
        for tenant in &self.tenants {
            no_doubles(
                "community",
                tenant.communities.iter().map(|community| community.name.as_str()),
            )?;
            for community in &tenant.communities {
                no_doubles(
                    "client",
                    community.clients.iter().map(|client| client.id.as_str()),
                )?;
                no_doubles("user", community.users.iter().map(|user| user.username.as_str()))?;
                if let Some(client) = community.clients.iter().find(|client| client.secret.is_empty()) {
                    return Err(ConfigError::EmptySecret(client.id.clone()));
                }
            }
        }
        Ok(())
    }
}

fn no_doubles<'a>(what: &'static str, names: impl Iterator<Item = &'a str>) -> Result<(), ConfigError> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(ConfigError::Twice {
                what,
                name: name.to_owned(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_example_is_valid() {
        let config = Config::from_toml(include_str!("../examples/blockid-sim.toml")).unwrap();
        assert_eq!(config.tenants.len(), 2);
        assert_eq!(config.tenants[0].communities[0].users[0].username, "alice");
    }

    #[test]
    fn errors_name_the_line_and_no_secret() {
        let text = "[[tenants]]\n[[tenants.communities]]\nname = 'c'\n[[tenants.communities.clients]]\nid = 'x'\nsecret = 'canary'\nwrong = 'canary'\n";
        let message = Config::from_toml(text).unwrap_err().to_string();
        assert!(
            message.contains("wrong") && message.starts_with("line "),
            "{message}"
        );
        assert!(!message.contains("canary"), "{message}");
    }

    #[test]
    fn doubles_are_refused() {
        let text = "[[tenants]]\n[[tenants.communities]]\nname = 'c'\n[[tenants.communities]]\nname = 'c'\n";
        assert!(matches!(
            Config::from_toml(text),
            Err(ConfigError::Twice {
                what: "community",
                ..
            })
        ));
        assert!(matches!(
            Config::from_toml("tenants = []"),
            Err(ConfigError::Empty)
        ));
    }
}
