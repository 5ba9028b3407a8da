//! Which addresses may be connected to: those of the public internet, and what the
//! configuration adds for a lab. Pure; knows nothing of names.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Addresses with a common beginning: `10.0.0.0/8`, `fd00::/8`, or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// A text that names no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadNetwork {
    /// Neither an address nor one with a prefix.
    #[error("a network is written like 10.0.0.0/8 or fd00::/8")]
    Malformed,
    /// The prefix is longer than the address.
    #[error("the prefix is longer than the address")]
    Prefix,
    /// The address says more than the prefix lets through.
    #[error("the address has bits beyond its prefix")]
    Host,
}

impl FromStr for Network {
    type Err = BadNetwork;

    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| BadNetwork::Malformed)?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.parse().map_err(|_| BadNetwork::Malformed)?,
            None => width,
        };
        if prefix > width {
            return Err(BadNetwork::Prefix);
        }
        let network = Network { address, prefix };
        if bits(address) != masked(address, prefix) { Err(BadNetwork::Host) } else { Ok(network) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Network {
    const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Network {
        Network { address: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), prefix }
    }

    const fn v6(first: u16, second: u16, third: u16, prefix: u8) -> Network {
        let address = Ipv6Addr::new(first, second, third, 0, 0, 0, 0, 0);
        Network { address: IpAddr::V6(address), prefix }
    }

    /// Whether the address lies in it. An IPv6 address never lies in an IPv4 network,
    /// not even one that carries an IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.address.is_ipv4() == address.is_ipv4()
            && masked(address, self.prefix) == bits(self.address)
    }
}

/// Left-aligned, so that a prefix means the same for both families.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn masked(address: IpAddr, prefix: u8) -> u128 {
    let beyond = 128_u32.saturating_sub(u32::from(prefix));
    let mask = if beyond >= 128 { 0 } else { u128::MAX << beyond };
    bits(address) & mask
}

/// IPv4 addresses that are not somebody's on the public internet.
const REFUSED_V4: [Network; 16] = [
    Network::v4(0, 0, 0, 0, 8),       // this network
    Network::v4(10, 0, 0, 0, 8),      // private
    Network::v4(100, 64, 0, 0, 10),   // carriers' NAT
    Network::v4(127, 0, 0, 0, 8),     // loopback
    Network::v4(169, 254, 0, 0, 16),  // link-local, and clouds' metadata
    Network::v4(172, 16, 0, 0, 12),   // private
    Network::v4(192, 0, 0, 0, 24),    // protocol assignments
    Network::v4(192, 0, 2, 0, 24),    // documentation
    Network::v4(192, 88, 99, 0, 24),  // 6to4 relays
    Network::v4(192, 168, 0, 0, 16),  // private
    Network::v4(198, 18, 0, 0, 15),   // benchmarks
    Network::v4(198, 51, 100, 0, 24), // documentation
    Network::v4(203, 0, 113, 0, 24),  // documentation
    Network::v4(224, 0, 0, 0, 4),     // multicast
    Network::v4(240, 0, 0, 0, 4),     // reserved
    Network::v4(255, 255, 255, 255, 32),
];

/// All that is assigned as global unicast. Everything else is refused at once:
/// unspecified, loopback, unique-local, link-local, site-local, multicast, mapped and
/// compatible IPv4, discard, and what is not assigned yet.
const GLOBAL_V6: Network = Network::v6(0x2000, 0, 0, 3);
/// The well-known NAT64 prefix: judged by the IPv4 address that it carries, because on
/// a network with IPv6 only that is how the public IPv4 internet looks.
const NAT64: Network = Network::v6(0x64, 0xff9b, 0, 96);
/// What is not the public internet in [`GLOBAL_V6`].
const REFUSED_V6: [Network; 4] = [
    Network::v6(0x2001, 0, 0, 23), // protocol assignments: Teredo, benchmarks, ORCHID
    Network::v6(0x2001, 0xdb8, 0, 32), // documentation
    Network::v6(0x2002, 0, 0, 16), // 6to4
    Network::v6(0x3fff, 0, 0, 20), // documentation
];

/// Whether the address is one of the public internet.
fn is_public(address: IpAddr) -> bool {
    let v6 = match address {
        IpAddr::V4(_) => return !REFUSED_V4.iter().any(|network| network.contains(address)),
        IpAddr::V6(v6) => v6,
    };
    if NAT64.contains(address) {
        let [.., a, b, c, d] = v6.octets();
        return is_public(IpAddr::V4(Ipv4Addr::new(a, b, c, d)));
    }
    GLOBAL_V6.contains(address) && !REFUSED_V6.iter().any(|network| network.contains(address))
}

/// Judges addresses.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    allowed: Vec<Network>,
}

impl Guard {
    /// Lets through what is public, and these.
    pub fn new(allowed: Vec<Network>) -> Guard {
        Guard { allowed }
    }

    /// Whether this address may be connected to.
    pub fn allows(&self, address: IpAddr) -> bool {
        is_public(address) || self.allowed.iter().any(|network| network.contains(address))
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
        let guard = Guard::default();
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
            assert!(guard.allows(ip(public)), "{public}");
        }
    }

    #[test]
    fn what_the_configuration_adds_is_let_through_and_no_more() {
        let guard = Guard::new(vec!["10.1.0.0/16".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        assert!(guard.allows(ip("10.1.255.255")));
        assert!(guard.allows(ip("fd12::1")));
        for refused in ["10.0.0.1", "10.2.0.0", "fc00::1", "::ffff:10.1.0.1", "64:ff9b::a01:1"] {
            assert!(!guard.allows(ip(refused)), "{refused}");
        }
        let all = Guard::new(vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()]);
        assert!(all.allows(ip("127.0.0.1")) && all.allows(ip("::1")));
    }

    #[test]
    fn networks_are_read_strictly_and_written_as_they_were() {
        for text in ["10.0.0.0/8", "0.0.0.0/0", "127.0.0.1/32", "fd00::/8", "::1/128"] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), text);
        }
        assert_eq!("127.0.0.1".parse::<Network>().unwrap().to_string(), "127.0.0.1/32");
        assert_eq!("10.0.0.1/8".parse::<Network>(), Err(BadNetwork::Host));
        assert_eq!("10.0.0.0/33".parse::<Network>(), Err(BadNetwork::Prefix));
        for text in ["", "10.0.0/8", "10.0.0.0/", "10.0.0.0/x", "localhost", "0x7f.0.0.1/8"] {
            assert_eq!(text.parse::<Network>(), Err(BadNetwork::Malformed), "{text}");
        }
    }
}
