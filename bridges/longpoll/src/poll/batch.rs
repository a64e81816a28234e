//! The events of one answer, as they come from the feed.

use bytes::Bytes;
use fanline_core::broker::PresenceChange;
use fanline_core::catchup::{Gap, LossReason};
use fanline_core::event::{Event, WireForm};
use fanline_core::feed::Outlet;
use fanline_core::{ChannelName, Position};
use std::sync::Arc;

/// A batch. What does not fit any more is left to the next poll: its channel is cut off there, and stands after the
/// last event that was taken.
///
/// It is full once something did not fit, not before, so that it knows whether there is more.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The events as JSON, with commas between.
    json: Vec<u8>,
    events: usize,
    events_max: usize,
    bytes_max: usize,
    /// The last event taken of each channel.
    taken: Vec<(ChannelName, Position)>,
    cut: Vec<ChannelName>,
    loss: Option<Loss>,
}

/// The end of a batch where events of a channel are lost for good. The events before it are still good.
#[derive(Clone, Debug)]
pub(crate) struct Loss {
    pub(crate) channel: ChannelName,
    /// What history still holds follows this.
    pub(crate) to: Position,
    pub(crate) reason: LossReason,
}

impl Batch {
    pub(crate) fn new(events_max: usize, bytes_max: usize) -> Self {
        Batch {
            json: Vec::new(),
            events: 0,
            events_max,
            bytes_max,
            taken: Vec::new(),
            cut: Vec::new(),
            loss: None,
        }
    }

    /// Whether there is something to answer.
    pub(crate) fn has_news(&self) -> bool {
        self.events > 0 || self.loss.is_some()
    }

    pub(crate) fn events(&self) -> usize {
        self.events
    }

    /// The events as JSON, with commas between.
    pub(crate) fn json(&self) -> &[u8] {
        &self.json
    }

    /// Whether something did not fit.
    pub(crate) fn is_cut(&self) -> bool {
        !self.cut.is_empty()
    }

    pub(crate) fn loss(&self) -> Option<&Loss> {
        self.loss.as_ref()
    }

    /// Up to where a channel was taken, if it was cut: None, if not even one event of it was.
    pub(crate) fn cut_at(&self, channel: &ChannelName) -> Option<Option<Position>> {
        let last = self.taken.iter().find(|(taken, _)| taken == channel);
        self.cut.contains(channel).then(|| last.map(|(_, position)| *position))
    }

    fn fits(&self, bytes: usize) -> bool {
        self.events < self.events_max
            && (self.events == 0 || self.json.len() + 1 + bytes <= self.bytes_max)
    }
}

impl Outlet for Batch {
    fn event(&mut self, event: &Arc<Event>) {
        // A page of history comes as a whole.
        if self.cut.contains(&event.channel) {
            return;
        }
        let json = json(event);
        if self.loss.is_some() || !self.fits(json.len()) {
            self.cut.push(event.channel.clone());
            return;
        }
        if self.events > 0 {
            self.json.push(b',');
        }
        self.json.extend_from_slice(&json);
        self.events += 1;
        match self.taken.iter_mut().find(|(taken, _)| *taken == event.channel) {
            Some((_, position)) => *position = event.position,
            None => self.taken.push((event.channel.clone(), event.position)),
        }
    }

    fn gap(&mut self, channel: &ChannelName, gap: Gap) {
        if self.cut.contains(channel) {
            return;
        }
        self.cut.push(channel.clone());
        if self.loss.is_none() {
            let Gap { to, reason, .. } = gap;
            self.loss = Some(Loss { channel: channel.clone(), to, reason });
        }
    }

    fn presence(&mut self, _change: &Arc<PresenceChange>) {
        // Not in history, so that a poll could never promise it.
    }

    fn is_full(&self) -> bool {
        self.is_cut()
    }
}

/// The event object, made once for all who poll.
fn json(event: &Event) -> Bytes {
    event.form(WireForm::Json, |event| {
        let mut out = Vec::new();
        event.write_json(&mut out);
        out.into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use fanline_core::Offset;
    use fanline_core::testing::{epoch, event};

    fn at(offset: u64) -> Position {
        Position::new(epoch("e"), Offset::new(offset))
    }

    fn offsets(batch: &Batch) -> Vec<u64> {
        let text = format!("[{}]", String::from_utf8_lossy(batch.json()));
        let events: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        events.iter().map(|event| event["data"].as_u64().unwrap()).collect()
    }

    #[test]
    fn it_is_full_only_once_something_did_not_fit() {
        let channel = "a:b".parse().unwrap();
        let mut batch = Batch::new(2, 10_000);
        batch.event(&event("a:b", at(1)));
        batch.event(&event("a:b", at(2)));
        assert!(!batch.is_full() && batch.cut_at(&channel).is_none());
        batch.event(&event("a:b", at(3)));
        assert!(batch.is_full());
        assert_eq!(batch.cut_at(&channel), Some(Some(at(2))));
        batch.event(&event("a:b", at(4)));
        assert_eq!(offsets(&batch), [1, 2]);
    }

    #[test]
    fn bytes_bound_it_too_but_one_event_always_fits() {
        let one = json(&event("a:b", at(1))).len();
        let mut batch = Batch::new(100, 2 * one + 1);
        (1..=3).for_each(|offset| batch.event(&event("a:b", at(offset))));
        assert_eq!(offsets(&batch), [1, 2]);
        let mut batch = Batch::new(100, 1);
        (1..=2).for_each(|offset| batch.event(&event("a:b", at(offset))));
        assert_eq!(offsets(&batch), [1]);
    }

    #[test]
    fn a_loss_ends_the_batch_before_it() {
        let (channel, other) = ("a:b".parse().unwrap(), "a:c".parse().unwrap());
        let mut batch = Batch::new(100, 10_000);
        batch.event(&event("a:b", at(1)));
        batch.gap(&channel, Gap { from: at(1), to: at(5), reason: LossReason::Trimmed });
        batch.event(&event("a:b", at(6)));
        batch.event(&event("a:c", at(9)));
        assert!(batch.is_full());
        assert_eq!(offsets(&batch), [1]);
        assert_eq!(batch.cut_at(&channel), Some(Some(at(1))));
        assert_eq!(batch.cut_at(&other), Some(None));
        let loss = batch.loss().unwrap();
        assert_eq!((&loss.channel, loss.to, loss.reason), (&channel, at(5), LossReason::Trimmed));
    }
}
