//! Between the messages of the wire and the words of the core, by hand.

use bytes::Bytes;
use fanline_core::broker::{Member, Published};
use fanline_core::catchup::{Gap, Recovery, Start};
use fanline_core::clock::Timestamp;
use fanline_core::event::{EventType, Payload};
use fanline_core::publish::{Draft, Origin};
use fanline_core::{ChannelName, Event, Offset, Position, Refusal};
use fanline_proto::v1;
use std::time::Duration;

use crate::status;

/// Data below this is copied out of the buffer it was received in.
///
/// A slice keeps the whole buffer of its stream alive, 8 KiB and more, for as long as history keeps the event. From
/// here on the buffer was made for the message and is not much larger.
const COPIED_BYTES: usize = 16 * 1024;

/// The event that a request asks to publish, in a channel that was read from it before.
pub(crate) fn draft(channel: ChannelName, request: v1::PublishRequest) -> Result<Draft, Refusal> {
    let v1::PublishRequest {
        channel: _,
        r#type,
        data,
        content_type,
        headers,
        idempotency_key,
        exclude_connections,
        ttl,
        request_id: _,
    } = request;
    let data = if data.len() < COPIED_BYTES { Bytes::copy_from_slice(&data) } else { data };
    let exclude = exclude_connections.iter().map(|id| {
        id.parse().map_err(|error| Refusal::invalid("exclude_connections", format!("{error}")))
    });
    Ok(Draft {
        channel,
        event_type: match r#type.as_str() {
            "" => EventType::message(),
            name => name.parse()?,
        },
        payload: Payload::new(content_type.parse()?, data)?,
        headers: headers.into_iter().collect(),
        origin: Origin::Backend,
        idempotency_key: Some(idempotency_key).filter(|key| !key.is_empty()),
        exclude: exclude.collect::<Result<_, _>>()?,
        ttl: ttl.map(time_to_live).transpose()?,
    })
}

fn time_to_live(ttl: prost_types::Duration) -> Result<Duration, Refusal> {
    duration(ttl).ok_or_else(|| Refusal::invalid("ttl", "a time to live is longer than zero"))
}

/// The answer to a publish that was accepted.
pub(crate) fn published(request_id: String, published: Published) -> v1::PublishResponse {
    v1::PublishResponse {
        event_id: published.id.to_string(),
        position: Some(position(published.position)),
        duplicate: published.duplicate,
        request_id,
        error: None,
    }
}

/// The answer to a publish that was not, inside a call that goes on.
pub(crate) fn refused(request_id: String, refusal: &Refusal) -> v1::PublishResponse {
    v1::PublishResponse {
        request_id,
        error: Some(status::message(refusal)),
        ..v1::PublishResponse::default()
    }
}

/// An event as subscribers see it.
pub(crate) fn event(event: &Event) -> v1::Event {
    let body = &event.body;
    let headers = body.headers.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    v1::Event {
        id: event.id.to_string(),
        channel: event.channel.to_string(),
        r#type: body.event_type.to_string(),
        data: body.payload.data().clone(),
        content_type: body.payload.content_type().as_str().to_owned(),
        headers: headers.collect(),
        time: Some(timestamp(event.time)),
        position: Some(position(event.position)),
        user: body.user.as_ref().map(|user| user.as_str().to_owned()).unwrap_or_default(),
    }
}

/// A gap in a channel.
pub(crate) fn gap(channel: &ChannelName, gap: Gap) -> v1::Gap {
    v1::Gap {
        channel: channel.to_string(),
        from: Some(position(gap.from)),
        to: Some(position(gap.to)),
        reason: gap.reason.as_str().to_owned(),
    }
}

/// A connection in a channel.
pub(crate) fn member(member: Member) -> v1::Member {
    v1::Member {
        connection: member.connection.to_string(),
        user: member.user.map(|user| user.as_str().to_owned()).unwrap_or_default(),
        info: member.info.unwrap_or_default(),
        joined_at: Some(timestamp(member.joined_at)),
    }
}

/// A place in a channel.
pub(crate) fn position(position: Position) -> v1::Position {
    v1::Position { epoch: position.epoch.to_string(), offset: position.offset.get() }
}

/// `after` a position that a caller sent back.
pub(crate) fn after(position: &v1::Position) -> Start {
    match position.epoch.parse() {
        Ok(epoch) => Start::After(Position::new(epoch, Offset::new(position.offset))),
        Err(_no_epoch) => Start::Invalid,
    }
}

/// `last` so many.
pub(crate) fn last(count: u32) -> Start {
    // A count that does not fit in memory is more than any history holds.
    Start::Last(usize::try_from(count).unwrap_or(usize::MAX))
}

/// `recovered`, and the reason that goes with false.
pub(crate) fn recovered(recovery: Option<Recovery>) -> (Option<bool>, String) {
    match recovery {
        None => (None, String::new()),
        Some(Recovery::Recovered) => (Some(true), String::new()),
        Some(Recovery::Lost(reason)) => (Some(false), reason.as_str().to_owned()),
    }
}

/// A time that is not negative, with its nanoseconds below one second. None: any other, which is no `Duration` of the
/// protocol either, or one that nobody means here.
///
/// Not by the conversion of `prost_types`, which negates what is negative and overflows for the smallest number.
pub(crate) fn duration(duration: prost_types::Duration) -> Option<Duration> {
    let seconds = u64::try_from(duration.seconds).ok()?;
    let nanos = u32::try_from(duration.nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    Some(Duration::new(seconds, nanos))
}

/// A number of things, whatever its width here.
pub(crate) fn count(number: impl TryInto<u32>) -> u32 {
    number.try_into().unwrap_or(u32::MAX)
}

/// A moment.
pub(crate) fn timestamp(time: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp {
        // Milliseconds since 1970 divided by 1000 fit with 10 bits to spare.
        seconds: i64::try_from(time.seconds()).unwrap_or(i64::MAX),
        nanos: (time.millis() % 1000) as i32 * 1_000_000,
    }
}

/// The moment that a field names.
///
/// # Errors
/// One before 1970, or beyond what a [`Timestamp`] holds.
pub(crate) fn moment(
    field: &'static str,
    time: prost_types::Timestamp,
) -> Result<Timestamp, Refusal> {
    let millis = u64::try_from(time.seconds).ok().and_then(|seconds| {
        let rest = u64::try_from(time.nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
        seconds.checked_mul(1000)?.checked_add(rest / 1_000_000)
    });
    millis
        .map(Timestamp::from_millis)
        .ok_or_else(|| Refusal::invalid(field, "this is no moment after 1970"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use fanline_core::testing::{TestHub, epoch};
    use std::collections::BTreeMap;

    fn request() -> v1::PublishRequest {
        v1::PublishRequest {
            channel: "a:b".into(),
            r#type: "order.paid".into(),
            data: Bytes::from_static(b"{\"n\":1}"),
            content_type: "application/json".into(),
            headers: BTreeMap::from([("trace".into(), "t-1".into())]),
            idempotency_key: "order-7".into(),
            exclude_connections: vec!["0190163d8694739b9ecf56a7b5ee3a05".into()],
            ttl: Some(prost_types::Duration { seconds: 1, nanos: 500_000_000 }),
            request_id: "r1".into(),
        }
    }

    fn draft_of(request: v1::PublishRequest) -> Result<Draft, Refusal> {
        draft("a:b".parse().unwrap(), request)
    }

    #[test]
    fn a_request_becomes_a_draft() {
        let draft = draft_of(request()).unwrap();
        assert_eq!(draft.event_type.as_str(), "order.paid");
        assert_eq!(&draft.payload.data()[..], b"{\"n\":1}");
        assert_eq!(draft.headers, [("trace".to_owned(), "t-1".to_owned())]);
        assert_eq!(draft.idempotency_key.as_deref(), Some("order-7"));
        assert_eq!(draft.exclude[0].to_string(), "0190163d8694739b9ecf56a7b5ee3a05");
        assert_eq!(draft.ttl, Some(Duration::from_millis(1500)));
    }

    #[test]
    fn what_a_request_leaves_out_has_its_default() {
        let draft = draft_of(v1::PublishRequest {
            data: Bytes::from_static(b"1"),
            ..v1::PublishRequest::default()
        })
        .unwrap();
        assert_eq!(draft.event_type.as_str(), "message");
        assert_eq!(draft.payload.content_type().as_str(), "application/json");
        assert_eq!((draft.idempotency_key, draft.ttl), (None, None));
    }

    #[test]
    fn a_wrong_field_is_refused_by_its_name() {
        let ttl = |seconds, nanos| {
            let ttl = Some(prost_types::Duration { seconds, nanos });
            (v1::PublishRequest { ttl, ..request() }, "ttl")
        };
        let table = [
            (v1::PublishRequest { r#type: "a b".into(), ..request() }, "type"),
            (v1::PublishRequest { content_type: "json".into(), ..request() }, "content_type"),
            (v1::PublishRequest { data: Bytes::from_static(b"{"), ..request() }, "data"),
            (
                v1::PublishRequest { exclude_connections: vec!["me".into()], ..request() },
                "exclude_connections",
            ),
            ttl(-1, 0),
            ttl(i64::MIN, 0),
            ttl(0, i32::MIN),
            ttl(1, -1),
            ttl(0, 1_000_000_000),
        ];
        for (request, field) in table {
            assert_eq!(draft_of(request).unwrap_err().field(), Some(field));
        }
    }

    #[test]
    fn small_data_does_not_hold_the_buffer_it_came_in() {
        let received = Bytes::from(vec![b'7'; 64 * 1024]);
        let of = |bytes| v1::PublishRequest {
            data: received.slice(..bytes),
            ..v1::PublishRequest::default()
        };
        let data = |bytes| draft_of(of(bytes)).unwrap().payload.data().clone();
        assert_ne!(data(COPIED_BYTES - 1).as_ptr(), received.as_ptr());
        assert_eq!(data(COPIED_BYTES).as_ptr(), received.as_ptr(), "large data is not copied");
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_comes_out_as_it_went_in() {
        let hub = TestHub::start();
        let published = hub
            .publish(Draft { exclude: Vec::new(), ..draft_of(request()).unwrap() })
            .await
            .unwrap();
        let page = hub
            .history(
                &"a:b".parse().unwrap(),
                fanline_core::history::HistoryRequest {
                    start: Start::Earliest,
                    limit: 1,
                    bytes: 1,
                    reverse: false,
                },
            )
            .await
            .unwrap();
        let request = request();
        assert_eq!(
            event(&page.events[0]),
            v1::Event {
                id: published.id.to_string(),
                channel: request.channel,
                r#type: request.r#type,
                data: request.data,
                content_type: request.content_type,
                headers: request.headers,
                // The test hub's clock stands at 2026-01-01.
                time: Some(prost_types::Timestamp { seconds: 1_767_225_600, nanos: 0 }),
                position: Some(position(published.position)),
                user: String::new(),
            }
        );
    }

    #[test]
    fn a_time_keeps_its_milliseconds() {
        let time = timestamp(Timestamp::from_millis(1_795_512_600_123));
        assert_eq!((time.seconds, time.nanos), (1_795_512_600, 123_000_000));
    }

    #[test]
    fn a_position_that_was_sent_back_is_read_and_any_other_is_invalid() {
        let at = Position::new(epoch("aB3"), Offset::new(7));
        assert_eq!(after(&position(at)), Start::After(at));
        for epoch in ["", "a-1", "ä", &"a".repeat(24)] {
            let foreign = v1::Position { epoch: epoch.into(), offset: 1 };
            assert_eq!(after(&foreign), Start::Invalid, "{epoch}");
        }
    }
}
