//! How far each channel of a subscription has come: what to ask for after a break, and what is news in what comes then.
//!
//! Plain functions without a connection; [`Subscription`](crate::Subscription) is what drives them.

use std::collections::VecDeque;

use crate::event::{Event, Gap, Item};
use crate::failure::Failure;
use crate::position::Position;
use crate::proto::channel_selector::Start;
use crate::proto::subscribe_response::Item as Response;
use crate::proto::{ChannelSelector, SubscribeRequest, Subscribed};

/// A channel and where in it to start.
#[derive(Clone, Debug, PartialEq)]
pub struct Selector(ChannelSelector);

impl Selector {
    /// From now on.
    pub fn live(channel: impl Into<String>) -> Self {
        Self(ChannelSelector { channel: channel.into(), start: None })
    }

    /// From the event after this position, usually the last one that was worked off.
    pub fn after(channel: impl Into<String>, position: Position) -> Self {
        Self::starting(channel, Start::After(position.into()))
    }

    /// From the newest `count` events, as far as history holds them.
    pub fn last(channel: impl Into<String>, count: u32) -> Self {
        Self::starting(channel, Start::Last(count))
    }

    /// From the oldest event that history holds.
    pub fn earliest(channel: impl Into<String>) -> Self {
        Self::starting(channel, Start::Earliest(true))
    }

    fn starting(channel: impl Into<String>, start: Start) -> Self {
        Self(ChannelSelector { channel: channel.into(), start: Some(start) })
    }
}

/// The channels of a subscription.
#[derive(Debug)]
pub(crate) struct Cursors(Vec<Cursor>);

/// One channel.
#[derive(Debug)]
struct Cursor {
    selector: ChannelSelector,
    /// Whether the reader was told of the subscription.
    announced: bool,
    /// Everything up to here was delivered, or told to be lost.
    seen: Option<Position>,
}

impl Cursors {
    pub(crate) fn new(selectors: impl IntoIterator<Item = Selector>) -> Self {
        let cursor = |Selector(selector): Selector| {
            let seen = match &selector.start {
                Some(Start::After(position)) => Some(position.clone().into()),
                Some(Start::Earliest(_) | Start::Last(_)) | None => None,
            };
            Cursor { selector, announced: false, seen }
        };
        Self(selectors.into_iter().map(cursor).collect())
    }

    /// What to ask the hub for: what was asked at first, and where it is known, what follows all that was seen.
    pub(crate) fn request(&self) -> SubscribeRequest {
        let selector = |cursor: &Cursor| {
            let after = cursor.seen.clone().map(|seen| Start::After(seen.into()));
            ChannelSelector {
                channel: cursor.selector.channel.clone(),
                start: after.or_else(|| cursor.selector.start.clone()),
            }
        };
        SubscribeRequest { channels: self.0.iter().map(selector).collect() }
    }

    /// Takes what the hub sends, and puts what is news for the reader into `items`.
    pub(crate) fn take(
        &mut self,
        response: Response,
        items: &mut VecDeque<Item>,
    ) -> Result<(), Failure> {
        match response {
            Response::Subscribed(subscribed) => self.subscribed(subscribed, items)?,
            Response::Event(event) => {
                let event = Event::try_from(event)?;
                if self.advance(&event.channel, &event.position) {
                    items.push_back(Item::Event(event));
                }
            }
            Response::Gap(gap) => {
                let (Some(from), Some(to)) = (gap.from, gap.to) else {
                    return Err(Failure::incomplete("position"));
                };
                let (from, to) = (from.into(), to.into());
                if self.advance(&gap.channel, &to) {
                    let (channel, reason) = (gap.channel, gap.reason);
                    items.push_back(Item::Gap(Gap { channel, from, to, reason }));
                }
            }
        }
        Ok(())
    }

    fn subscribed(
        &mut self,
        subscribed: Subscribed,
        items: &mut VecDeque<Item>,
    ) -> Result<(), Failure> {
        let position = subscribed.position.ok_or_else(|| Failure::incomplete("position"))?;
        let position = Position::from(position);
        let channel = subscribed.channel;
        let Some(cursor) = self.cursor(&channel) else { return Ok(()) };
        if !cursor.announced {
            cursor.announced = true;
            let (channel, position) = (channel.clone(), position.clone());
            items.push_back(Item::Subscribed { channel, position });
        }
        if subscribed.recovered == Some(true) {
            return Ok(());
        }
        if let Some(from) = cursor.seen.replace(position.clone()) {
            let reason = subscribed.reason;
            items.push_back(Item::Gap(Gap { channel, from, to: position, reason }));
        }
        Ok(())
    }

    /// Moves the cursor of a channel on. False: what stands there was seen, or is of a channel that nobody asked for.
    fn advance(&mut self, channel: &str, position: &Position) -> bool {
        let Some(cursor) = self.cursor(channel) else { return false };
        let is_news = !cursor.seen.as_ref().is_some_and(|seen| position.is_within(seen));
        if is_news {
            cursor.seen = Some(position.clone());
        }
        is_news
    }

    fn cursor(&mut self, channel: &str) -> Option<&mut Cursor> {
        self.0.iter_mut().find(|cursor| cursor.selector.channel == channel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto;

    fn position(offset: u64) -> Position {
        Position { epoch: "e".to_owned(), offset }
    }

    fn subscribed(offset: u64, recovered: Option<bool>, reason: &str) -> Response {
        Response::Subscribed(Subscribed {
            channel: "chat:a".to_owned(),
            position: Some(position(offset).into()),
            recovered,
            reason: reason.to_owned(),
        })
    }

    fn event(offset: u64) -> Response {
        Response::Event(proto::Event {
            channel: "chat:a".to_owned(),
            position: Some(position(offset).into()),
            time: Some(prost_types::Timestamp::default()),
            ..proto::Event::default()
        })
    }

    /// What the reader sees of these, in short.
    fn seen(cursors: &mut Cursors, responses: impl IntoIterator<Item = Response>) -> Vec<String> {
        let mut items = VecDeque::new();
        for response in responses {
            cursors.take(response, &mut items).unwrap();
        }
        let short = |item| match item {
            Item::Subscribed { position, .. } => format!("subscribed {}", position.offset),
            Item::Event(event) => format!("event {}", event.position.offset),
            Item::Gap(Gap { from, to, reason, .. }) => {
                format!("gap {}..{} {reason}", from.offset, to.offset)
            }
            Item::Interrupted(failure) => failure.to_string(),
            Item::Resumed => "resumed".to_owned(),
        };
        items.into_iter().map(short).collect()
    }

    fn asked(cursors: &Cursors) -> Option<Start> {
        cursors.request().channels[0].start.clone()
    }

    #[test]
    fn a_resume_asks_for_what_follows_and_drops_what_was_seen() {
        let mut cursors = Cursors::new([Selector::last("chat:a", 5)]);
        assert_eq!(asked(&cursors), Some(Start::Last(5)));
        let first = seen(&mut cursors, [subscribed(3, None, ""), event(4), event(5)]);
        assert_eq!(first, ["subscribed 3", "event 4", "event 5"]);
        assert_eq!(asked(&cursors), Some(Start::After(position(5).into())));
        let second = seen(&mut cursors, [subscribed(5, Some(true), ""), event(5), event(6)]);
        assert_eq!(second, ["event 6"]);
    }

    #[test]
    fn a_subscription_that_saw_nothing_resumes_where_it_started() {
        let mut cursors = Cursors::new([Selector::live("chat:a")]);
        assert_eq!(asked(&cursors), None);
        seen(&mut cursors, [subscribed(7, None, "")]);
        assert_eq!(asked(&cursors), Some(Start::After(position(7).into())));
    }

    #[test]
    fn what_cannot_be_recovered_is_a_gap() {
        let mut cursors = Cursors::new([Selector::after("chat:a", position(2))]);
        let first = seen(&mut cursors, [subscribed(6, Some(false), "trimmed"), event(7)]);
        assert_eq!(first, ["subscribed 6", "gap 2..6 trimmed", "event 7"]);
        let second = seen(&mut cursors, [subscribed(9, Some(false), "expired")]);
        assert_eq!(second, ["gap 7..9 expired"]);
    }

    #[test]
    fn a_gap_on_the_way_moves_the_cursor() {
        let mut cursors = Cursors::new([Selector::live("chat:a")]);
        let gap = Response::Gap(proto::Gap {
            channel: "chat:a".to_owned(),
            from: Some(position(1).into()),
            to: Some(position(4).into()),
            reason: "trimmed".to_owned(),
        });
        let first = seen(&mut cursors, [subscribed(1, None, ""), gap, event(5)]);
        assert_eq!(first, ["subscribed 1", "gap 1..4 trimmed", "event 5"]);
        assert_eq!(asked(&cursors), Some(Start::After(position(5).into())));
    }

    #[test]
    fn an_answer_that_lacks_its_position_fails() {
        let mut cursors = Cursors::new([Selector::live("chat:a")]);
        let mut items = VecDeque::new();
        let response = Response::Event(proto::Event::default());
        let failure = cursors.take(response, &mut items).unwrap_err();
        assert_eq!(failure.reason, "INTERNAL");
    }
}
