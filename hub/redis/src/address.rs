//! Where a Redis server listens.

use std::fmt;

/// Host and port.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Address {
    /// Reads `host:port` as Redis writes it in redirections: an IPv6 host has no brackets there.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Some(Address { host: host.to_owned(), port: port.parse().ok()? })
            .filter(|address| !address.host.is_empty())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirections_name_hosts_of_every_kind() {
        let parsed = |text| Address::parse(text).map(|address| (address.host, address.port));
        assert_eq!(parsed("10.0.0.1:7000"), Some(("10.0.0.1".into(), 7000)));
        assert_eq!(parsed("::1:7000"), Some(("::1".into(), 7000)));
        assert_eq!(parsed("[::1]:7000"), Some(("::1".into(), 7000)));
        assert_eq!(parsed(":7000"), None);
        assert_eq!(parsed("redis"), None);
    }
}
