//! Settings of the console.

use super::{Config, Settings};
use url::{Host, Url};

/// The pages for operators.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConsoleConfig {
    /// Where browsers reach them, `https://host[:port]`: issuers send browsers back there.
    pub origin: Option<String>,
    /// Demonstrations only: links that sign an operator in are made and taken.
    pub demo_link: bool,
}

impl Settings<'_> {
    pub(super) fn console(&mut self) -> ConsoleConfig {
        ConsoleConfig {
            origin: self.raw("console_origin"),
            demo_link: self.flag("console_demo_link"),
        }
    }

    /// What depends on other settings.
    pub(super) fn check_console(&mut self, config: &Config) {
        if let Some(origin) = &config.console.origin
            && !is_origin(origin, config.dev_insecure_loopback)
        {
            self.problems.push(format!(
                "STEPGATE_CONSOLE_ORIGIN (`console_origin`): `{origin}` is not `https://host[:port]`"
            ));
        }
        let signs_in = config.trusted_issuers.iter().any(|issuer| issuer.login.is_some());
        if signs_in && config.console.origin.is_none() {
            self.problems.push(
                "STEPGATE_CONSOLE_ORIGIN (`console_origin`) is required where an issuer has a `login`"
                    .to_owned(),
            );
        }
    }
}

/// Whether `text` is an origin that browsers keep our cookies for: HTTPS or, in development, loopback.
fn is_origin(text: &str, insecure_loopback: bool) -> bool {
    let Ok(url) = Url::parse(text) else {
        return false;
    };
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let scheme = url.scheme() == "https" || (url.scheme() == "http" && loopback && insecure_loopback);
    scheme && url.origin().ascii_serialization() == text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_exact_and_plain_only_on_loopback_in_development() {
        assert!(is_origin("https://stepgate.example", false));
        assert!(is_origin("https://stepgate.example:8443", false));
        assert!(is_origin("http://127.0.0.1:8080", true));
        for bad in [
            "https://stepgate.example/",
            "https://stepgate.example/console",
            "http://stepgate.example",
            "stepgate.example",
            "",
        ] {
            assert!(!is_origin(bad, true), "{bad}");
        }
        assert!(!is_origin("http://127.0.0.1:8080", false));
    }
}
