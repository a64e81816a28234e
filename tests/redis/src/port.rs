//! Ports for processes that must be told where to listen.
//!
//! Asking the system for a port and giving it back leaves it to whoever connects next: outgoing connections take theirs
//! from the same range. So these lie below that range, and each is reserved among all test processes until its own ends.

use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Below what Linux (32,768 up) and macOS (49,152 up) give to outgoing connections.
const PORTS: Range<u16> = 20_000..32_000;

/// Holds the ports of this process: a UDP socket of the same number, which nothing else here wants. Two processes cannot
/// both bind it, and the system frees it when the process ends in whatever way.
static RESERVED: Mutex<Vec<UdpSocket>> = Mutex::new(Vec::new());

/// A TCP port on the loopback that nobody listens on and that no other test is given.
pub fn free_port() -> u16 {
    let count = u64::from(PORTS.end - PORTS.start);
    let start = RandomState::new().hash_one("the first to try") % count;
    let (port, reservation) = (0..count)
        .map(|step| PORTS.start + u16::try_from((start + step) % count).expect("less than count"))
        .find_map(|port| Some((port, reserve(port)?)))
        .expect("one of so many ports is free");
    RESERVED.lock().unwrap_or_else(PoisonError::into_inner).push(reservation);
    port
}

fn reserve(port: u16) -> Option<UdpSocket> {
    let address = (Ipv4Addr::LOCALHOST, port);
    let reservation = UdpSocket::bind(address).ok()?;
    TcpListener::bind(address).ok()?;
    Some(reservation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::fs;

    #[test]
    fn no_port_is_given_twice() {
        let given: HashSet<u16> = (0..500).map(|_| free_port()).collect();
        assert_eq!(given.len(), 500);
    }

    #[test]
    fn a_port_that_is_reserved_or_listened_on_is_passed_over() {
        let reserved = free_port();
        assert!(reserve(reserved).is_none());

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(reserve(listener.local_addr().unwrap().port()).is_none());
    }

    #[test]
    fn no_outgoing_connection_takes_one_of_them() {
        let Ok(range) = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range") else {
            return; // Not Linux.
        };
        let first: u16 = range.split_whitespace().next().unwrap().parse().unwrap();
        assert!(PORTS.end <= first, "outgoing connections take ports from {first}: {PORTS:?}");
    }
}
