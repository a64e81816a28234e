//! The address of a client, also behind proxies, and the key that limits count it by.

use crate::forwarded::{self, Hop};
use http::HeaderMap;
use ipnet::IpNet;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// The address that a connection is made from, as far as it can be believed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ClientAddress(IpAddr);

/// What limits per address count by: an IPv4 address, or an IPv6 network of 64 bits, which is what one customer has.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct AddressKey(IpAddr);

/// The proxies whose word about the client is taken.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl ClientAddress {
    /// What limits count this address by.
    #[must_use]
    pub fn key(self) -> AddressKey {
        const FIRST_64_BITS: u128 = !0 << 64;
        AddressKey(match self.0 {
            IpAddr::V4(_) => self.0,
            IpAddr::V6(address) => {
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & FIRST_64_BITS))
            }
        })
    }
}

impl From<IpAddr> for ClientAddress {
    /// An IPv4 address that a socket of both families shows as `::ffff:192.0.2.1` is that IPv4 address.
    fn from(address: IpAddr) -> Self {
        ClientAddress(address.to_canonical())
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TrustedProxies {
    /// The proxies in these networks.
    #[must_use]
    pub fn new(networks: Vec<IpNet>) -> Self {
        TrustedProxies(networks)
    }

    /// The client's address: the peer of the socket, unless that is a trusted proxy; then the last address on the way
    /// that is not one. Whatever stands before that was written by somebody who is not trusted.
    #[must_use]
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> ClientAddress {
        let peer = ClientAddress::from(peer);
        if !self.trusts(peer) {
            return peer;
        }
        let standard = self.last_untrusted(peer, &forwarded::standard(headers));
        let customary = self.last_untrusted(peer, &forwarded::customary(headers));
        match (standard, customary) {
            (Some(one), Some(other)) if one == other => one,
            // A proxy writes one of the headers and passes the other on as the client wrote it: nobody knows which.
            (Some(_), Some(_)) | (None, None) => peer,
            (Some(only), None) | (None, Some(only)) => only,
        }
    }

    /// None when the header is missing. An address that is hidden ends the search at the proxy that hid it.
    fn last_untrusted(&self, peer: ClientAddress, way: &[Hop]) -> Option<ClientAddress> {
        way.first()?;
        let mut nearest = peer;
        for hop in way.iter().rev() {
            match hop.map(ClientAddress::from) {
                Some(proxy) if self.trusts(proxy) => nearest = proxy,
                Some(client) => return Some(client),
                None => break,
            }
        }
        Some(nearest)
    }

    fn trusts(&self, address: ClientAddress) -> bool {
        self.0.iter().any(|network| network.contains(&address.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn client(peer: &str, headers: &[(&'static str, &str)]) -> String {
        let proxies =
            TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        proxies.client(peer.parse().unwrap(), &headers.iter().map(pair).collect()).to_string()
    }

    #[test]
    fn a_peer_that_is_no_trusted_proxy_is_the_client_whatever_it_says() {
        let forged = [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.1")];
        assert_eq!(client("198.51.100.7", &forged), "198.51.100.7");
        assert_eq!(client("::ffff:198.51.100.7", &forged), "198.51.100.7");
    }

    #[test]
    fn behind_proxies_the_client_is_the_last_address_that_is_not_one() {
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", "192.0.2.1")]), "192.0.2.1");
        assert_eq!(
            client("10.0.0.1", &[("x-forwarded-for", "192.0.2.66, 192.0.2.1, 10.0.0.2")]),
            "192.0.2.1"
        );
        assert_eq!(client("::ffff:10.0.0.1", &[("x-forwarded-for", "192.0.2.1")]), "192.0.2.1");
        assert_eq!(
            client("fd00::1", &[("forwarded", "for=\"[2001:db8::1]:7\";proto=https")]),
            "2001:db8::1"
        );
    }

    #[test]
    fn without_a_word_about_the_client_the_nearest_proxy_counts() {
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", "192.0.2.1, unknown")]), "10.0.0.1");
        assert_eq!(
            client("10.0.0.1", &[("x-forwarded-for", "192.0.2.1, unknown, 10.0.0.2")]),
            "10.0.0.2"
        );
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", "10.0.0.3, 10.0.0.2")]), "10.0.0.3");
    }

    #[test]
    fn two_headers_that_disagree_are_both_passed_over() {
        let agreeing = [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.1")];
        assert_eq!(client("10.0.0.1", &agreeing), "192.0.2.1");
        let forged = [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.66")];
        assert_eq!(client("10.0.0.1", &forged), "10.0.0.1");
    }

    #[test]
    fn ipv6_is_counted_by_its_first_64_bits_and_ipv4_whole() {
        let key = |address: &str| ClientAddress::from(address.parse::<IpAddr>().unwrap()).key();
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
    }
}
