//! What really happened in one channel: every event of every epoch, and which of them history still holds.

use fanline_core::broker::{ChannelState, HistoryPage, HistoryQuery, HistoryRange};
use fanline_core::clock::Timestamp;
use fanline_core::event::{ContentType, Event, EventBody, EventType, Payload};
use fanline_core::ids::EventId;
use fanline_core::random::Random;
use fanline_core::{ChannelName, Epoch, Offset, Position};
use std::sync::Arc;

/// One channel.
pub(crate) struct Truth {
    pub(crate) name: ChannelName,
    /// All events of all epochs. Offsets are one more than indexes.
    epochs: Vec<(Epoch, Vec<Arc<Event>>)>,
    /// The oldest offset that history holds in the last epoch.
    oldest: u64,
    /// Most events that it holds.
    size: usize,
    random: Random,
}

impl Truth {
    pub(crate) fn new(name: ChannelName, size: usize) -> Self {
        let random = Random::seeded(0);
        let first = (Epoch::random(&random), Vec::new());
        Truth { name, epochs: vec![first], oldest: 1, size, random }
    }

    pub(crate) fn publish(&mut self) -> Arc<Event> {
        let position = self.top();
        let position = position.at(position.offset.next());
        let event = Arc::new(Event::new(
            self.name.clone(),
            position,
            EventId::new(Timestamp::default(), &self.random),
            Timestamp::default(),
            body(),
        ));
        let (_, events) = self.current_mut();
        events.push(Arc::clone(&event));
        let kept_from = (events.len() + 1).saturating_sub(self.size);
        self.oldest = self.oldest.max(kept_from as u64);
        event
    }

    /// The counter starts again, and what was kept is gone.
    pub(crate) fn reset(&mut self) {
        self.epochs.push((Epoch::random(&self.random), Vec::new()));
        self.oldest = 1;
    }

    /// The oldest events leave history, as if their time were over.
    pub(crate) fn expire(&mut self, events: u64) {
        self.oldest = (self.oldest + events).min(self.top().offset.next().get());
    }

    pub(crate) fn state(&self) -> ChannelState {
        ChannelState { top: self.top(), oldest: Offset::new(self.oldest) }
    }

    pub(crate) fn top(&self) -> Position {
        let (epoch, events) = self.current();
        Position::new(*epoch, Offset::new(events.len() as u64))
    }

    /// Reads history, at most `page_max` events at once.
    pub(crate) fn read(&self, query: HistoryQuery, page_max: usize) -> HistoryPage {
        let HistoryRange::After(offset) = query.range else {
            unreachable!("nobody here reads backwards");
        };
        let (_, events) = self.current();
        let first = self.oldest.max(offset.next().get()) - 1;
        let rest = events.get(first as usize..).unwrap_or_default();
        let taken = rest.len().min(query.limit).min(page_max);
        HistoryPage {
            state: self.state(),
            events: rest[..taken].to_vec(),
            more: taken < rest.len(),
        }
    }

    /// The event at a position that was given away.
    pub(crate) fn event(&self, position: Position) -> Option<&Arc<Event>> {
        let index = usize::try_from(position.offset.get().checked_sub(1)?).ok()?;
        self.epochs[self.age(position.epoch)?].1.get(index)
    }

    /// Whether an event stands there or, at offset zero, may follow.
    pub(crate) fn is_issued(&self, position: Position) -> bool {
        match position.offset {
            Offset::ZERO => self.age(position.epoch).is_some(),
            _ => self.event(position).is_some(),
        }
    }

    /// Whether history holds any event after `from`, up to and including `to`, in the epoch of `to`.
    pub(crate) fn holds_any(&self, from: Offset, to: Position) -> bool {
        let first = from.next().get().max(self.oldest);
        to.epoch == self.top().epoch && first <= to.offset.min(self.top().offset).get()
    }

    /// How many epochs came before this one.
    pub(crate) fn age(&self, epoch: Epoch) -> Option<usize> {
        self.epochs.iter().position(|(known, _)| *known == epoch)
    }

    fn current(&self) -> &(Epoch, Vec<Arc<Event>>) {
        self.epochs.last().expect("there is a first epoch")
    }

    fn current_mut(&mut self) -> &mut (Epoch, Vec<Arc<Event>>) {
        self.epochs.last_mut().expect("there is a first epoch")
    }
}

fn body() -> EventBody {
    let payload = Payload::new(ContentType::default(), "null".into());
    EventBody {
        event_type: EventType::message(),
        payload: payload.expect("null is JSON"),
        headers: Box::default(),
        user: None,
        exclude: Box::default(),
    }
}
