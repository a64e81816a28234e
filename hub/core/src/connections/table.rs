//! The connections of this node, and their mailboxes.

use super::attendance::TokenMark;
use super::order::{Ending, Order, Target};
use super::query::{ConnectionInfo, ConnectionsPage, ConnectionsQuery, Transport};
use crate::channel::ChannelName;
use crate::clock::Timestamp;
use crate::ids::{ConnectionId, NodeId, UserId};
use crate::sync::lock;
use futures_util::task::AtomicWaker;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

/// Orders that may wait for a connection to be ready for them; one that is told more does not take its orders.
const ORDERS: usize = 32;
/// The connections of one page, in bytes: well below what a message between nodes may have.
const PAGE_BYTES: usize = 512 * 1024;

/// The table.
#[derive(Debug, Default)]
pub(crate) struct Table(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    by_id: BTreeMap<ConnectionId, Arc<Slot>>,
    by_user: HashMap<UserId, BTreeSet<ConnectionId>>,
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) connection: ConnectionId,
    pub(crate) user: Option<UserId>,
    pub(crate) mailbox: Mailbox,
    transport: Transport,
    connected_at: Timestamp,
    token: Mutex<TokenMark>,
    channels: Mutex<BTreeSet<ChannelName>>,
}

/// Orders on their way to a connection.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    /// The order to end is alone here, and stays.
    orders: Mutex<VecDeque<Order>>,
    /// Of whoever obeys.
    waker: AtomicWaker,
    /// Of whoever waits for the end alone.
    end_waker: AtomicWaker,
}

impl Slot {
    pub(super) fn new(
        connection: ConnectionId,
        transport: Transport,
        user: Option<UserId>,
        token: TokenMark,
        connected_at: Timestamp,
    ) -> Self {
        Slot {
            connection,
            user,
            mailbox: Mailbox::default(),
            transport,
            connected_at,
            token: Mutex::new(token),
            channels: Mutex::default(),
        }
    }

    pub(super) fn token(&self) -> MutexGuard<'_, TokenMark> {
        lock(&self.token)
    }

    /// Gives it an order. False: it does not take it.
    fn put(&self, order: &Order) -> bool {
        let can_be_moved = match self.transport {
            Transport::WebSocket | Transport::Sse => true,
            // Each poll names its channels itself.
            Transport::LongPoll => false,
        };
        (can_be_moved || matches!(order, Order::Disconnect(_))) && self.mailbox.put(order.clone())
    }

    fn info(&self, node: NodeId) -> ConnectionInfo {
        ConnectionInfo {
            connection: self.connection,
            node,
            user: self.user.clone(),
            token_id: self.token().id.clone(),
            transport: self.transport,
            connected_at: self.connected_at,
            channels: lock(&self.channels).iter().cloned().collect(),
        }
    }
}

impl Mailbox {
    /// Puts an order in. A connection that is to end gets no other order any more. False: there is no room.
    pub(crate) fn put(&self, order: Order) -> bool {
        let mut orders = lock(&self.orders);
        if let Some(Order::Disconnect(_)) = orders.front() {
            return true;
        }
        match order {
            Order::Disconnect(_) => orders.clear(),
            Order::Join(_) | Order::Leave(_) if orders.len() >= ORDERS => return false,
            Order::Join(_) | Order::Leave(_) => {}
        }
        orders.push_back(order);
        drop(orders);
        self.waker.wake();
        self.end_waker.wake();
        true
    }

    pub(super) fn poll(&self, cx: &mut Context<'_>, busy: bool) -> Poll<Order> {
        self.waker.register(cx.waker());
        let mut orders = lock(&self.orders);
        match orders.front() {
            Some(Order::Disconnect(ending)) => Poll::Ready(Order::Disconnect(*ending)),
            Some(Order::Join(_) | Order::Leave(_)) if !busy => {
                orders.pop_front().map_or(Poll::Pending, Poll::Ready)
            }
            Some(Order::Join(_) | Order::Leave(_)) | None => Poll::Pending,
        }
    }

    fn holds_end(&self) -> bool {
        matches!(lock(&self.orders).front(), Some(Order::Disconnect(_)))
    }

    pub(super) fn poll_end(&self, cx: &mut Context<'_>) -> Poll<Ending> {
        self.end_waker.register(cx.waker());
        match lock(&self.orders).front() {
            Some(Order::Disconnect(ending)) => Poll::Ready(*ending),
            Some(Order::Join(_) | Order::Leave(_)) | None => Poll::Pending,
        }
    }
}

impl Table {
    /// Takes a connection in, and tells of a user whose first it is. It tells with the table locked, as
    /// [`remove`](Self::remove) does, so that what is told of a user is told in the order in which it is so.
    pub(super) fn insert(&self, slot: Arc<Slot>, tell_of_first: impl FnOnce(&UserId)) {
        let mut entries = lock(&self.0);
        if let Some(user) = &slot.user {
            let connections = entries.by_user.entry(user.clone()).or_default();
            connections.insert(slot.connection);
            if connections.len() == 1 {
                tell_of_first(user);
            }
        }
        entries.by_id.insert(slot.connection, slot);
    }

    /// Takes a connection out, and tells of a user whose last it was.
    pub(super) fn remove(&self, slot: &Slot, tell_of_last: impl FnOnce(&UserId)) {
        let mut entries = lock(&self.0);
        entries.by_id.remove(&slot.connection);
        let Some(user) = &slot.user else { return };
        let Some(connections) = entries.by_user.get_mut(user) else { return };
        connections.remove(&slot.connection);
        if connections.is_empty() {
            entries.by_user.remove(user);
            tell_of_last(user);
        }
    }

    /// Notes that a connection is in a channel, or not any more.
    pub(crate) fn note(&self, connection: ConnectionId, channel: &ChannelName, entered: bool) {
        let Some(slot) = lock(&self.0).by_id.get(&connection).cloned() else { return };
        let mut channels = lock(&slot.channels);
        if entered {
            channels.insert(channel.clone());
        } else {
            channels.remove(channel);
        }
    }

    /// Whether a connection is in a channel, or about to be.
    pub(crate) fn is_in(&self, connection: ConnectionId, channel: &ChannelName) -> bool {
        let slot = lock(&self.0).by_id.get(&connection).cloned();
        slot.is_some_and(|slot| lock(&slot.channels).contains(channel))
    }

    /// Gives an order; says how many connections got it.
    pub(crate) fn order(&self, target: &Target, order: &Order) -> usize {
        let slots = self.find(target);
        slots.iter().filter(|slot| slot.put(order)).count()
    }

    /// Gives an order to all connections of which something is so.
    pub(super) fn order_where(&self, order: &Order, is_so: impl Fn(&Slot) -> bool) -> usize {
        let slots: Vec<_> = lock(&self.0).by_id.values().cloned().collect();
        slots.iter().filter(|slot| is_so(slot) && slot.put(order)).count()
    }

    /// Lists connections, without those that are to end.
    pub(crate) fn list(&self, node: NodeId, query: &ConnectionsQuery) -> ConnectionsPage {
        let mut page = ConnectionsPage::default();
        let mut bytes = 0;
        for slot in self.candidates(query) {
            let wanted = !slot.mailbox.holds_end()
                && query.user.as_ref().is_none_or(|user| slot.user.as_ref() == Some(user))
                && query.channel.as_ref().is_none_or(|name| lock(&slot.channels).contains(name));
            if !wanted {
                continue;
            }
            let info = slot.info(node);
            bytes += cost(&info);
            let is_full = bytes > PAGE_BYTES && !page.connections.is_empty();
            if page.connections.len() >= query.limit || is_full {
                page.more = true;
                break;
            }
            page.connections.push(info);
        }
        page
    }

    fn find(&self, target: &Target) -> Vec<Arc<Slot>> {
        let entries = lock(&self.0);
        match target {
            Target::Connection(connection) => {
                entries.by_id.get(connection).cloned().into_iter().collect()
            }
            Target::User(user) => {
                let connections = entries.by_user.get(user).into_iter().flatten();
                connections
                    .filter_map(|connection| entries.by_id.get(connection).cloned())
                    .collect()
            }
            Target::Token(id) => {
                let with_token = |slot: &&Arc<Slot>| slot.token().id.as_ref() == Some(id);
                entries.by_id.values().filter(with_token).cloned().collect()
            }
        }
    }

    fn candidates(&self, query: &ConnectionsQuery) -> Vec<Arc<Slot>> {
        let after = query.after.map_or(Bound::Unbounded, Bound::Excluded);
        let entries = lock(&self.0);
        match &query.user {
            Some(user) => {
                let connections = entries.by_user.get(user).into_iter();
                let connections = connections.flat_map(|all| all.range((after, Bound::Unbounded)));
                connections
                    .filter_map(|connection| entries.by_id.get(connection).cloned())
                    .collect()
            }
            None => entries
                .by_id
                .range((after, Bound::Unbounded))
                .map(|(_, slot)| slot.clone())
                .collect(),
        }
    }
}

/// No less than a connection takes in a message between nodes. What is not named here is short.
fn cost(info: &ConnectionInfo) -> usize {
    let user = info.user.as_ref().map_or(0, |user| user.as_str().len());
    let token_id = info.token_id.as_ref().map_or(0, |id| id.len());
    let channels = info.channels.iter().map(|name| name.as_str().len() + 8);
    512 + user + token_id + channels.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::super::wire::Message;
    use super::*;
    use crate::random::Random;
    use crate::reason::Reason;
    use crate::testing::channel;

    fn slot(table: &Table, user: &str, millis: u64) -> Arc<Slot> {
        let slot = lone_slot(user, millis);
        table.insert(Arc::clone(&slot), |_| {});
        slot
    }

    fn lone_slot(user: &str, millis: u64) -> Arc<Slot> {
        let random = Random::seeded(millis);
        let id = ConnectionId::new(Timestamp::from_millis(millis), &random);
        let token = TokenMark { id: Some(format!("t{millis}").into()), issued_at: None };
        Arc::new(Slot::new(id, Transport::Sse, UserId::new(user), token, Timestamp::default()))
    }

    fn next(slot: &Slot) -> Option<Order> {
        match slot.mailbox.poll(&mut Context::from_waker(std::task::Waker::noop()), false) {
            Poll::Ready(order) => Some(order),
            Poll::Pending => None,
        }
    }

    #[test]
    fn orders_reach_a_connection_a_user_or_a_token() {
        let table = Table::default();
        let [one, two, three] = [("ada", 1), ("ada", 2), ("", 3)].map(|(u, n)| slot(&table, u, n));
        let join = Order::Join(channel("a:b"));
        assert_eq!(table.order(&Target::User(UserId::new("ada").unwrap()), &join), 2);
        assert_eq!(table.order(&Target::Token("t3".into()), &join), 1);
        assert_eq!(table.order(&Target::Connection(two.connection), &join), 1);
        assert_eq!([&one, &two, &three].map(|slot| next(slot).is_some() as u8), [1, 1, 1]);
        assert_eq!([&one, &two, &three].map(|slot| next(slot).is_some() as u8), [0, 1, 0]);
        [&one, &two].into_iter().for_each(|slot| table.remove(slot, |_| {}));
        assert_eq!(table.order(&Target::User(UserId::new("ada").unwrap()), &join), 0);
    }

    #[test]
    fn a_user_is_told_of_with_its_first_connection_and_its_last_in_that_order() {
        let (table, told) = (Table::default(), Mutex::new(Vec::new()));
        let tell = |is_here: bool| lock(&told).push(is_here);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (table, tell) = (&table, &tell);
                scope.spawn(move || {
                    let slot = lone_slot("ada", thread);
                    for _ in 0..5_000 {
                        table.insert(Arc::clone(&slot), |_| tell(true));
                        table.remove(&slot, |_| tell(false));
                    }
                });
            }
        });
        let told = lock(&told);
        assert!(told.len() > 1, "{}", told.len());
        assert!(told.iter().enumerate().all(|(index, is_here)| *is_here == (index % 2 == 0)));
    }

    #[test]
    fn a_mailbox_is_bounded_and_the_order_to_go_is_the_last() {
        let table = Table::default();
        let one = slot(&table, "ada", 1);
        let join = Order::Join(channel("a:b"));
        assert_eq!((0..ORDERS + 3).filter(|_| one.mailbox.put(join.clone())).count(), ORDERS);
        let ending = Ending { reason: Reason::Disconnected, reconnect: true };
        let go = Order::Disconnect(ending);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(one.mailbox.poll(&mut cx, true).is_pending(), "busy");
        assert!(one.mailbox.poll_end(&mut cx).is_pending());
        assert!(one.mailbox.put(go.clone()) && one.mailbox.put(join));
        assert_eq!(one.mailbox.poll(&mut cx, true), Poll::Ready(go.clone()));
        assert_eq!(one.mailbox.poll_end(&mut cx), Poll::Ready(ending));
        assert_eq!(next(&one), Some(go), "and it stays");
    }

    #[test]
    fn pages_follow_the_ids_and_keep_to_user_and_channel() {
        let table = Table::default();
        let node = NodeId::random(&Random::seeded(1));
        let slots = [("ada", 1), ("bob", 2), ("ada", 3)].map(|(u, n)| slot(&table, u, n));
        table.note(slots[2].connection, &channel("a:b"), true);
        let list = |query: ConnectionsQuery| {
            let page = table.list(node, &query);
            let ids = page.connections.iter().map(|info| info.connection);
            let found = ids.map(|id| slots.iter().position(|slot| slot.connection == id).unwrap());
            (found.collect::<Vec<_>>(), page.more)
        };
        let all = ConnectionsQuery { limit: 2, ..ConnectionsQuery::default() };
        assert_eq!(list(all.clone()), (vec![0, 1], true));
        assert_eq!(
            list(ConnectionsQuery { after: Some(slots[1].connection), ..all.clone() }),
            (vec![2], false)
        );
        let ada = ConnectionsQuery { user: UserId::new("ada"), ..all.clone() };
        assert_eq!(list(ada), (vec![0, 2], false));
        let room = ConnectionsQuery { channel: Some(channel("a:b")), ..all };
        assert_eq!(list(room.clone()), (vec![2], false));
        let ending = Ending { reason: Reason::Disconnected, reconnect: true };
        assert!(slots[2].mailbox.put(Order::Disconnect(ending)));
        assert_eq!(list(room), (vec![], false));
    }

    #[test]
    fn a_page_of_connections_with_long_names_fits_a_message() {
        let table = Table::default();
        let node = NodeId::random(&Random::seeded(1));
        for number in 0..100 {
            let slot = slot(&table, &number.to_string().repeat(4000), number);
            slot.token().id = Some("t".repeat(8000).into());
            table.note(slot.connection, &channel("a:b"), true);
        }
        let query = ConnectionsQuery { limit: 100, ..ConnectionsQuery::default() };
        let page = table.list(node, &query);
        assert!(page.more && page.connections.len() > 20, "{}", page.connections.len());
        assert!(Message::Listed { ask: 1, page }.encode().len() <= PAGE_BYTES);
    }
}
