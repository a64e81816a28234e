//! What nodes tell each other about commands, as bytes.
//!
//! Both forms begin with their version, so that nodes of two versions may work together during a rolling update: what is
//! not understood is ignored, and costs its command the time until its deadline.

use crate::clock::Timestamp;
use crate::command::{
    BackendError, Command, CommandDraft, CommandError, ErrorCode, Registration, Reply,
};
use crate::event::{ContentType, Payload};
use crate::ids::{CommandId, UserId};
use crate::limits::NODE_RECORD_BYTES;
use crate::reason::Reason;
use crate::wire::{Reader, put_length, put_text};
use crate::{ChannelName, Refusal};
use bytes::Bytes;
use std::time::Duration;

const VERSION: u8 = 1;

/// A message from node to node.
#[derive(Debug)]
pub(super) enum Message {
    /// Answer this.
    Ask(Box<Command>),
    /// Nobody waits for that any more.
    GiveUp(CommandId),
    /// What became of a command: the answers to it are counted from 0.
    Answer { id: CommandId, sequence: u64, answer: Answer },
}

/// What became of a command.
#[derive(Debug)]
pub(super) enum Answer {
    Reply(Reply),
    Failed(CommandError),
    /// Nobody here answers it: it was given to nobody.
    NotTaken,
    /// Its backend went away.
    Lost,
}

/// The first byte after the version: what a message is.
mod kind {
    pub(super) const ASK: u8 = 1;
    pub(super) const GIVE_UP: u8 = 2;
    pub(super) const REPLY: u8 = 3;
    pub(super) const REFUSED: u8 = 4;
    pub(super) const BACKEND_ERROR: u8 = 5;
    pub(super) const NOT_TAKEN: u8 = 6;
    pub(super) const LOST: u8 = 7;
}

impl Message {
    /// An [`Ask`](Message::Ask), without a copy of the command.
    pub(super) fn ask(command: &Command) -> Vec<u8> {
        let CommandDraft {
            method,
            channel,
            payload,
            user,
            connection,
            claims,
            idempotency_key,
            trace,
        } = &command.draft;
        let mut out = Vec::with_capacity(256 + payload.data().len());
        out.extend_from_slice(&[VERSION, kind::ASK]);
        put_text(&mut out, &command.id.to_string());
        put_millis(&mut out, command.timeout);
        put_text(&mut out, method.as_str());
        put_text(&mut out, channel.as_ref().map_or("", ChannelName::as_str));
        put_text(&mut out, user.as_ref().map_or("", UserId::as_str));
        put_text(&mut out, &connection.map(|id| id.to_string()).unwrap_or_default());
        put_text(&mut out, idempotency_key.as_deref().unwrap_or_default());
        put_text(&mut out, trace.as_ref().map_or("", |trace| trace.as_str()));
        put_length(&mut out, claims.len());
        for (name, text) in claims.iter() {
            put_text(&mut out, name);
            put_text(&mut out, text);
        }
        put_payload(&mut out, payload);
        out
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        match self {
            Message::Ask(command) => return Message::ask(command),
            Message::GiveUp(id) => {
                out.push(kind::GIVE_UP);
                put_text(&mut out, &id.to_string());
            }
            Message::Answer { id, sequence, answer } => {
                out.push(answer.kind());
                put_text(&mut out, &id.to_string());
                out.extend_from_slice(&sequence.to_be_bytes());
                answer.put(&mut out);
            }
        }
        out
    }

    /// Reads what [`encode`](Self::encode) writes; nothing from anything else.
    pub(super) fn decode(bytes: Bytes) -> Option<Self> {
        let mut reader = Reader::new(&bytes);
        if reader.byte()? != VERSION {
            return None;
        }
        let kind = reader.byte()?;
        let id = reader.text()?.parse().ok()?;
        Some(match kind {
            kind::ASK => Message::Ask(Box::new(read_command(id, &bytes, reader)?)),
            kind::GIVE_UP => Message::GiveUp(id),
            _ => {
                let sequence = reader.number()?;
                Message::Answer { id, sequence, answer: Answer::read(kind, &bytes, reader)? }
            }
        })
    }
}

fn read_command(id: CommandId, bytes: &Bytes, mut reader: Reader<'_>) -> Option<Command> {
    let timeout = Duration::from_millis(reader.number()?);
    let method = reader.text()?.parse().ok()?;
    let channel = optional(reader.text()?)?;
    let user = UserId::new(reader.text()?);
    let connection = optional(reader.text()?)?;
    let idempotency_key = Some(reader.text()?.to_owned()).filter(|key| !key.is_empty());
    let trace = optional(reader.text()?)?;
    let claims = (0..reader.length()?)
        .map(|_| Some((reader.text()?.into(), reader.text()?.into())))
        .collect::<Option<_>>()?;
    let payload = read_payload(bytes, reader)?;
    let draft =
        CommandDraft { method, channel, payload, user, connection, claims, idempotency_key, trace };
    // The moment is this node's to say: clocks differ.
    Some(Command { id, draft, deadline: Timestamp::default(), timeout, held: None })
}

impl Answer {
    fn kind(&self) -> u8 {
        match self {
            Answer::Reply(_) => kind::REPLY,
            Answer::Failed(CommandError::Hub(_)) => kind::REFUSED,
            Answer::Failed(CommandError::Backend(_)) => kind::BACKEND_ERROR,
            Answer::NotTaken => kind::NOT_TAKEN,
            Answer::Lost => kind::LOST,
        }
    }

    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Answer::Reply(Reply { payload, more, join, leave }) => {
                out.push(u8::from(*more));
                for channels in [join, leave] {
                    put_length(out, channels.len());
                    channels.iter().for_each(|channel| put_text(out, channel.as_str()));
                }
                put_payload(out, payload);
            }
            Answer::Failed(error) => {
                put_text(out, error.reason());
                put_text(out, error.message());
                // 0 is none: a client that may come at once need not be told.
                put_millis(out, error.retry_after().unwrap_or_default());
                if let CommandError::Backend(error) = error {
                    put_text(out, error.code().as_str());
                }
            }
            Answer::NotTaken | Answer::Lost => {}
        }
    }

    fn read(kind: u8, bytes: &Bytes, mut reader: Reader<'_>) -> Option<Self> {
        Some(match kind {
            kind::REPLY => {
                let more = reader.byte()? != 0;
                let (join, leave) = (read_channels(&mut reader)?, read_channels(&mut reader)?);
                Answer::Reply(Reply { payload: read_payload(bytes, reader)?, more, join, leave })
            }
            kind::REFUSED => {
                let (reason, message) = (reader.text()?, reader.text()?);
                let reason = Reason::ALL.into_iter().find(|known| known.as_str() == reason)?;
                let refusal = Refusal::new(reason, message.to_owned());
                Answer::Failed(match read_retry(&mut reader)? {
                    Some(after) => refusal.with_retry_after(after).into(),
                    None => refusal.into(),
                })
            }
            kind::BACKEND_ERROR => {
                let (reason, message) = (reader.text()?, reader.text()?);
                let retry_after = read_retry(&mut reader)?;
                let code = ErrorCode::from_name(reader.text()?)?;
                let error = BackendError::new(code, Some(reason), message);
                Answer::Failed(CommandError::Backend(match retry_after {
                    Some(after) => error.with_retry_after(after),
                    None => error,
                }))
            }
            kind::NOT_TAKEN => Answer::NotTaken,
            kind::LOST => Answer::Lost,
            _ => return None,
        })
    }
}

/// What a node says of itself: the methods that are answered there. What does not fit is left out, and answered only for
/// the node's own clients.
pub(super) fn record_of(offers: &[Registration]) -> Bytes {
    let mut record = vec![VERSION];
    for Registration { methods, max_in_flight } in offers {
        let before = record.len();
        put_length(&mut record, *max_in_flight);
        put_length(&mut record, methods.len());
        methods.iter().for_each(|pattern| put_text(&mut record, pattern.as_str()));
        if record.len() > NODE_RECORD_BYTES {
            record.truncate(before);
            tracing::warn!(
                "other nodes are not told of all methods that are answered here: too many patterns"
            );
            break;
        }
    }
    record.into()
}

/// What another node says. One that says nothing, or what is not understood, offers nothing.
pub(super) fn offers_of(record: &[u8]) -> Vec<Registration> {
    let mut reader = Reader::new(record);
    if reader.byte() != Some(VERSION) {
        return Vec::new();
    }
    let offer = || {
        let max_in_flight = reader.length()?;
        let methods = (0..reader.length()?).map(|_| reader.text()?.parse().ok());
        Some(Registration { methods: methods.collect::<Option<_>>()?, max_in_flight })
    };
    std::iter::from_fn(offer).collect()
}

fn put_millis(out: &mut Vec<u8>, time: Duration) {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    out.extend_from_slice(&millis.to_be_bytes());
}

fn read_retry(reader: &mut Reader<'_>) -> Option<Option<Duration>> {
    let millis = reader.number()?;
    Some((millis > 0).then(|| Duration::from_millis(millis)))
}

fn put_payload(out: &mut Vec<u8>, payload: &Payload) {
    let content_type = payload.content_type();
    put_text(out, if content_type.is_json() { "" } else { content_type.as_str() });
    out.extend_from_slice(payload.data());
}

/// The rest of a message, as a slice of it.
fn read_payload(bytes: &Bytes, mut reader: Reader<'_>) -> Option<Payload> {
    let content_type: ContentType = reader.text()?.parse().ok()?;
    Payload::new(content_type, bytes.slice_ref(reader.rest())).ok()
}

fn read_channels(reader: &mut Reader<'_>) -> Option<Vec<ChannelName>> {
    (0..reader.length()?).map(|_| reader.text()?.parse().ok()).collect()
}

/// The empty text is none.
fn optional<T: std::str::FromStr>(text: &str) -> Option<Option<T>> {
    if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use crate::testing::{body, channel};

    fn id() -> CommandId {
        CommandId::new(Timestamp::from_millis(7), &Random::seeded(7))
    }

    fn through(answer: Answer) -> Answer {
        let message = Message::Answer { id: id(), sequence: 3, answer };
        match Message::decode(message.encode().into()) {
            Some(Message::Answer { id: read, sequence: 3, answer }) if read == id() => answer,
            other => panic!("an answer, not {other:?}"),
        }
    }

    #[test]
    fn an_answer_survives_its_bytes() {
        let sent = Reply {
            more: true,
            join: vec![channel("a:b")],
            leave: vec![channel("a:c"), channel("a:d")],
            ..Reply::only(body(5).payload)
        };
        let Answer::Reply(reply) = through(Answer::Reply(sent.clone())) else { panic!("a reply") };
        assert_eq!((reply.more, &reply.join, &reply.leave), (true, &sent.join, &sent.leave));
        assert_eq!(reply.payload.data(), sent.payload.data());

        let retry = Duration::from_millis(1500);
        let errors: [CommandError; 2] = [
            Refusal::new(Reason::LimitExceeded, "busy").with_retry_after(retry).into(),
            CommandError::Backend(
                BackendError::new(ErrorCode::Aborted, Some("LOCKED"), "no").with_retry_after(retry),
            ),
        ];
        for error in errors {
            let Answer::Failed(read) = through(Answer::Failed(error.clone())) else {
                panic!("it failed")
            };
            assert_eq!(read, error);
        }
        assert!(matches!(through(Answer::NotTaken), Answer::NotTaken));
        assert!(matches!(through(Answer::Lost), Answer::Lost));
    }

    #[test]
    fn an_offer_survives_its_bytes_and_what_does_not_fit_is_left_out() {
        let offer = |pattern: &str, max| Registration {
            methods: vec![pattern.parse().unwrap(); 2],
            max_in_flight: max,
        };
        let offers = [offer("chat.*", 64), offer("jobs.*", 3)];
        assert_eq!(offers_of(&record_of(&offers)), offers);
        assert!(offers_of(&[]).is_empty() && offers_of(&[9, 9]).is_empty());
        let many = vec![offer(&"a".repeat(250), 1); 1000];
        let record = record_of(&many);
        assert!(record.len() <= NODE_RECORD_BYTES);
        assert!(offers_of(&record).len() > 100);
    }

    #[test]
    fn what_is_cut_short_or_foreign_is_nothing() {
        let message = Message::Answer {
            id: id(),
            sequence: 0,
            answer: Answer::Failed(CommandError::no_handler()),
        };
        let bytes = message.encode();
        for length in 0..bytes.len() {
            assert!(
                Message::decode(Bytes::copy_from_slice(&bytes[..length])).is_none(),
                "{length}"
            );
        }
        assert!(Message::decode(Bytes::from_static(b"\x02\x01")).is_none());
    }
}
