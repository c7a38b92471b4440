//! Configuration: a TOML file named by `STEPGATE_CONFIG`, overridden by environment variables.
//!
//! Every setting is one row of the table in [`Config::read`]: key `listen` in the file, variable
//! `STEPGATE_LISTEN`. Everything is checked at start and every problem is reported at once. AWS access is not
//! configured here but by the AWS SDK's standard variables (`AWS_REGION`, `AWS_ENDPOINT_URL`, …).

mod console;
mod metrics;
mod webhooks;

use crate::{
    encryption::EncryptionKeys,
    ids::TenantId,
    trust::issuer::{self, TrustedIssuer},
};
pub use console::ConsoleConfig;
use secrecy::SecretString;
use std::{
    collections::BTreeMap, collections::BTreeSet, fmt, net::SocketAddr, str::FromStr, sync::Arc,
    time::Duration,
};

/// What the service was started with.
#[derive(Debug, Clone)]
pub struct Config {
    /// The control plane's database.
    pub database: DatabaseConfig,
    /// Where the API listens.
    pub listen: SocketAddr,
    /// What is logged and how.
    pub log: LogConfig,
    /// How long the API goes on taking requests after a stop signal, not ready any more, before it takes no more.
    pub shutdown_delay: Duration,
    /// How long running requests and steps may take after that.
    pub shutdown_grace: Duration,
    /// The worker's loop.
    pub worker: WorkerConfig,
    /// Step-up events.
    pub events: EventsConfig,
    /// Comparing tenants with what is wanted of them.
    pub drift: DriftConfig,
    /// How long a deleted tenant waits before it can be purged.
    pub grace: GraceConfig,
    /// Where the worker answers probes, if anywhere.
    pub worker_listen: Option<SocketAddr>,
    /// Where metrics are served, if anywhere.
    pub metrics_listen: Option<SocketAddr>,
    /// Tenants that get metrics of their own.
    pub metrics_tenants: BTreeSet<TenantId>,
    /// Requests a minute of one caller to one process; 0 is no limit.
    pub rate_limit_per_min: u32,
    /// Issuers whose tokens are accepted.
    pub trusted_issuers: Vec<TrustedIssuer>,
    /// Development only: plain HTTP to a BlockID provider on loopback is accepted.
    pub dev_insecure_loopback: bool,
    /// Seal what the database holds of secrets.
    pub encryption_keys: Arc<EncryptionKeys>,
    /// Networks beside the public internet in which receivers of webhooks may be.
    pub allowed_webhook_networks: Vec<ipnet::IpNet>,
    /// The pages for operators.
    pub console: ConsoleConfig,
}

/// The database connection.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// `postgres://…`; holds a password.
    pub url: SecretString,
    /// Upper bound of the connection pool of one process.
    pub max_connections: u32,
}

/// Logging.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// `tracing` filter directives, for example `info,stepgate=debug`.
    pub filter: String,
    /// Form of a line.
    pub format: LogFormat,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            filter: "info".to_owned(),
            format: LogFormat::Json,
        }
    }
}

/// Form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// The worker's loop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerConfig {
    /// Pause between looks for due work when no notification arrives.
    pub poll: Duration,
    /// How long a claimed tenant stays claimed without renewal.
    pub lease: Duration,
    /// Tenants worked on at the same time by one process.
    pub concurrency: usize,
}

/// Step-up events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventsConfig {
    /// Days for which single events, and counts by the minute, are kept. Counts by hour and day stay.
    pub retention_days: u16,
}

/// Comparing tenants with what is wanted of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriftConfig {
    /// How often each tenant is compared.
    pub interval: Duration,
    /// Comparisons that all workers together begin within a minute in one cell; 0 is none.
    pub checks_per_min: u32,
}

/// How long deleted tenants wait before they can be purged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraceConfig {
    /// Days for a tenant.
    pub tenant_days: u16,
    /// Days for a sandbox.
    pub sandbox_days: u16,
}

/// Everything that is wrong with the configuration, one line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError(Vec<String>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration is not usable:")?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  - {problem}"))
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads file and environment of this process.
    pub fn load() -> Result<Self, ConfigError> {
        Self::read(|name| std::env::var(name).ok())
    }

    /// Reads the file that `env` names and the settings that `env` overrides.
    pub fn read(env: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut settings = Settings {
            env: &env,
            file: BTreeMap::new(),
            problems: Vec::new(),
        };
        settings.read_file();
        let config = Self {
            database: DatabaseConfig {
                url: settings.database_url(),
                max_connections: settings.number("database_max_connections", 10, 1..=1000),
            },
            listen: settings.parse(
                "listen",
                SocketAddr::from(([127, 0, 0, 1], 8080)),
                "an address and port",
            ),
            log: settings.log(),
            shutdown_delay: Duration::from_secs(settings.number("shutdown_delay_s", 0, 0..=600)),
            shutdown_grace: Duration::from_secs(settings.number("shutdown_grace_s", 65, 0..=600)),
            worker: WorkerConfig {
                poll: Duration::from_millis(settings.number("worker_poll_ms", 2000, 10..=600_000)),
                lease: Duration::from_secs(settings.number("worker_lease_s", 60, 1..=3600)),
                concurrency: settings.number("worker_concurrency", 8, 1..=256),
            },
            events: EventsConfig {
                retention_days: settings.number("events_retention_days", 30, 1..=365),
            },
            drift: DriftConfig {
                interval: Duration::from_secs(settings.number("drift_interval_s", 3600, 60..=2_592_000)),
                checks_per_min: settings.number("drift_checks_per_min", 30, 0..=100_000),
            },
            grace: GraceConfig {
                tenant_days: settings.number("tenant_grace_days", 30, 0..=365),
                sandbox_days: settings.number("sandbox_grace_days", 1, 0..=365),
            },
            worker_listen: settings.optional("worker_listen", "an address and port"),
            metrics_listen: settings.optional("metrics_listen", "an address and port"),
            metrics_tenants: settings.metrics_tenants(),
            rate_limit_per_min: settings.number("rate_limit_per_min", 1200, 0..=1_000_000),
            trusted_issuers: settings.trusted_issuers(),
            dev_insecure_loopback: settings.flag("dev_insecure_loopback"),
            encryption_keys: settings.encryption_keys(),
            allowed_webhook_networks: settings.allowed_webhook_networks(),
            console: settings.console(),
        };
        settings.check_console(&config);
        settings.refuse_unknown();
        if settings.problems.is_empty() {
            Ok(config)
        } else {
            Err(ConfigError(settings.problems))
        }
    }
}

impl LogConfig {
    /// Only the logging part, for commands that need no database. Falls back to the default on problems,
    /// which the command that reads everything reports.
    pub fn load() -> Self {
        let env = |name: &str| std::env::var(name).ok();
        let mut settings = Settings {
            env: &env,
            file: BTreeMap::new(),
            problems: Vec::new(),
        };
        settings.read_file();
        let log = settings.log();
        if settings.problems.is_empty() {
            log
        } else {
            Self::default()
        }
    }
}

/// Keys that the file and, in upper case after `STEPGATE_`, the environment may hold.
const KEYS: &[&str] = &[
    "database_url",
    "database_max_connections",
    "listen",
    "log",
    "log_format",
    "shutdown_delay_s",
    "shutdown_grace_s",
    "worker_poll_ms",
    "worker_lease_s",
    "worker_concurrency",
    "events_retention_days",
    "drift_interval_s",
    "drift_checks_per_min",
    "tenant_grace_days",
    "sandbox_grace_days",
    "worker_listen",
    "metrics_listen",
    "metrics_tenants",
    "rate_limit_per_min",
    "trusted_issuers_file",
    "dev_insecure_loopback",
    "encryption_key",
    "encryption_keys_old",
    "allowed_webhook_networks",
    "console_origin",
    "console_demo_link",
];

struct Settings<'a> {
    env: &'a dyn Fn(&str) -> Option<String>,
    file: BTreeMap<String, String>,
    problems: Vec<String>,
}

impl Settings<'_> {
    fn read_file(&mut self) {
        let Some(path) = (self.env)("STEPGATE_CONFIG") else {
            return;
        };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => {
                return self
                    .problems
                    .push(format!("STEPGATE_CONFIG: {path} cannot be read: {error}"));
            }
        };
        match text.parse::<toml::Table>() {
            Ok(table) => {
                for (key, value) in table {
                    match value {
                        toml::Value::String(text) => drop(self.file.insert(key, text)),
                        toml::Value::Integer(_) | toml::Value::Boolean(_) => {
                            self.file.insert(key, value.to_string());
                        }
                        _ => self
                            .problems
                            .push(format!("{path}: `{key}` must be a text, a number or true/false")),
                    }
                }
            }
            // The parser's own text quotes the file, which may hold a password.
            Err(error) => {
                let line = error.span().map_or(1, |span| {
                    text[..span.start.min(text.len())].matches('\n').count() + 1
                });
                self.problems.push(format!("{path}: line {line}: not valid TOML"));
            }
        }
    }

    fn refuse_unknown(&mut self) {
        for key in self.file.keys().filter(|key| !KEYS.contains(&key.as_str())) {
            self.problems
                .push(format!("`{key}` in the configuration file is not a setting"));
        }
    }

    fn raw(&self, key: &str) -> Option<String> {
        (self.env)(&variable(key)).or_else(|| self.file.get(key).cloned())
    }

    fn parse<T: FromStr>(&mut self, key: &str, default: T, what: &str) -> T {
        let Some(text) = self.raw(key) else { return default };
        text.trim().parse().unwrap_or_else(|_| {
            self.problems
                .push(format!("{} (`{key}`): `{text}` is not {what}", variable(key)));
            default
        })
    }

    fn optional<T: FromStr>(&mut self, key: &str, what: &str) -> Option<T> {
        let text = self.raw(key)?;
        let value = text.trim().parse().ok();
        if value.is_none() {
            self.problems
                .push(format!("{} (`{key}`): `{text}` is not {what}", variable(key)));
        }
        value
    }

    fn number<T>(&mut self, key: &str, default: T, range: std::ops::RangeInclusive<T>) -> T
    where
        T: FromStr + PartialOrd + fmt::Display + Copy,
    {
        let what = format!("a whole number from {} to {}", range.start(), range.end());
        let value = self.parse(key, default, &what);
        if range.contains(&value) {
            return value;
        }
        self.problems
            .push(format!("{} (`{key}`): {value} is not {what}", variable(key)));
        default
    }

    fn flag(&mut self, key: &str) -> bool {
        match self.raw(key).as_deref() {
            None | Some("" | "0" | "false") => false,
            Some("1" | "true") => true,
            Some(other) => {
                self.problems.push(format!(
                    "{} (`{key}`): `{other}` is not 1, 0, true or false",
                    variable(key)
                ));
                false
            }
        }
    }

    fn database_url(&mut self) -> SecretString {
        let text = self.raw("database_url").unwrap_or_default();
        let usable =
            url::Url::parse(&text).is_ok_and(|url| matches!(url.scheme(), "postgres" | "postgresql"));
        if text.is_empty() {
            self.problems.push(
                "STEPGATE_DATABASE_URL (`database_url`) is required: postgres://user@host/database".into(),
            );
        } else if !usable {
            // The value is not repeated: it may hold a password.
            self.problems
                .push("STEPGATE_DATABASE_URL (`database_url`) is not a postgres:// URL".into());
        }
        text.into()
    }

    fn trusted_issuers(&mut self) -> Vec<TrustedIssuer> {
        let path = self.raw("trusted_issuers_file").unwrap_or_default();
        let read = if path.is_empty() {
            Ok(Vec::new())
        } else {
            issuer::read_file(&path)
        };
        read.unwrap_or_else(|problems| {
            let name = "STEPGATE_TRUSTED_ISSUERS_FILE (`trusted_issuers_file`)";
            let lines = problems
                .iter()
                .map(|problem| format!("{name}: {path}: {problem}"));
            self.problems.extend(lines);
            Vec::new()
        })
    }

    fn log(&mut self) -> LogConfig {
        let filter = self.raw("log").unwrap_or_else(|| LogConfig::default().filter);
        if let Err(error) = tracing_subscriber::EnvFilter::builder().parse(&filter) {
            self.problems.push(format!(
                "STEPGATE_LOG (`log`): `{filter}` is not a log filter: {error}"
            ));
        }
        let format = match self.raw("log_format").as_deref() {
            None | Some("json") => LogFormat::Json,
            Some("text") => LogFormat::Text,
            Some(other) => {
                self.problems.push(format!(
                    "STEPGATE_LOG_FORMAT (`log_format`): `{other}` is not json or text"
                ));
                LogFormat::Json
            }
        };
        LogConfig { filter, format }
    }
}

fn variable(key: &str) -> String {
    format!("STEPGATE_{}", key.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let map: BTreeMap<_, _> = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        Config::read(|name| map.get(name).cloned())
    }

    #[test]
    fn a_database_url_is_enough() {
        let config = read(&[("STEPGATE_DATABASE_URL", "postgres://u@h/d")]).unwrap();
        assert_eq!(config.listen.port(), 8080);
        assert_eq!(config.worker.poll, Duration::from_secs(2));
        assert!(!config.dev_insecure_loopback);
    }

    #[test]
    fn every_problem_is_reported_and_no_password() {
        let error = read(&[
            ("STEPGATE_DATABASE_URL", "mysql://u:hunter2@h/d"),
            ("STEPGATE_LISTEN", "nowhere"),
            ("STEPGATE_LOG_FORMAT", "xml"),
            ("STEPGATE_LOG", "a=b=c"),
            ("STEPGATE_WORKER_CONCURRENCY", "0"),
            ("STEPGATE_WORKER_LISTEN", "8080"),
            ("STEPGATE_METRICS_LISTEN", "9090"),
            ("STEPGATE_METRICS_TENANTS", "acme"),
            ("STEPGATE_DEV_INSECURE_LOOPBACK", "maybe"),
            ("STEPGATE_ENCRYPTION_KEY", "hunter2"),
            ("STEPGATE_ALLOWED_WEBHOOK_NETWORKS", "10.0.0.0/8,nowhere"),
            ("STEPGATE_CONFIG", "/nonexistent/stepgate.toml"),
            ("STEPGATE_RATE_LIMIT_PER_MIN", "-1"),
            ("STEPGATE_TRUSTED_ISSUERS_FILE", "/nonexistent/issuers.toml"),
        ])
        .unwrap_err()
        .to_string();
        for needle in [
            "DATABASE_URL",
            "LISTEN",
            "LOG_FORMAT",
            "STEPGATE_LOG ",
            "CONCURRENCY",
            "WORKER_LISTEN",
            "METRICS_LISTEN",
            "`acme`",
            "LOOPBACK",
            "ENCRYPTION_KEY",
            "`nowhere`",
            "CONFIG",
            "RATE_LIMIT",
            "TRUSTED_ISSUERS_FILE",
        ] {
            assert!(error.contains(needle), "{needle} is missing in: {error}");
        }
        assert!(!error.contains("hunter2"));
    }

    #[test]
    fn the_environment_wins_over_the_file_and_unknown_keys_are_refused() {
        let path = std::env::temp_dir().join(format!("stepgate-config-{}.toml", std::process::id()));
        std::fs::write(
            &path,
            "database_url = 'postgres://u@h/d'\nlisten = '0.0.0.0:1'\nworker_lease_s = 7\n",
        )
        .unwrap();
        let file = path.to_str().unwrap();
        let config = read(&[("STEPGATE_CONFIG", file), ("STEPGATE_LISTEN", "127.0.0.1:2")]).unwrap();
        assert_eq!((config.listen.port(), config.worker.lease.as_secs()), (2, 7));
        std::fs::write(
            &path,
            "database_url = 'postgres://u@h/d'\nlisten_on = '0.0.0.0:1'\n",
        )
        .unwrap();
        assert!(
            read(&[("STEPGATE_CONFIG", file)])
                .unwrap_err()
                .to_string()
                .contains("listen_on")
        );
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn every_setting_is_documented() {
        let page = include_str!("../docs/configuration.md");
        for key in KEYS {
            let row = format!("| `{}` | `{key}` |", variable(key));
            assert!(page.contains(&row), "docs/configuration.md has no row `{row}`");
        }
        let rows = page
            .lines()
            .filter(|line| line.starts_with("| `STEPGATE_"))
            .count();
        assert_eq!(
            rows,
            KEYS.len() + 1,
            "docs/configuration.md names a setting that does not exist"
        );
    }
}
