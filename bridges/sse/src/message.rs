//! What the server sends (contract section 5): events, made once and shared, and its own blocks.

use crate::block::{self, Block};
use bytes::Bytes;
use fanline_core::broker::PresenceChange;
use fanline_core::catchup::Gap;
use fanline_core::connections::Ending;
use fanline_core::event::{Event, WireForm};
use fanline_core::feed::Joined;
use fanline_core::ids::ConnectionId;
use fanline_core::{ChannelName, Cursor, Position, Reason};
use fanline_edge::answer::{MemberView, RecoveryView, Seconds, Shown, write_json};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use std::time::Duration;

/// How the events of a stream look.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Style {
    /// Each says its type in an `event` line.
    pub(crate) named: bool,
    /// Each carries its position as `id`, which is right where there is one channel only.
    pub(crate) id: bool,
}

/// The parts of a block that hold an event, which are made once for all streams whatever their style.
pub(crate) struct EventBlock {
    whole: Bytes,
    name_end: usize,
    data_end: usize,
}

impl EventBlock {
    /// The block of an event.
    pub(crate) fn of(event: &Event) -> Self {
        let whole = event.form(WireForm::Sse, |event| {
            let mut out = Vec::new();
            block::put_name(&mut out, event.body.event_type.as_str());
            block::put_data(&mut out, |out| event.write_json(out));
            out.extend_from_slice(format!("id: {}\n\n", event.position).as_bytes());
            out.into()
        });
        // A type has no line breaks, and neither has the `id` line before its own.
        let line_end = |&byte: &u8| byte == b'\n';
        let name_end = whole.iter().position(line_end).map_or(0, |end| end + 1);
        let last_line = &whole[..whole.len() - b"\n\n".len()];
        let data_end = last_line.iter().rposition(line_end).map_or(0, |end| end + 1);
        EventBlock { whole, name_end, data_end }
    }

    /// The block in one piece of the shared bytes, where the style leaves it one.
    pub(crate) fn shared(&self, style: Style) -> Option<Bytes> {
        style.id.then(|| self.whole.slice(self.start(style)..))
    }

    /// Appends the block.
    pub(crate) fn put(&self, out: &mut Vec<u8>, style: Style) {
        let start = self.start(style);
        if style.id {
            out.extend_from_slice(&self.whole[start..]);
        } else {
            out.extend_from_slice(&self.whole[start..self.data_end]);
            out.push(b'\n');
        }
    }

    fn start(&self, style: Style) -> usize {
        if style.named { 0 } else { self.name_end }
    }
}

/// The first block of a stream.
pub(crate) struct Open<'a> {
    pub(crate) connection: ConnectionId,
    pub(crate) expires_in: Duration,
    pub(crate) heartbeat_interval: Duration,
    pub(crate) channels: &'a [(ChannelName, Joined)],
    pub(crate) cursor: Option<&'a Cursor>,
    pub(crate) retry: Duration,
}

/// Says where each channel starts, so that a stream which sees no event can be resumed too.
pub(crate) fn open(out: &mut Vec<u8>, open: Open<'_>) {
    let Open { connection, expires_in, heartbeat_interval, channels, cursor, retry } = open;
    let data = OpenData {
        connection: Shown(connection),
        expires_in: expires_in.as_secs(),
        heartbeat_interval: Seconds(heartbeat_interval),
        channels: ChannelsView(channels),
        cursor: cursor.map(Shown),
    };
    let block = Block { name: "fanline.open", retry: Some(retry), id: shown(&cursor) };
    block.put(out, |out| write_json(out, &data));
}

/// Moves the cursor of the client, and sets when it comes back if this is the last block.
pub(crate) fn cursor(out: &mut Vec<u8>, cursor: Option<&Cursor>, retry: Option<Duration>) {
    let block = Block { name: "fanline.cursor", retry, id: shown(&cursor) };
    block.put(out, |out| out.extend_from_slice(b"{}"));
}

/// Events are lost for good.
pub(crate) fn gap(out: &mut Vec<u8>, channel: &ChannelName, gap: Gap, style: Style) {
    let (from, to) = (Shown(gap.from), Shown(gap.to));
    let data = GapData { channel: Shown(channel), from, to, reason: gap.reason.as_str() };
    // Told once: whoever resumes does so after the loss.
    let id = style.id.then_some(&gap.to as &dyn std::fmt::Display);
    Block { name: "fanline.gap", retry: None, id }.put(out, |out| write_json(out, &data));
}

/// A member joined or left.
pub(crate) fn presence(out: &mut Vec<u8>, change: &PresenceChange) {
    let member = Some(MemberView(&change.member));
    let (joined, left) = if change.joined { (member, None) } else { (None, member) };
    let data = PresenceData { channel: Shown(&change.channel), joined, left };
    own(out, "fanline.presence", &data);
}

/// The server put the stream into a channel.
pub(crate) fn joined(out: &mut Vec<u8>, channel: &ChannelName, joined: Joined) {
    let data = JoinedData { channel: Shown(channel), position: Shown(joined.position) };
    own(out, "fanline.joined", &data);
}

/// The server took it out of one.
pub(crate) fn left(out: &mut Vec<u8>, channel: &ChannelName) {
    own(out, "fanline.left", &LeftData { channel: Shown(channel), reason: "server" });
}

/// The token runs out soon.
pub(crate) fn expiring(out: &mut Vec<u8>, expires_in: Duration) {
    own(out, "fanline.expiring", &ExpiringData { expires_in: expires_in.as_secs() });
}

/// The last block, with the reason: after `retry` the client may come back, if it may.
pub(crate) fn close(
    out: &mut Vec<u8>,
    Ending { reason, reconnect }: Ending,
    retry: Duration,
    cursor: Option<&Cursor>,
) {
    let data = CloseData { reconnect, reason: reason.as_str() };
    let block = Block { name: "fanline.close", retry: Some(retry), id: shown(&cursor) };
    block.put(out, |out| write_json(out, &data));
}

/// The only block of a stream that was not opened: come back later.
pub(crate) fn retry(out: &mut Vec<u8>, reason: Reason, retry: Duration) {
    let block = Block { name: "fanline.retry", retry: Some(retry), id: None };
    block.put(out, |out| write_json(out, &CloseData { reconnect: true, reason: reason.as_str() }));
}

fn own(out: &mut Vec<u8>, name: &'static str, data: &impl Serialize) {
    Block { name, retry: None, id: None }.put(out, |out| write_json(out, data));
}

fn shown<'a>(cursor: &'a Option<&Cursor>) -> Option<&'a dyn std::fmt::Display> {
    cursor.as_ref().map(|cursor| cursor as &dyn std::fmt::Display)
}

#[derive(Serialize)]
struct OpenData<'a> {
    connection: Shown<ConnectionId>,
    expires_in: u64,
    heartbeat_interval: Seconds,
    channels: ChannelsView<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<Shown<&'a Cursor>>,
}

#[derive(Serialize)]
struct GapData<'a> {
    channel: Shown<&'a ChannelName>,
    from: Shown<Position>,
    to: Shown<Position>,
    reason: &'static str,
}

#[derive(Serialize)]
struct PresenceData<'a> {
    channel: Shown<&'a ChannelName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    joined: Option<MemberView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<MemberView<'a>>,
}

#[derive(Serialize)]
struct JoinedData<'a> {
    channel: Shown<&'a ChannelName>,
    position: Shown<Position>,
}

#[derive(Serialize)]
struct LeftData<'a> {
    channel: Shown<&'a ChannelName>,
    reason: &'static str,
}

#[derive(Serialize)]
struct ExpiringData {
    expires_in: u64,
}

#[derive(Serialize)]
struct CloseData {
    reconnect: bool,
    reason: &'static str,
}

/// The channels, each with where its stream starts.
struct ChannelsView<'a>(&'a [(ChannelName, Joined)]);

impl Serialize for ChannelsView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Start {
            position: Shown<Position>,
            #[serde(flatten)]
            recovery: RecoveryView,
        }
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (channel, joined) in self.0 {
            let recovery = RecoveryView::from(joined.recovery);
            let start = Start { position: Shown(joined.position), recovery };
            map.serialize_entry(channel.as_str(), &start)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fanline_core::catchup::{LossReason, Recovery};
    use fanline_core::clock::Timestamp;
    use fanline_core::event::{ContentType, EventBody, Payload};
    use fanline_core::ids::EventId;
    use fanline_core::random::Random;

    fn event(data: &'static str) -> Event {
        let id = EventId::new(Timestamp::default(), &Random::seeded(1));
        let payload = Payload::new(ContentType::default(), data.into()).unwrap();
        let body = EventBody {
            event_type: "message.created".parse().unwrap(),
            payload,
            headers: Box::new([]),
            user: None,
            exclude: Box::new([]),
        };
        let channel = "chat:a".parse().unwrap();
        Event::new(channel, "e-7".parse().unwrap(), id, Timestamp::default(), body)
    }

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_event_is_made_once_and_cut_to_each_style() {
        let event = event("{\"n\":\r\n1}");
        let block = EventBlock::of(&event);
        let json = text(|out| event.write_json(out)).replace("\r\n", "\ndata: ");
        let expected = |named, id| {
            let name = if named { "event: message.created\n" } else { "" };
            let id = if id { "id: e-7\n" } else { "" };
            format!("{name}data: {json}\n{id}\n")
        };
        for (named, id) in [(false, false), (false, true), (true, false), (true, true)] {
            let style = Style { named, id };
            assert_eq!(text(|out| block.put(out, style)), expected(named, id));
            assert_eq!(
                block.shared(style).map(|b| b.to_vec()),
                id.then(|| expected(named, id).into_bytes())
            );
        }
    }

    #[test]
    fn the_first_block_says_where_each_channel_starts_and_ends_with_the_cursor() {
        let channels = [
            (
                "chat:a".parse().unwrap(),
                Joined { position: "e-7".parse().unwrap(), recovery: Some(Recovery::Recovered) },
            ),
            (
                "news".parse().unwrap(),
                Joined {
                    position: "f-0".parse().unwrap(),
                    recovery: Some(Recovery::Lost(LossReason::Expired)),
                },
            ),
        ];
        let cursor = Cursor::of(channels.iter().map(|(name, joined)| (name, joined.position)));
        let block = text(|out| {
            open(
                out,
                Open {
                    connection: ConnectionId::new(Timestamp::default(), &Random::seeded(1)),
                    expires_in: Duration::from_secs(60),
                    heartbeat_interval: Duration::from_secs(20),
                    channels: &channels,
                    cursor: cursor.as_ref(),
                    retry: Duration::from_millis(1234),
                },
            );
        });
        let cursor = cursor.unwrap();
        assert!(
            block.starts_with("event: fanline.open\nretry: 1234\ndata: {\"connection\":\""),
            "{block}"
        );
        assert!(block.contains(
            r#""channels":{"chat:a":{"position":"e-7","recovered":true},"news":{"position":"f-0","recovered":false,"reason":"expired"}}"#
        ), "{block}");
        assert!(
            block.ends_with(&format!("\"cursor\":\"{cursor}\"}}\nid: {cursor}\n\n")),
            "{block}"
        );
    }

    #[test]
    fn our_own_blocks_read_as_the_contract_says() {
        let style = Style { named: false, id: true };
        let lost = Gap {
            from: "e-1".parse().unwrap(),
            to: "e-3".parse().unwrap(),
            reason: LossReason::Trimmed,
        };
        assert_eq!(
            text(|out| gap(out, &"chat:a".parse().unwrap(), lost, style)),
            "event: fanline.gap\ndata: {\"channel\":\"chat:a\",\"from\":\"e-1\",\"to\":\"e-3\",\"reason\":\"trimmed\"}\nid: e-3\n\n"
        );
        let second = Duration::from_secs(1);
        assert_eq!(
            text(|out| retry(out, Reason::LimitExceeded, second)),
            "event: fanline.retry\nretry: 1000\ndata: {\"reconnect\":true,\"reason\":\"LIMIT_EXCEEDED\"}\n\n"
        );
        assert_eq!(
            text(|out| expiring(out, 30 * second)),
            "event: fanline.expiring\ndata: {\"expires_in\":30}\n\n"
        );
        let cursor = "e-7".parse().unwrap();
        let draining = Ending { reason: Reason::Draining, reconnect: true };
        assert_eq!(
            text(|out| close(out, draining, second, Some(&cursor))),
            "event: fanline.close\nretry: 1000\ndata: {\"reconnect\":true,\"reason\":\"DRAINING\"}\nid: e-7\n\n"
        );
        let channel = "chat:a".parse().unwrap();
        let start = Joined { position: "e-7".parse().unwrap(), recovery: None };
        assert_eq!(
            text(|out| joined(out, &channel, start)),
            "event: fanline.joined\ndata: {\"channel\":\"chat:a\",\"position\":\"e-7\"}\n\n"
        );
        assert_eq!(
            text(|out| left(out, &channel)),
            "event: fanline.left\ndata: {\"channel\":\"chat:a\",\"reason\":\"server\"}\n\n"
        );
    }
}
