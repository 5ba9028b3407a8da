//! Which addresses may be connected to: those of the public internet, and what the
//! configuration adds. Pure; knows nothing of names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Why a text is not the name of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadNetwork {
    /// Neither an address nor one with a prefix.
    #[error("a network is written like 10.0.0.0/8 or fd00::/8")]
    Malformed,
    /// The prefix is longer than the address.
    #[error("the prefix is longer than the address")]
    Prefix,
    /// The address is not the first of the network.
    #[error("the address has bits beyond its prefix")]
    Host,
}

/// Reads a network, or a single address. Stricter than [`IpNet`], which accepts bits beyond
/// the prefix.
pub fn parse_network(text: &str) -> Result<IpNet, BadNetwork> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| BadNetwork::Malformed)?;
    let network = match prefix {
        None => IpNet::from(address),
        Some(prefix) => {
            let prefix = prefix.parse().map_err(|_| BadNetwork::Malformed)?;
            IpNet::new(address, prefix).map_err(|_| BadNetwork::Prefix)?
        }
    };
    if network == network.trunc() { Ok(network) } else { Err(BadNetwork::Host) }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(first: u16, second: u16, third: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(first, second, third, 0, 0, 0, 0, 0), prefix)
}

/// IPv4 addresses that are not somebody's on the public internet.
const REFUSED_V4: [Ipv4Net; 16] = [
    v4(0, 0, 0, 0, 8),       // this network
    v4(10, 0, 0, 0, 8),      // private
    v4(100, 64, 0, 0, 10),   // carriers' NAT
    v4(127, 0, 0, 0, 8),     // loopback
    v4(169, 254, 0, 0, 16),  // link-local, and clouds' metadata
    v4(172, 16, 0, 0, 12),   // private
    v4(192, 0, 0, 0, 24),    // protocol assignments
    v4(192, 0, 2, 0, 24),    // documentation
    v4(192, 88, 99, 0, 24),  // 6to4 relays
    v4(192, 168, 0, 0, 16),  // private
    v4(198, 18, 0, 0, 15),   // benchmarks
    v4(198, 51, 100, 0, 24), // documentation
    v4(203, 0, 113, 0, 24),  // documentation
    v4(224, 0, 0, 0, 4),     // multicast
    v4(240, 0, 0, 0, 4),     // reserved
    v4(255, 255, 255, 255, 32),
];

/// All that is assigned as global unicast. Everything else is refused at once:
/// unspecified, loopback, unique-local, link-local, site-local, multicast, mapped and
/// compatible IPv4, discard, and what is not assigned yet.
const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 0, 3);
/// The well-known NAT64 prefix: judged by the IPv4 address that it carries, because on
/// a network with IPv6 only that is how the public IPv4 internet looks.
const NAT64: Ipv6Net = v6(0x64, 0xff9b, 0, 96);
/// What is not the public internet in [`GLOBAL_V6`].
const REFUSED_V6: [Ipv6Net; 4] = [
    v6(0x2001, 0, 0, 23),     // protocol assignments: Teredo, benchmarks, ORCHID
    v6(0x2001, 0xdb8, 0, 32), // documentation
    v6(0x2002, 0, 0, 16),     // 6to4
    v6(0x3fff, 0, 0, 20),     // documentation
];

/// Whether the address is one of the public internet.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) if NAT64.contains(&v6) => {
            let [.., a, b, c, d] = v6.octets();
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        IpAddr::V6(v6) => {
            GLOBAL_V6.contains(&v6) && !REFUSED_V6.iter().any(|network| network.contains(&v6))
        }
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !REFUSED_V4.iter().any(|network| network.contains(&address))
}

/// Which addresses a connector may connect to.
#[derive(Clone, Debug)]
pub enum IpFilter {
    /// Every address: for hosts that the operator or the server names.
    Any,
    /// The public internet and these networks: for hosts that callers name.
    Public(Vec<IpNet>),
}

impl IpFilter {
    /// Whether this address may be connected to. An IPv6 address that carries an IPv4 address
    /// is never in an IPv4 network.
    pub fn allows(&self, address: IpAddr) -> bool {
        match self {
            IpFilter::Any => true,
            IpFilter::Public(allowed) => {
                is_public(address) || allowed.iter().any(|network| network.contains(&address))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_public_internet_is_let_through() {
        let filter = IpFilter::Public(Vec::new());
        for public in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "128.0.0.0",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:200::1",
            "2a00::1",
            "64:ff9b::101:101",
        ] {
            assert!(filter.allows(ip(public)), "{public}");
        }
    }

    #[test]
    fn what_the_configuration_adds_is_let_through_and_no_more() {
        let filter = IpFilter::Public(vec![
            parse_network("10.1.0.0/16").unwrap(),
            parse_network("fd00::/8").unwrap(),
        ]);
        assert!(filter.allows(ip("10.1.255.255")));
        assert!(filter.allows(ip("fd12::1")));
        for refused in ["10.0.0.1", "10.2.0.0", "fc00::1", "::ffff:10.1.0.1", "64:ff9b::a01:1"] {
            assert!(!filter.allows(ip(refused)), "{refused}");
        }
        let all = IpFilter::Public(vec![
            parse_network("0.0.0.0/0").unwrap(),
            parse_network("::/0").unwrap(),
        ]);
        assert!(all.allows(ip("127.0.0.1")) && all.allows(ip("::1")));
    }

    #[test]
    fn networks_are_read_strictly_and_written_as_they_were() {
        for text in ["10.0.0.0/8", "0.0.0.0/0", "127.0.0.1/32", "fd00::/8", "::1/128"] {
            assert_eq!(parse_network(text).unwrap().to_string(), text);
        }
        assert_eq!(parse_network("127.0.0.1").unwrap().to_string(), "127.0.0.1/32");
        assert_eq!(parse_network("10.0.0.1/8"), Err(BadNetwork::Host));
        assert_eq!(parse_network("10.0.0.0/33"), Err(BadNetwork::Prefix));
        for text in ["", "10.0.0/8", "10.0.0.0/", "10.0.0.0/x", "localhost", "0x7f.0.0.1/8"] {
            assert_eq!(parse_network(text), Err(BadNetwork::Malformed), "{text}");
        }
    }
}
