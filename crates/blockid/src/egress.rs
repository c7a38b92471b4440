//! Which addresses Stepgate may connect to.
//!
//! The host name of a BlockID tenant is typed by a customer, and Stepgate sends client credentials to
//! it. Without a rule about addresses, `tenant_dns` would be a way to make our servers talk to whatever
//! they can reach: cloud metadata, databases, other tenants' networks. So only public unicast addresses
//! are connected to, and beside them the networks that an operator lists for a cell.

use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use step_up::settings::TenantSettings;

/// What may be connected to, and how.
///
/// The default allows HTTPS to public addresses and nothing else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EgressPolicy {
    /// Networks beside the public internet (private installations, the demo's loopback).
    pub allowed_networks: Vec<IpNet>,
    /// Whether plain HTTP is spoken to loopback hosts. Development only; the address itself must
    /// still be listed in `allowed_networks`.
    pub insecure_loopback: bool,
    /// Trust anchors beside the compiled-in Mozilla roots, PEM.
    pub extra_ca_pem: Option<String>,
}

/// A network of the settings is not in CIDR notation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("allowed provider network {index} is not in CIDR notation")]
pub struct NetworkSyntaxError {
    /// Position in the list, from 0.
    pub index: usize,
}

impl EgressPolicy {
    /// Reads networks in CIDR notation, or single addresses.
    pub fn new<S: AsRef<str>>(
        allowed_networks: &[S],
        insecure_loopback: bool,
        extra_ca_pem: Option<String>,
    ) -> Result<Self, NetworkSyntaxError> {
        let allowed_networks = allowed_networks
            .iter()
            .enumerate()
            .map(|(index, text)| {
                let text = text.as_ref().trim();
                text.parse::<IpNet>()
                    .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
                    .map_err(|_| NetworkSyntaxError { index })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            allowed_networks,
            insecure_loopback,
            extra_ca_pem,
        })
    }

    /// The policy a trigger works under. `insecure_loopback` comes from its process environment, never
    /// from the settings: what the control plane writes must not be able to turn TLS off.
    pub fn from_settings(
        settings: &TenantSettings,
        insecure_loopback: bool,
    ) -> Result<Self, NetworkSyntaxError> {
        Self::new(
            &settings.allowed_provider_networks,
            insecure_loopback,
            settings.extra_ca_pem.clone(),
        )
    }

    /// Whether a connection to `address` may be opened.
    pub fn permits(&self, address: IpAddr) -> bool {
        is_public(address) || self.lists(address)
    }

    /// Whether `address` is in a network that the operator listed.
    pub fn lists(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        !is_never_allowed(address)
            && self
                .allowed_networks
                .iter()
                .any(|network| network.contains(&address))
    }

    /// Whether anything beside the public internet is allowed. Only then may a tenant have a port or
    /// an IP literal as its host.
    pub fn allows_private(&self) -> bool {
        self.insecure_loopback || !self.allowed_networks.is_empty()
    }
}

/// Addresses that no list opens: instance metadata and credentials of the clouds (link-local, and the
/// fixed IPv6 address of AWS), and what is not an address of one host.
fn is_never_allowed(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_unspecified() || v4.is_multicast() || v4.is_broadcast(),
        IpAddr::V6(v6) => {
            v6.is_unspecified()
                || v6.is_multicast()
                || v6.is_unicast_link_local()
                || v6.segments()[..2] == [0xfd00, 0x0ec2]
        }
    }
}

/// Whether `address` is an ordinary address of the public internet.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

/// Networks of the IANA IPv4 special-purpose registry, and multicast and reserved space.
const NOT_PUBLIC_V4: [(Ipv4Addr, u8); 15] = [
    (Ipv4Addr::UNSPECIFIED, 8),           // this network
    (Ipv4Addr::new(10, 0, 0, 0), 8),      // private
    (Ipv4Addr::new(100, 64, 0, 0), 10),   // carrier-grade NAT
    (Ipv4Addr::new(127, 0, 0, 0), 8),     // loopback
    (Ipv4Addr::new(169, 254, 0, 0), 16),  // link-local, cloud metadata
    (Ipv4Addr::new(172, 16, 0, 0), 12),   // private
    (Ipv4Addr::new(192, 0, 0, 0), 24),    // protocol assignments
    (Ipv4Addr::new(192, 0, 2, 0), 24),    // documentation
    (Ipv4Addr::new(192, 88, 99, 0), 24),  // 6to4 relays
    (Ipv4Addr::new(192, 168, 0, 0), 16),  // private
    (Ipv4Addr::new(198, 18, 0, 0), 15),   // benchmarks
    (Ipv4Addr::new(198, 51, 100, 0), 24), // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24),  // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4),     // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4),     // reserved, broadcast
];

fn is_public_v4(address: Ipv4Addr) -> bool {
    let bits = u32::from(address);
    !NOT_PUBLIC_V4.iter().any(|&(network, length)| {
        let shift = 32 - u32::from(length);
        bits >> shift == u32::from(network) >> shift
    })
}

/// Networks inside global unicast (2000::/3) that are not ordinary public addresses.
const NOT_PUBLIC_V6: [(Ipv6Addr, u8); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments: Teredo, ORCHID, benchmarks
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4: carries any IPv4 address
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];

fn is_public_v6(address: Ipv6Addr) -> bool {
    // NAT64 (RFC 6052): an IPv6-only network reaches IPv4 hosts so; what counts is the host behind.
    if let [0x64, 0xff9b, 0, 0, 0, 0, high, low] = address.segments() {
        return is_public_v4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    }
    let bits = u128::from(address);
    let global_unicast = bits >> 125 == 0b001;
    global_unicast
        && !NOT_PUBLIC_V6.iter().any(|&(network, length)| {
            let shift = 128 - u32::from(length);
            bits >> shift == u128::from(network) >> shift
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_that_are_not_public_are_refused() {
        let policy = EgressPolicy::default();
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "169.254.170.2",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.0.170",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2002:7f00:1::1",
            "2002:808:808::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "2001:db8::1",
            "2001:2::1",
            "3fff::1",
            "100::1",
            "fc00::1",
            "fd00:ec2::254",
            "fdff::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "5f00::1",
        ] {
            assert!(!policy.permits(ip(address)), "{address} was permitted");
        }
    }

    #[test]
    fn public_addresses_are_permitted() {
        let policy = EgressPolicy::default();
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00:1450:4001::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
        ] {
            assert!(policy.permits(ip(address)), "{address} was refused");
        }
    }

    #[test]
    fn a_list_opens_its_networks_and_nothing_else() {
        let policy = EgressPolicy::new(&["10.1.0.0/16", "127.0.0.1", "fd12::/16"], false, None).unwrap();
        for address in ["10.1.2.3", "127.0.0.1", "::ffff:10.1.2.3", "fd12::9"] {
            assert!(policy.permits(ip(address)), "{address} was refused");
        }
        for address in ["10.2.0.1", "127.0.0.2", "::1", "192.168.0.1", "fd13::9"] {
            assert!(!policy.permits(ip(address)), "{address} was permitted");
        }
    }

    #[test]
    fn no_list_opens_metadata_or_group_addresses() {
        let policy = EgressPolicy::new(&["0.0.0.0/0", "::/0"], true, None).unwrap();
        for address in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "fd00:ec2::254",
            "fe80::1",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
        ] {
            assert!(!policy.permits(ip(address)), "{address} was permitted");
        }
        assert!(policy.permits(ip("192.168.0.1")));
    }

    #[test]
    fn a_wrong_network_is_named_by_its_position() {
        let wrong = EgressPolicy::new(&["10.0.0.0/8", "not a network"], false, None);
        assert_eq!(wrong, Err(NetworkSyntaxError { index: 1 }));
    }
}
