//! Commands and replies between the wire and the words of the core, by hand.

use crate::convert::{duration, timestamp};
use bytes::Bytes;
use fanline_core::command::{BackendError, Command, CommandDraft, ErrorCode, Reply};
use fanline_core::event::{ContentType, Payload};
use fanline_core::ids::UserId;
use fanline_core::limits::CHANNELS_PER_CALL;
use fanline_core::pattern::Pattern;
use fanline_core::{ChannelName, Limits, Reason, Refusal};
use fanline_proto::v1;
use prost::Message;
use std::time::Duration;
use tonic_types::{RetryInfo, RpcStatusExt, pb};

/// A command as backends get it.
pub(crate) fn command(command: &Command) -> v1::Command {
    let CommandDraft { method, channel, payload, user, connection, claims, idempotency_key, trace } =
        &command.draft;
    let claims = claims.iter().map(|(name, text)| (name.to_string(), text.to_string()));
    v1::Command {
        id: command.id.to_string(),
        method: method.to_string(),
        channel: channel.as_ref().map(ChannelName::to_string).unwrap_or_default(),
        data: payload.data().clone(),
        content_type: payload.content_type().as_str().to_owned(),
        user: user.as_ref().map_or("", UserId::as_str).to_owned(),
        connection: connection.map(|id| id.to_string()).unwrap_or_default(),
        claims: claims.collect(),
        deadline: Some(timestamp(command.deadline)),
        idempotency_key: idempotency_key.clone().unwrap_or_default(),
        traceparent: trace.as_ref().map(ToString::to_string).unwrap_or_default(),
    }
}

/// What of a reply goes on to its client. Its events are not among that.
pub(crate) fn reply(reply: v1::CommandReply, limits: &Limits) -> Result<Reply, Refusal> {
    let v1::CommandReply { data, content_type, more, join, leave, publish, .. } = reply;
    let bytes_max = limits.grpc_event_bytes;
    if data.len() > bytes_max {
        let message =
            format!("a reply has at most {bytes_max} bytes of data, this one {}", data.len());
        return Err(Refusal::new(Reason::TooLarge, message).with_field("data"));
    }
    if publish.len() > CHANNELS_PER_CALL {
        let message = format!("a reply publishes at most {CHANNELS_PER_CALL} events");
        return Err(Refusal::new(Reason::LimitExceeded, message).with_field("publish"));
    }
    let content_type: ContentType = content_type.parse()?;
    let data = match content_type.is_json() && data.is_empty() {
        true => Bytes::from_static(b"null"),
        // A copy, so that a small reply does not hold the buffer that it came in.
        false => Bytes::copy_from_slice(&data),
    };
    Ok(Reply {
        payload: Payload::new(content_type, data)?,
        more,
        join: channels(join, "join", limits)?,
        leave: channels(leave, "leave", limits)?,
    })
}

fn channels(
    names: Vec<String>,
    field: &'static str,
    limits: &Limits,
) -> Result<Vec<ChannelName>, Refusal> {
    let channels_max = limits.channels_per_connection;
    if names.len() > channels_max {
        let message = format!("a connection is in at most {channels_max} channels");
        return Err(Refusal::new(Reason::LimitExceeded, message).with_field(field));
    }
    let parse = |name: &String| name.parse().map_err(|refusal: Refusal| refusal.with_field(field));
    names.iter().map(parse).collect()
}

/// The error that a reply is. None: it is no error, whatever stands beside its code.
pub(crate) fn error(status: &pb::Status) -> Option<BackendError> {
    let code = ErrorCode::from_number(status.code)?;
    let reason = status.get_details_error_info().map(|info| info.reason);
    let error = BackendError::new(code, reason.as_deref(), &status.message);
    Some(match retry_after(status) {
        Some(after) => error.with_retry_after(after),
        None => error,
    })
}

/// When a backend says that the same may be asked again. Read by hand for the sake of [`duration`].
fn retry_after(status: &pb::Status) -> Option<Duration> {
    let retries = status.details.iter().filter(|detail| detail.type_url == RetryInfo::TYPE_URL);
    let retry =
        retries.into_iter().find_map(|detail| pb::RetryInfo::decode(&*detail.value).ok())?;
    duration(retry.retry_delay?)
}

/// The patterns that a backend registers.
pub(crate) fn methods(methods: &[String]) -> Result<Vec<Pattern>, Refusal> {
    methods
        .iter()
        .map(|text| text.parse().map_err(|error| Refusal::invalid("methods", format!("{error}"))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use tonic_types::{ErrorDetails, StatusExt};

    fn wire(data: &str) -> v1::CommandReply {
        v1::CommandReply { data: data.to_owned().into(), ..v1::CommandReply::default() }
    }

    #[test]
    fn a_reply_without_data_is_null() {
        let reply = reply(wire(""), &Limits::default()).unwrap();
        assert_eq!(reply.payload.data(), "null");
    }

    #[test]
    fn a_wrong_field_is_refused_by_its_name() {
        let limits =
            Limits { grpc_event_bytes: 4, channels_per_connection: 1, ..Limits::default() };
        let many = vec!["a:b".to_owned(), "a:c".to_owned()];
        let table = [
            (wire("12345"), "data"),
            (wire("{"), "data"),
            (v1::CommandReply { content_type: "json".into(), ..wire("1") }, "content_type"),
            (v1::CommandReply { join: vec!["a b".into()], ..wire("1") }, "join"),
            (v1::CommandReply { leave: many, ..wire("1") }, "leave"),
            (
                v1::CommandReply {
                    publish: vec![v1::PublishRequest::default(); CHANNELS_PER_CALL + 1],
                    ..wire("1")
                },
                "publish",
            ),
        ];
        for (wire, field) in table {
            assert_eq!(reply(wire, &limits).unwrap_err().field(), Some(field));
        }
    }

    #[test]
    fn an_error_keeps_its_reason_its_message_and_when_to_try_again() {
        let mut details = ErrorDetails::with_error_info("ROOM_LOCKED", "chat", HashMap::new());
        details.set_retry_info(Some(Duration::from_secs(2)));
        let status =
            tonic::Status::with_error_details(tonic::Code::Aborted, "it is locked", details);
        let status: pb::Status = prost::Message::decode(status.details()).unwrap();
        let expected = BackendError::new(ErrorCode::Aborted, Some("ROOM_LOCKED"), "it is locked");
        assert_eq!(error(&status), Some(expected.with_retry_after(Duration::from_secs(2))));
        assert_eq!(error(&pb::Status::default()), None);
    }

    #[test]
    fn when_to_try_again_is_not_before_now() {
        for seconds in [-1, i64::MIN] {
            let retry_delay = Some(prost_types::Duration { seconds, nanos: 0 });
            let detail = prost_types::Any {
                type_url: RetryInfo::TYPE_URL.to_owned(),
                value: pb::RetryInfo { retry_delay }.encode_to_vec(),
            };
            let status = pb::Status { code: 14, details: vec![detail], ..pb::Status::default() };
            assert_eq!(error(&status), Some(BackendError::new(ErrorCode::Unavailable, None, "")));
        }
    }
}
