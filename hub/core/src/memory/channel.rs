//! One channel of the memory broker: its counter, history, idempotency keys and members.

use super::MemoryLimits;
use super::changes::Untold;
use super::metrics::MemoryMetrics;
use crate::broker::{
    BrokerError, ChannelState, HistoryPage, HistoryQuery, HistoryRange, Member, Publication,
    Published,
};
use crate::event::Event;
use crate::ids::ConnectionId;
use crate::namespace::Retention;
use crate::position::Epoch;
use crate::{Offset, Position};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// How long a channel is remembered into which nothing was ever published: long enough for whoever waits there to
/// reconnect, short enough that asking for made-up names fills nothing.
const UNUSED_TTL: Duration = Duration::from_secs(10 * 60);

/// One channel. All times are those of the monotonic clock.
#[derive(Debug)]
pub(super) struct Channel {
    /// Whether the hub wants to hear of it.
    pub(super) subscribed: bool,
    /// When somebody last published or left.
    pub(super) touched: Duration,
    pub(super) members: Members,
    pub(super) untold: Untold,
    top: Position,
    /// Consecutive offsets up to `top`; an event whose own time is over stays until those before it go.
    kept: VecDeque<Kept>,
    keys: Keys,
    epoch_ttl: Duration,
}

#[derive(Debug)]
struct Kept {
    event: Arc<Event>,
    expires: Duration,
}

impl Channel {
    pub(super) fn new(epoch: Epoch, now: Duration) -> Self {
        Channel {
            subscribed: false,
            touched: now,
            members: Members::default(),
            untold: Untold::new(epoch),
            top: Position::new(epoch, Offset::ZERO),
            kept: VecDeque::new(),
            keys: Keys::default(),
            epoch_ttl: Retention::default().epoch_ttl,
        }
    }

    /// Publishes; gives no event when the key was known.
    pub(super) fn publish(
        &mut self,
        publication: Publication,
        now: Duration,
        limits: &MemoryLimits,
        metrics: &MemoryMetrics,
    ) -> Result<(Published, Option<Arc<Event>>), BrokerError> {
        let Publication {
            channel,
            id,
            time,
            body,
            idempotency_key,
            idempotency_window,
            retention,
            ttl,
        } = publication;
        if let Some(first) = idempotency_key.as_deref().and_then(|key| self.keys.get(key)) {
            return Ok((Published { duplicate: true, ..first }, None));
        }
        let position = self.top.at(self.top.offset.next());
        let event = Arc::new(Event::new(channel, position, id, time, body));
        if retention.size > 0 {
            self.make_room(event.cost(), retention.size, limits, metrics)?;
            let expires = now + ttl.map_or(retention.ttl, |ttl| ttl.min(retention.ttl));
            self.kept.push_back(Kept { event: Arc::clone(&event), expires });
        }
        let published = Published { id, position, duplicate: false };
        if let Some(key) = idempotency_key {
            self.keys.insert(
                key,
                published,
                now + idempotency_window,
                limits.idempotency_keys,
                metrics,
            );
        }
        (self.top, self.touched, self.epoch_ttl) = (position, now, retention.epoch_ttl);
        Ok((published, Some(event)))
    }

    /// Makes room for one more event, and books it.
    fn make_room(
        &mut self,
        cost: usize,
        size: usize,
        limits: &MemoryLimits,
        metrics: &MemoryMetrics,
    ) -> Result<(), BrokerError> {
        while self.kept.len() >= size {
            self.forget_oldest(metrics);
        }
        let bytes_max = signed(limits.history_bytes);
        while metrics.history_bytes.get() + signed(cost) > bytes_max {
            if self.kept.is_empty() {
                return Err(BrokerError::Full(
                    "the memory broker's histories hold as many bytes as they may",
                ));
            }
            self.forget_oldest(metrics);
        }
        metrics.history_bytes.inc_by(signed(cost));
        Ok(())
    }

    fn forget_oldest(&mut self, metrics: &MemoryMetrics) {
        if let Some(oldest) = self.kept.pop_front() {
            metrics.history_bytes.dec_by(signed(oldest.event.cost()));
        }
    }

    /// Lets go of what is older than it may be.
    pub(super) fn expire(&mut self, now: Duration, metrics: &MemoryMetrics) {
        while self.kept.front().is_some_and(|kept| kept.expires <= now) {
            self.forget_oldest(metrics);
        }
        self.keys.expire(now);
    }

    pub(super) fn read(&self, query: HistoryQuery, now: Duration) -> HistoryPage {
        let oldest =
            self.kept.front().map_or(self.top.offset.next(), |kept| kept.event.position.offset);
        let state = ChannelState { top: self.top, oldest };
        // Offsets are consecutive, so that an offset is an index.
        let index = |offset: Offset| {
            let index = offset.get().saturating_sub(oldest.get());
            usize::try_from(index).unwrap_or(usize::MAX).min(self.kept.len())
        };
        let (events, more) = match query.range {
            HistoryRange::After(offset) => {
                page(self.kept.range(index(offset.next())..), query, now)
            }
            HistoryRange::Before(offset) => {
                page(self.kept.range(..index(offset)).rev(), query, now)
            }
        };
        HistoryPage { state, events, more }
    }

    /// Whether it has members or events.
    pub(super) fn is_live(&self) -> bool {
        !self.members.is_empty() || !self.kept.is_empty()
    }

    /// Whether nobody would notice if its counter started anew in another epoch.
    pub(super) fn is_forgotten(&self, now: Duration) -> bool {
        let in_use =
            self.subscribed || self.is_live() || !self.keys.is_empty() || !self.untold.is_empty();
        let ttl = if self.top.offset == Offset::ZERO {
            UNUSED_TTL.min(self.epoch_ttl)
        } else {
            self.epoch_ttl
        };
        !in_use && now >= self.touched + ttl
    }
}

fn page<'a>(
    range: impl Iterator<Item = &'a Kept>,
    query: HistoryQuery,
    now: Duration,
) -> (Vec<Arc<Event>>, bool) {
    let (mut events, mut bytes) = (Vec::new(), 0);
    for kept in range.filter(|kept| kept.expires > now) {
        bytes += kept.event.cost();
        if events.len() >= query.limit || (bytes > query.bytes && !events.is_empty()) {
            return (events, true);
        }
        events.push(Arc::clone(&kept.event));
    }
    (events, false)
}

/// Bytes and counts are far below what an `i64` holds.
fn signed(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The idempotency keys of a channel, in the order of their coming, which is that of their going.
#[derive(Debug, Default)]
struct Keys {
    answers: HashMap<Arc<str>, Published>,
    expiries: VecDeque<(Duration, Arc<str>)>,
}

impl Keys {
    fn get(&self, key: &str) -> Option<Published> {
        self.answers.get(key).copied()
    }

    fn insert(
        &mut self,
        key: Box<str>,
        answer: Published,
        expires: Duration,
        most: usize,
        metrics: &MemoryMetrics,
    ) {
        if self.expiries.len() >= most {
            self.forget_oldest();
            metrics.keys_evicted.inc();
        }
        let key: Arc<str> = key.into();
        self.expiries.push_back((expires, Arc::clone(&key)));
        self.answers.insert(key, answer);
    }

    fn expire(&mut self, now: Duration) {
        while self.expiries.front().is_some_and(|(expires, _)| *expires <= now) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, key)) = self.expiries.pop_front() {
            self.answers.remove(&key);
        }
    }

    fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }
}

/// The members of a channel.
#[derive(Debug, Default)]
pub(super) struct Members {
    present: HashMap<ConnectionId, (u64, Member)>,
    entered: u64,
}

impl Members {
    /// Says whether it was not there before.
    pub(super) fn enter(&mut self, member: Member) -> bool {
        self.entered += 1;
        self.present.insert(member.connection, (self.entered, member)).is_none()
    }

    pub(super) fn leave(&mut self, connection: ConnectionId) -> Option<Member> {
        self.present.remove(&connection).map(|(_, member)| member)
    }

    /// In the order of their joining.
    pub(super) fn list(&self) -> Vec<Member> {
        let mut members: Vec<_> = self.present.values().collect();
        members.sort_unstable_by_key(|(order, _)| *order);
        members.into_iter().map(|(_, member)| member.clone()).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.present.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.present.is_empty()
    }
}
