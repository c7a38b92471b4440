//! What is a tenant's host name and what is not, as tables.

use super::TenantDnsError as E;
use super::*;

fn public(text: &str) -> Result<String, E> {
    TenantDns::parse(text, &EgressPolicy::default()).map(|dns| dns.to_string())
}

fn loopback_policy() -> EgressPolicy {
    EgressPolicy::new(&["127.0.0.1/32", "::1/128"], true, None).unwrap()
}

#[test]
fn host_names_are_folded_to_lower_case() {
    assert_eq!(public("Customer.1Kosmos.NET"), Ok("customer.1kosmos.net".into()));
    assert_eq!(public("a-b.c--d.example.com"), Ok("a-b.c--d.example.com".into()));
}

#[test]
fn everything_else_is_refused_with_its_reason() {
    let long_label = format!("{}.example.com", "a".repeat(64));
    let long_name = format!("{}.com", "abcdefgh.".repeat(32));
    for (text, reason) in [
        ("", E::Empty),
        (":443", E::Empty),
        ("https://customer.1kosmos.net", E::HasScheme),
        ("javascript://customer.1kosmos.net", E::HasScheme),
        ("customer.1kosmos.net/admin", E::HasPath),
        ("customer.1kosmos.net\\@evil.example", E::HasUserInfo),
        ("customer.1kosmos.net\\evil", E::HasPath),
        ("customer.1kosmos.net?x", E::HasPath),
        ("customer.1kosmos.net#x", E::HasPath),
        ("user@customer.1kosmos.net", E::HasUserInfo),
        ("user:password@customer.1kosmos.net", E::HasUserInfo),
        (" customer.1kosmos.net", E::HasWhitespace),
        ("customer.1kosmos.net\n", E::HasWhitespace),
        ("customer.1kosmos.net\u{0}", E::HasWhitespace),
        ("customer\u{3002}1kosmos.net", E::NotAscii),
        ("cust\u{43e}mer.1kosmos.net", E::NotAscii),
        ("\u{ff4c}ocalhost", E::NotAscii),
        ("xn--cstomer-n2a.1kosmos.net", E::NotAscii),
        ("customer.1kosmos.net.", E::TrailingDot),
        ("customer..net", E::BadLabel),
        (".customer.net", E::BadLabel),
        ("-a.example.com", E::BadLabel),
        ("a-.example.com", E::BadLabel),
        ("under_score.example.com", E::BadLabel),
        ("a%2eb.example.com", E::BadLabel),
        ("*.example.com", E::BadLabel),
        (&long_label, E::BadLabel),
        (&long_name, E::TooLong),
        ("customer", E::SingleLabel),
        ("localhost", E::PrivateName),
        ("LOCALHOST", E::PrivateName),
        ("a.localhost", E::PrivateName),
        ("printer.local", E::PrivateName),
        ("metadata.google.internal", E::PrivateName),
        ("1.0.0.127.in-addr.arpa", E::PrivateName),
        ("127.0.0.1", E::IpLiteral),
        ("169.254.169.254", E::IpLiteral),
        ("8.8.8.8", E::IpLiteral),
        ("[::1]", E::IpLiteral),
        ("[::ffff:127.0.0.1]", E::IpLiteral),
        ("[fe80::1%25eth0]", E::BadLabel),
        ("127.1", E::DisguisedIp),
        ("0x7f.0.0.1", E::DisguisedIp),
        ("0177.0.0.1", E::DisguisedIp),
        ("2130706433", E::DisguisedIp),
        ("a.b.1", E::DisguisedIp),
        ("customer.1kosmos.net:443", E::PortNotAllowed),
        ("customer.1kosmos.net:22", E::PortNotAllowed),
        ("customer.1kosmos.net:", E::PortNotAllowed),
    ] {
        assert_eq!(public(text), Err(reason), "{text:?}");
    }
}

#[test]
fn a_policy_with_networks_allows_listed_literals_and_ports() {
    let policy = loopback_policy();
    for text in [
        "127.0.0.1:8443",
        "localhost:8080",
        "[::1]:9000",
        "127.0.0.1",
        "idp.example.com:8443",
    ] {
        assert_eq!(
            TenantDns::parse(text, &policy).map(|dns| dns.to_string()),
            Ok(text.to_owned())
        );
    }
    for (text, reason) in [
        ("127.0.0.2:80", E::IpLiteral),
        ("10.0.0.1", E::IpLiteral),
        ("169.254.169.254", E::IpLiteral),
        ("localhost:0", E::BadPort),
        ("localhost:080", E::BadPort),
        ("localhost:65536", E::BadPort),
        ("localhost:+80", E::BadPort),
        ("localhost:80:80", E::BadPort),
        ("localhost:", E::BadPort),
        ("a.localhost", E::PrivateName),
    ] {
        assert_eq!(TenantDns::parse(text, &policy), Err(reason), "{text:?}");
    }
}

#[test]
fn plain_http_is_for_loopback_in_development_only() {
    let policy = loopback_policy();
    let at = |text: &str, policy: &EgressPolicy| base_url(&TenantDns::parse(text, policy).unwrap(), policy);
    assert_eq!(at("127.0.0.1:8080", &policy), "http://127.0.0.1:8080");
    assert_eq!(
        at("customer.1kosmos.net", &policy),
        "https://customer.1kosmos.net"
    );
    let with_ca = EgressPolicy {
        extra_ca_pem: Some("…".into()),
        ..policy.clone()
    };
    assert_eq!(at("localhost:8443", &with_ca), "https://localhost:8443");
    let strict = EgressPolicy {
        insecure_loopback: false,
        ..policy
    };
    assert_eq!(at("127.0.0.1:8080", &strict), "https://127.0.0.1:8080");
}
