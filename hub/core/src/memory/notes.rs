//! Notes and revocations in memory.

use super::MemoryBroker;
use crate::Position;
use crate::broker::{Answer, BrokerError, Notes, Notice, Revocation, RevocationPage, Subject};
use crate::clock::Timestamp;
use crate::limits::{NOTE_BYTES, NOTE_KEY_BYTES, REVOCATIONS, REVOCATIONS_PAGE};
use crate::position::{Epoch, Offset};
use crate::sync::lock;
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::time::Duration;

/// What is kept.
#[derive(Debug)]
pub(super) struct Kept {
    notes: Mutex<HashMap<Box<str>, Note>>,
    revoked: Mutex<Revoked>,
}

#[derive(Debug)]
struct Note {
    value: Bytes,
    /// By the monotonic clock.
    expires: Duration,
}

/// Revocations in the order of their coming.
#[derive(Debug)]
struct Revoked {
    last: Position,
    by_order: BTreeMap<Offset, Revocation>,
    orders: HashMap<(Subject, Option<Timestamp>), Offset>,
}

impl Kept {
    pub(super) fn new(epoch: Epoch) -> Self {
        let revoked = Revoked {
            last: Position::new(epoch, Offset::ZERO),
            by_order: BTreeMap::new(),
            orders: HashMap::new(),
        };
        Kept { notes: Mutex::default(), revoked: Mutex::new(revoked) }
    }

    /// Lets go of what is over.
    pub(super) fn expire(&self, now: Duration, wall: Timestamp) {
        lock(&self.notes).retain(|_, note| note.expires > now);
        lock(&self.revoked).expire(wall);
    }
}

impl Revoked {
    fn expire(&mut self, now: Timestamp) {
        let orders = &mut self.orders;
        self.by_order.retain(|_, revocation| {
            let keep = revocation.until > now;
            if !keep {
                orders.remove(&(revocation.subject.clone(), revocation.issued_before));
            }
            keep
        });
    }

    fn add(&mut self, revocation: Revocation, now: Timestamp) -> Result<(), BrokerError> {
        let key = (revocation.subject.clone(), revocation.issued_before);
        match self.orders.get(&key).and_then(|order| self.by_order.get(order)) {
            Some(known) if known.until >= revocation.until => return Ok(()),
            Some(_) => {}
            None if self.orders.len() >= REVOCATIONS => {
                self.expire(now);
                if self.orders.len() >= REVOCATIONS {
                    return Err(BrokerError::Full("as much is revoked as may be at one time"));
                }
            }
            None => {}
        }
        self.last = self.last.at(self.last.offset.next());
        if let Some(former) = self.orders.insert(key, self.last.offset) {
            self.by_order.remove(&former);
        }
        self.by_order.insert(self.last.offset, revocation);
        Ok(())
    }

    fn page(&self, after: Option<Position>, now: Timestamp) -> RevocationPage {
        if self.last.offset == Offset::ZERO {
            return RevocationPage { anew: after.is_some(), ..RevocationPage::default() };
        }
        let anew = after.is_some_and(|mark| mark.epoch != self.last.epoch);
        let from = after.filter(|_| !anew).map_or(Offset::ZERO, |mark| mark.offset);
        let mut later = self.by_order.range(from.next()..);
        let mut mark = self.last;
        let mut revocations = Vec::new();
        for (order, revocation) in later.by_ref().take(REVOCATIONS_PAGE) {
            mark = self.last.at(*order);
            if revocation.until > now {
                revocations.push(revocation.clone());
            }
        }
        let more = later.next().is_some();
        let mark = if more { mark } else { self.last };
        RevocationPage { mark: Some(mark), anew, revocations, more }
    }
}

impl Notes for MemoryBroker {
    fn keep<'a>(&'a self, key: &'a str, value: Bytes, life: Duration) -> Answer<'a, ()> {
        Box::pin(async move {
            if key.len() > NOTE_KEY_BYTES || value.len() > NOTE_BYTES {
                return Err(BrokerError::Full("a note is too large"));
            }
            let now = self.0.clock.monotonic();
            let mut notes = lock(&self.0.kept.notes);
            if notes.len() >= self.0.limits.notes {
                notes.retain(|_, note| note.expires > now);
                if notes.len() >= self.0.limits.notes {
                    return Err(BrokerError::Full(
                        "the memory broker keeps as many notes as it may",
                    ));
                }
            }
            notes.insert(key.into(), Note { value, expires: now + life });
            Ok(())
        })
    }

    fn take<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Bytes>> {
        Box::pin(async move {
            let now = self.0.clock.monotonic();
            let note = lock(&self.0.kept.notes).remove(key);
            Ok(note.filter(|note| note.expires > now).map(|note| note.value))
        })
    }

    fn revoke(&self, revocation: Revocation) -> Answer<'_, ()> {
        Box::pin(async move {
            lock(&self.0.kept.revoked).add(revocation, self.0.clock.wall())?;
            // Whoever cares also looks now and then.
            let _full = self.0.notices.try_send(Notice::Revocations);
            Ok(())
        })
    }

    fn revocations(&self, after: Option<Position>) -> Answer<'_, RevocationPage> {
        Box::pin(async move { Ok(lock(&self.0.kept.revoked).page(after, self.0.clock.wall())) })
    }
}
