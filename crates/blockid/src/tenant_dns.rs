//! The host name of a BlockID tenant.
//!
//! Customers type it, and both the browser and Stepgate go where it points. It is therefore a host name
//! and nothing else: no scheme, no path, no user name, no second meaning. A port or an IP literal is
//! accepted only under a policy that allows more than the public internet (private installations, the
//! demo). What the name resolves to is checked later and again, whenever a connection is opened.

use crate::egress::EgressPolicy;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use url::{Host, Url};

/// A validated tenant host, lower case, with a port where the policy allowed one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TenantDns {
    host: String,
    port: Option<u16>,
    address: Option<IpAddr>,
}

/// Why a text is not a tenant's host name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TenantDnsError {
    /// Nothing was given.
    #[error("is empty")]
    Empty,
    /// Longer than a DNS name can be.
    #[error("is longer than 253 characters")]
    TooLong,
    /// `https://…` or another scheme.
    #[error("must be a host name without a scheme such as https://")]
    HasScheme,
    /// A path, query or fragment follows the host.
    #[error("must be a host name without path, query or fragment")]
    HasPath,
    /// `user@host`
    #[error("must not contain a user name or '@'")]
    HasUserInfo,
    /// White space or control characters.
    #[error("must not contain white space or control characters")]
    HasWhitespace,
    /// Characters outside ASCII, or a punycode label: names that look like other names.
    #[error("must be plain ASCII without punycode (xn--) labels")]
    NotAscii,
    /// `host.`
    #[error("must not end with a dot")]
    TrailingDot,
    /// A label is empty, too long, or has a character that host names do not have.
    #[error("is not a host name: labels are 1 to 63 letters, digits or inner hyphens")]
    BadLabel,
    /// One label only.
    #[error("must be a full host name with a domain, such as customer.1kosmos.net")]
    SingleLabel,
    /// A name that never belongs to the public internet.
    #[error("is a name of private or local networks, which this installation does not allow")]
    PrivateName,
    /// An IP address.
    #[error("must be a host name; IP addresses are not allowed here")]
    IpLiteral,
    /// A number in a form that URL parsers read as an IP address (`127.1`, `0x7f000001`).
    #[error("is a number that programs read as an IP address")]
    DisguisedIp,
    /// A port where none is allowed.
    #[error("must not contain a port")]
    PortNotAllowed,
    /// Not a port number.
    #[error("has a port that is not a number from 1 to 65535")]
    BadPort,
}

impl TenantDnsError {
    /// Stable code for API answers.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLong => "too_long",
            Self::HasScheme => "has_scheme",
            Self::HasPath => "has_path",
            Self::HasUserInfo => "has_userinfo",
            Self::HasWhitespace => "has_whitespace",
            Self::NotAscii => "not_ascii",
            Self::TrailingDot => "trailing_dot",
            Self::BadLabel => "bad_label",
            Self::SingleLabel => "single_label",
            Self::PrivateName => "private_name",
            Self::IpLiteral => "ip_literal",
            Self::DisguisedIp => "disguised_ip",
            Self::PortNotAllowed => "port_not_allowed",
            Self::BadPort => "bad_port",
        }
    }
}

/// Endings that are never delegated in the public DNS (RFC 6761, RFC 6762, ICANN's `internal`).
const PRIVATE_SUFFIXES: [&str; 8] = [
    "localhost",
    "local",
    "internal",
    "arpa",
    "onion",
    "invalid",
    "test",
    "lan",
];

impl TenantDns {
    /// Reads `text` under `policy`.
    pub fn parse(text: &str, policy: &EgressPolicy) -> Result<Self, TenantDnsError> {
        refuse_foreign_characters(text)?;
        let lower = text.to_ascii_lowercase();
        let (host, port) = split_port(&lower)?;
        if host.is_empty() {
            return Err(TenantDnsError::Empty);
        }
        if host.len() > 253 {
            return Err(TenantDnsError::TooLong);
        }
        let address = parse_host(host, policy)?;
        let port = match port {
            None => None,
            Some(_) if !policy.allows_private() => return Err(TenantDnsError::PortNotAllowed),
            Some(digits) => Some(parse_port(digits)?),
        };
        Ok(Self {
            host: host.to_owned(),
            port,
            address,
        })
    }

    /// Host without port; an IPv6 address is in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Port, when it is not the scheme's own.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Whether the host is this machine by its very name.
    pub fn is_loopback(&self) -> bool {
        self.address.map_or(self.host == "localhost", |address| {
            address.to_canonical().is_loopback()
        })
    }
}

impl fmt::Display for TenantDns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => f.write_str(&self.host),
        }
    }
}

/// `https://{host}[:{port}]` without a path.
///
/// Plain HTTP is used for loopback hosts under `insecure_loopback`, unless the policy carries a CA:
/// then the provider on this machine does speak TLS.
pub fn base_url(tenant_dns: &TenantDns, policy: &EgressPolicy) -> String {
    let plain = policy.insecure_loopback && policy.extra_ca_pem.is_none() && tenant_dns.is_loopback();
    format!("{}://{tenant_dns}", if plain { "http" } else { "https" })
}

/// Whether a URL's host is loopback by its very name (not by what it resolves to).
pub(crate) fn url_is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(v4)) => v4.is_loopback(),
        Some(Host::Ipv6(v6)) => v6.is_loopback(),
        None => false,
    }
}

fn refuse_foreign_characters(text: &str) -> Result<(), TenantDnsError> {
    if text.is_empty() {
        return Err(TenantDnsError::Empty);
    }
    if text.len() > 512 {
        return Err(TenantDnsError::TooLong);
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(TenantDnsError::HasWhitespace);
    }
    if text.contains("://") {
        return Err(TenantDnsError::HasScheme);
    }
    if text.contains('@') {
        return Err(TenantDnsError::HasUserInfo);
    }
    if text.contains(['/', '\\', '?', '#']) {
        return Err(TenantDnsError::HasPath);
    }
    if !text.is_ascii() {
        return Err(TenantDnsError::NotAscii);
    }
    Ok(())
}

fn split_port(text: &str) -> Result<(&str, Option<&str>), TenantDnsError> {
    let after_host = if text.starts_with('[') {
        text.find(']').ok_or(TenantDnsError::BadLabel)? + 1
    } else {
        text.find(':').unwrap_or(text.len())
    };
    let (host, rest) = text.split_at(after_host);
    match rest.strip_prefix(':') {
        Some(digits) => Ok((host, Some(digits))),
        None if rest.is_empty() => Ok((host, None)),
        None => Err(TenantDnsError::BadLabel),
    }
}

fn parse_port(digits: &str) -> Result<u16, TenantDnsError> {
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    if !plain {
        return Err(TenantDnsError::BadPort);
    }
    digits.parse().map_err(|_| TenantDnsError::BadPort)
}

/// Validates the host and returns its address when it is a literal.
fn parse_host(host: &str, policy: &EgressPolicy) -> Result<Option<IpAddr>, TenantDnsError> {
    let literal = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inner) => Some(IpAddr::V6(
            inner.parse::<Ipv6Addr>().map_err(|_| TenantDnsError::BadLabel)?,
        )),
        None => host.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    };
    if let Some(address) = literal {
        return if policy.lists(address) {
            Ok(Some(address))
        } else {
            Err(TenantDnsError::IpLiteral)
        };
    }
    if host.ends_with('.') {
        return Err(TenantDnsError::TrailingDot);
    }
    let labels: Vec<&str> = host.split('.').collect();
    if labels.iter().any(|label| !is_label(label)) {
        return Err(TenantDnsError::BadLabel);
    }
    if labels.iter().any(|label| label.starts_with("xn--")) {
        return Err(TenantDnsError::NotAscii);
    }
    // The URL standard reads any host whose last label is a number as an IPv4 address.
    match Host::parse(host) {
        Ok(Host::Domain(_)) => {}
        _ => return Err(TenantDnsError::DisguisedIp),
    }
    let last = labels.last().copied().unwrap_or_default();
    let loopback_is_listed =
        policy.lists(Ipv4Addr::LOCALHOST.into()) || policy.lists(Ipv6Addr::LOCALHOST.into());
    if host == "localhost" && loopback_is_listed {
        return Ok(None);
    }
    if PRIVATE_SUFFIXES.contains(&last) && (policy.allowed_networks.is_empty() || last == "localhost") {
        return Err(TenantDnsError::PrivateName);
    }
    if labels.len() < 2 {
        return Err(TenantDnsError::SingleLabel);
    }
    Ok(None)
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests;
