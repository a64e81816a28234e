//! Who may open a connection: the limits per node, per address and per user, and the connect rate per address.
//!
//! One table under one lock, touched when a connection opens, learns its user, and closes. What connections do once
//! they are open is limited elsewhere ([`rate`](crate::rate)).

use crate::address::{AddressKey, ClientAddress};
use crate::limits::{ADDRESSES, RETRY_WHEN_FULL};
use crate::rate::{Budget, RateLimit};
use crate::token::Identity;
use fanline_core::clock::Clock;
use fanline_core::ids::UserId;
use fanline_core::{Limits, Reason, Refusal};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The door of the node. Clones are the same door.
#[derive(Clone)]
pub struct Admission(Arc<Door>);

/// A connection that was let in. It counts until this is dropped.
#[must_use = "a connection counts as long as this is held"]
pub struct Admitted {
    door: Arc<Door>,
    address: AddressKey,
    user: Option<UserId>,
}

impl Admission {
    /// A door with the limits of the configuration.
    #[must_use]
    pub fn new(limits: &Limits, clock: Arc<dyn Clock>) -> Self {
        Admission::with_addresses(limits, ADDRESSES, clock)
    }

    fn with_addresses(limits: &Limits, addresses_max: usize, clock: Arc<dyn Clock>) -> Self {
        let rate = RateLimit::new(
            limits.connect_rate_per_ip,
            limits.connect_burst_per_ip,
            Arc::clone(&clock),
        );
        Admission(Arc::new(Door {
            connections_max: limits.connections,
            per_address_max: limits.connections_per_ip,
            per_user_max: limits.connections_per_user,
            addresses_max,
            rate,
            clock,
            counts: Mutex::default(),
        }))
    }

    /// Lets a connection in. Every attempt counts for the rate, also one that is then refused.
    ///
    /// # Errors
    /// [`Reason::RateLimited`] when the address connects too often, [`Reason::LimitExceeded`] when it or the node has
    /// too many connections.
    pub fn admit(&self, address: ClientAddress) -> Result<Admitted, Refusal> {
        self.attempt(address)?;
        self.place(address)
    }

    /// Counts an attempt of an address for its rate, without a connection: for what costs as much as opening one.
    ///
    /// # Errors
    /// [`Reason::RateLimited`] when the address tries too often.
    pub fn attempt(&self, address: ClientAddress) -> Result<(), Refusal> {
        let mut counts = self.0.lock();
        let entry = self.0.entry(&mut counts, address)?;
        entry.last_attempt = self.0.clock.monotonic();
        entry.budget.take().map_err(|wait| {
            Refusal::new(Reason::RateLimited, "too many new connections from this address")
                .with_retry_after(wait)
        })
    }

    /// Gives a connection its place, without an attempt: for a client whose token is known already.
    ///
    /// # Errors
    /// [`Reason::LimitExceeded`] when the address or the node has too many connections.
    pub fn place(&self, address: ClientAddress) -> Result<Admitted, Refusal> {
        let mut counts = self.0.lock();
        let total = counts.connections;
        let entry = self.0.entry(&mut counts, address)?;
        if total >= self.0.connections_max {
            return Err(full("this node has all the connections that it takes"));
        }
        if entry.connections >= self.0.per_address_max {
            return Err(full("this address has all the connections that it may have"));
        }
        entry.connections += 1;
        counts.connections += 1;
        Ok(Admitted { door: Arc::clone(&self.0), address: address.key(), user: None })
    }

    /// Forgets the addresses that have no connection and have not tried for so long that their rate is forgotten too.
    /// To be called every now and then.
    pub fn sweep(&self) {
        self.0.sweep(&mut self.0.lock());
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.0.lock();
        f.debug_struct("Admission")
            .field("connections", &counts.connections)
            .field("addresses", &counts.addresses.len())
            .field("users", &counts.users.len())
            .finish_non_exhaustive()
    }
}

impl Admitted {
    /// Counts the connection for whoever it turns out to be.
    ///
    /// # Errors
    /// As [`claim_user`](Self::claim_user).
    pub fn claim(&mut self, identity: &Identity) -> Result<(), Refusal> {
        identity.user.as_ref().map_or(Ok(()), |user| self.claim_user(user))
    }

    /// Counts the connection for its user, who is known only once a token was verified. A refresh may name another.
    ///
    /// # Errors
    /// [`Reason::LimitExceeded`] when the user has too many connections. The connection then counts as before.
    pub fn claim_user(&mut self, user: &UserId) -> Result<(), Refusal> {
        if self.user.as_ref() == Some(user) {
            return Ok(());
        }
        let mut counts = self.door.lock();
        let connections = counts.users.get(user).copied().unwrap_or_default();
        if connections >= self.door.per_user_max {
            return Err(full("this user has all the connections that it may have"));
        }
        counts.users.insert(user.clone(), connections + 1);
        if let Some(former) = self.user.replace(user.clone()) {
            counts.leave_user(&former);
        }
        Ok(())
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut counts = self.door.lock();
        counts.connections -= 1;
        if let Some(entry) = counts.addresses.get_mut(&self.address) {
            entry.connections -= 1;
        }
        if let Some(user) = self.user.take() {
            counts.leave_user(&user);
        }
    }
}

impl fmt::Debug for Admitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admitted").field("address", &self.address).finish_non_exhaustive()
    }
}

struct Door {
    connections_max: usize,
    per_address_max: usize,
    per_user_max: usize,
    /// Addresses without connections that are remembered for their rate alone come under this bound too.
    addresses_max: usize,
    rate: RateLimit,
    clock: Arc<dyn Clock>,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    connections: usize,
    addresses: HashMap<AddressKey, AddressEntry>,
    /// Users with connections only, so never more than there are connections.
    users: HashMap<UserId, usize>,
    last_sweep: Duration,
}

struct AddressEntry {
    connections: usize,
    budget: Budget,
    last_attempt: Duration,
}

impl AddressEntry {
    fn new(rate: &RateLimit, now: Duration) -> Self {
        AddressEntry { connections: 0, budget: rate.budget(), last_attempt: now }
    }
}

impl Door {
    /// The counts stay whole even if a holder of the lock panicked: nothing between two changes of them can.
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of an address, from now on if nothing was.
    fn entry<'a>(
        &self,
        counts: &'a mut Counts,
        address: ClientAddress,
    ) -> Result<&'a mut AddressEntry, Refusal> {
        let key = address.key();
        self.make_room(counts, key)?;
        let now = self.clock.monotonic();
        Ok(counts.addresses.entry(key).or_insert_with(|| AddressEntry::new(&self.rate, now)))
    }

    /// Makes sure that the table can take the address. When it is full of addresses that are all in use, a new one is
    /// refused: letting it in uncounted would lift every limit just when there are most attackers.
    fn make_room(&self, counts: &mut Counts, key: AddressKey) -> Result<(), Refusal> {
        // A sweep reads the whole table; an attacker must not make every attempt cost that.
        const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
        if counts.addresses.len() < self.addresses_max || counts.addresses.contains_key(&key) {
            return Ok(());
        }
        if self.clock.monotonic().saturating_sub(counts.last_sweep) >= SWEEP_INTERVAL {
            self.sweep(counts);
        }
        if counts.addresses.len() < self.addresses_max {
            return Ok(());
        }
        let message = "new connections come from too many addresses at once";
        Err(Refusal::new(Reason::RateLimited, message).with_retry_after(RETRY_WHEN_FULL))
    }

    fn sweep(&self, counts: &mut Counts) {
        let now = self.clock.monotonic();
        let full_after = self.rate.full_after();
        let in_use =
            |entry: &AddressEntry| entry.connections > 0 || now < entry.last_attempt + full_after;
        counts.addresses.retain(|_, entry| in_use(entry));
        // A wave of addresses must not leave its capacity behind.
        counts.addresses.shrink_to(counts.addresses.len() * 2);
        counts.users.shrink_to(counts.users.len() * 2);
        counts.last_sweep = now;
    }
}

impl Counts {
    fn leave_user(&mut self, user: &UserId) {
        if let Some(connections) = self.users.get_mut(user) {
            *connections -= 1;
            if *connections == 0 {
                self.users.remove(user);
            }
        }
    }
}

fn full(message: &'static str) -> Refusal {
    Refusal::new(Reason::LimitExceeded, message).with_retry_after(RETRY_WHEN_FULL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fanline_core::clock::ManualClock;
    use std::net::{IpAddr, Ipv4Addr};

    fn door(limits: Limits, addresses_max: usize) -> (Admission, ManualClock) {
        let clock = ManualClock::default();
        (Admission::with_addresses(&limits, addresses_max, Arc::new(clock.clone())), clock)
    }

    fn address(number: u8) -> ClientAddress {
        ClientAddress::from(IpAddr::from(Ipv4Addr::new(192, 0, 2, number)))
    }

    #[track_caller]
    fn refused(result: Result<Admitted, Refusal>) -> (Reason, Duration) {
        let refusal = result.unwrap_err();
        (refusal.reason(), refusal.retry_after().unwrap())
    }

    fn user(name: &str) -> UserId {
        UserId::new(name).unwrap()
    }

    fn sizes(admission: &Admission) -> (usize, usize, usize) {
        let counts = admission.0.lock();
        (counts.connections, counts.addresses.len(), counts.users.len())
    }

    #[test]
    fn an_address_has_so_many_connections_until_one_closes() {
        let (admission, _clock) = door(Limits { connections_per_ip: 2, ..Limits::default() }, 10);
        let first = admission.admit(address(1)).unwrap();
        let _second = admission.admit(address(1)).unwrap();
        assert_eq!(refused(admission.admit(address(1))), (Reason::LimitExceeded, RETRY_WHEN_FULL));
        let _other = admission.admit(address(2)).unwrap();
        drop(first);
        let _third = admission.admit(address(1)).unwrap();
    }

    #[test]
    fn the_node_has_so_many_connections_whoever_makes_them() {
        let (admission, _clock) = door(Limits { connections: 2, ..Limits::default() }, 10);
        let first = admission.admit(address(1)).unwrap();
        let _second = admission.admit(address(2)).unwrap();
        assert_eq!(refused(admission.admit(address(3))).0, Reason::LimitExceeded);
        drop(first);
        let _third = admission.admit(address(3)).unwrap();
    }

    #[test]
    fn an_address_connects_at_its_rate_after_a_burst_also_when_refused() {
        let limits =
            Limits { connect_rate_per_ip: 10, connect_burst_per_ip: 2, ..Limits::default() };
        let (admission, clock) = door(Limits { connections: 1, ..limits }, 10);
        let _first = admission.admit(address(1)).unwrap();
        assert_eq!(refused(admission.admit(address(1))).0, Reason::LimitExceeded);
        assert_eq!(
            refused(admission.admit(address(1))),
            (Reason::RateLimited, Duration::from_millis(100))
        );
        assert_eq!(
            refused(admission.admit(address(2))).0,
            Reason::LimitExceeded,
            "another address has its own rate"
        );
        clock.advance(Duration::from_millis(100));
        assert_eq!(refused(admission.admit(address(1))).0, Reason::LimitExceeded);
    }

    #[test]
    fn a_user_has_so_many_connections_from_wherever() {
        let (admission, _clock) = door(Limits { connections_per_user: 1, ..Limits::default() }, 10);
        let mut first = admission.admit(address(1)).unwrap();
        let mut second = admission.admit(address(2)).unwrap();
        first.claim_user(&user("ada")).unwrap();
        first.claim_user(&user("ada")).unwrap();
        assert_eq!(second.claim_user(&user("ada")).unwrap_err().reason(), Reason::LimitExceeded);
        second.claim_user(&user("bob")).unwrap();
        drop(first);
        second.claim_user(&user("ada")).unwrap();
        assert_eq!(sizes(&admission), (1, 2, 1), "bob is not counted any more");
    }

    #[test]
    fn nothing_is_left_of_connections_that_closed() {
        let (admission, clock) = door(Limits::default(), 10);
        let mut connection = admission.admit(address(1)).unwrap();
        connection.claim_user(&user("ada")).unwrap();
        clock.advance(Duration::from_secs(60));
        admission.sweep();
        assert_eq!(sizes(&admission), (1, 1, 1));
        drop(connection);
        assert_eq!(sizes(&admission), (0, 1, 0));
        admission.sweep();
        assert_eq!(sizes(&admission), (0, 0, 0));
    }

    #[test]
    fn a_sweep_does_not_forget_a_rate_that_still_holds() {
        let limits =
            Limits { connect_rate_per_ip: 1, connect_burst_per_ip: 2, ..Limits::default() };
        let (admission, clock) = door(limits, 10);
        drop(admission.admit(address(1)).unwrap());
        clock.advance(Duration::from_secs(1));
        drop(admission.admit(address(1)).unwrap());
        drop(admission.admit(address(1)).unwrap());
        admission.sweep();
        assert_eq!(refused(admission.admit(address(1))).0, Reason::RateLimited);
        clock.advance(Duration::from_millis(1999));
        admission.sweep();
        assert_eq!(sizes(&admission).1, 1);
        clock.advance(Duration::from_millis(1));
        admission.sweep();
        assert_eq!(sizes(&admission).1, 0);
    }

    #[test]
    fn a_table_full_of_addresses_keeps_new_ones_out_until_some_are_forgotten() {
        let (admission, clock) = door(Limits::default(), 2);
        clock.advance(Duration::from_secs(10));
        drop(admission.admit(address(1)).unwrap());
        let _second = admission.admit(address(2)).unwrap();
        assert_eq!(refused(admission.admit(address(3))).0, Reason::RateLimited);
        drop(admission.admit(address(1)).unwrap());
        assert_eq!(sizes(&admission).1, 2);
        clock.advance(Duration::from_secs(5));
        let _third = admission.admit(address(3)).unwrap();
        assert_eq!(refused(admission.admit(address(4))).0, Reason::RateLimited);
    }
}
