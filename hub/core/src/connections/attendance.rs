//! A connection's place in the table of its node, for as long as it lives.

use super::order::{Ending, Order};
use super::query::Transport;
use super::table::Slot;
use crate::broker::Member;
use crate::clock::Timestamp;
use crate::hub::Hub;
use crate::ids::{ConnectionId, UserId};
use crate::lifecycle::Attended;
use crate::reason::Reason;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Says that a connection is there, until this is dropped, and hands it its orders.
///
/// Nobody counts how many there are: whoever admits connections bounds them.
pub struct Attendance {
    hub: Hub,
    slot: Arc<Slot>,
    /// Backends are told of it.
    told: Option<Attended>,
}

/// What identifies the token of a connection.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct TokenMark {
    /// Its id (`jti`).
    pub(crate) id: Option<Box<str>>,
    /// When it was issued (`iat`).
    pub(crate) issued_at: Option<Timestamp>,
}

impl Hub {
    /// A new id for a connection of this node.
    #[must_use]
    pub fn connection_id(&self) -> ConnectionId {
        ConnectionId::on(self.node(), self.clock().wall(), self.random())
    }

    /// Takes a connection into the table. If its token is revoked it has an order to go at once.
    #[must_use]
    pub fn attend(
        &self,
        connection: ConnectionId,
        transport: Transport,
        user: Option<UserId>,
        token_id: Option<Box<str>>,
        issued_at: Option<Timestamp>,
    ) -> Attendance {
        let token = TokenMark { id: token_id, issued_at };
        let slot = Slot::new(connection, transport, user, token, self.clock().wall());
        let slot = Arc::new(slot);
        self.table().insert(Arc::clone(&slot), |user| self.broker().nodes().attach(user));
        let told = self.tells_lifecycle().then(|| {
            let user = slot.user.clone();
            let joined_at = self.clock().wall();
            self.tell_of(Member { connection, user, info: None, joined_at }, transport)
        });
        let attendance = Attendance { hub: self.clone(), slot, told };
        // After it stands in the table: a revocation of this moment finds it either there or here.
        attendance.heed_revocations();
        attendance
    }
}

impl Attendance {
    /// The next order, and the waking of the task when there is one: one task asks. A connection that is `busy` with
    /// something gets only the order to end; the others wait. That order is the last, and given again to whoever asks
    /// again.
    pub fn poll_order(&self, cx: &mut Context<'_>, busy: bool) -> Poll<Order> {
        self.slot.mailbox.poll(cx, busy)
    }

    /// Calls `end` when the connection is ordered to end, or without an ending after `life`: also while nobody asks for
    /// orders, for instance because the client takes nothing. If the guard is dropped first, `end` is dropped uncalled.
    ///
    /// To be used once.
    #[must_use]
    pub fn at_end(
        &self,
        life: Duration,
        end: impl FnOnce(Option<Ending>) + Send + 'static,
    ) -> DropGuard {
        let (slot, over) = (Arc::clone(&self.slot), CancellationToken::new());
        let guard = over.clone().drop_guard();
        self.hub.spawn(async move {
            let ordered = poll_fn(|cx| slot.mailbox.poll_end(cx));
            let ended = tokio::time::timeout(life, ordered);
            if let Some(ended) = over.run_until_cancelled(ended).await {
                end(ended.ok());
            }
        });
        guard
    }

    /// Says why the hub is about to end the connection, for backends that are told of it. The first reason counts.
    pub fn part(&self, reason: Reason) {
        if let Some(told) = &self.told {
            told.part(reason);
        }
    }

    /// The connection goes on with a newer token.
    pub fn renew(&self, token_id: Option<Box<str>>, issued_at: Option<Timestamp>) {
        *self.slot.token() = TokenMark { id: token_id, issued_at };
        self.heed_revocations();
    }

    fn heed_revocations(&self) {
        let token = self.slot.token().clone();
        if self.hub.revoked().covers(self.slot.user.as_ref(), &token, self.hub.clock().wall()) {
            self.slot.mailbox.put(Order::Disconnect(super::revocations::FAREWELL));
        }
    }
}

impl Drop for Attendance {
    fn drop(&mut self) {
        self.hub.table().remove(&self.slot, |user| self.hub.broker().nodes().detach(user));
    }
}

impl fmt::Debug for Attendance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Attendance").field(&self.slot.connection).finish()
    }
}
