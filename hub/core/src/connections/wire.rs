//! What nodes ask each other about connections, as bytes.
//!
//! The first byte is the version, so that nodes of two versions may run beside each other: what a node does not
//! understand it does not answer.

use super::order::{Ending, Order, Target};
use super::query::{ConnectionInfo, ConnectionsPage, ConnectionsQuery, Transport};
use crate::clock::Timestamp;
use crate::ids::{NodeId, UserId};
use crate::reason::Reason;
use crate::wire::{Reader, put_length, put_text};
use std::fmt::Display;

const VERSION: u8 = 1;

/// A question or its answer, with the number that leads from one to the other.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Message {
    Order {
        ask: u64,
        target: Target,
        order: Order,
    },
    List {
        ask: u64,
        query: ConnectionsQuery,
    },
    /// So many connections got the order.
    Ordered {
        ask: u64,
        count: u64,
    },
    Listed {
        ask: u64,
        page: ConnectionsPage,
    },
}

impl Message {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        match self {
            Message::Order { ask, target, order } => {
                put_front(&mut out, b'O', *ask);
                match target {
                    Target::Connection(connection) => put_tagged(&mut out, b'c', connection),
                    Target::User(user) => put_tagged(&mut out, b'u', user),
                    Target::Token(id) => put_tagged(&mut out, b't', id),
                }
                match order {
                    Order::Disconnect(Ending { reason, reconnect }) => {
                        put_tagged(&mut out, if *reconnect { b'r' } else { b'd' }, reason);
                    }
                    Order::Join(channel) => put_tagged(&mut out, b'j', channel),
                    Order::Leave(channel) => put_tagged(&mut out, b'l', channel),
                }
            }
            Message::List { ask, query } => {
                put_front(&mut out, b'L', *ask);
                put_text(&mut out, query.user.as_ref().map_or("", UserId::as_str));
                put_option(&mut out, query.channel.as_ref());
                put_option(&mut out, query.after);
                put_length(&mut out, query.limit);
            }
            Message::Ordered { ask, count } => {
                put_front(&mut out, b'o', *ask);
                out.extend_from_slice(&count.to_be_bytes());
            }
            Message::Listed { ask, page } => {
                put_front(&mut out, b'l', *ask);
                out.push(u8::from(page.more));
                put_length(&mut out, page.connections.len());
                page.connections.iter().for_each(|info| put_info(&mut out, info));
            }
        }
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        if reader.byte()? != VERSION {
            return None;
        }
        let (kind, ask) = (reader.byte()?, reader.number()?);
        match kind {
            b'O' => {
                let target = match (reader.byte()?, reader.text()?) {
                    (b'c', text) => Target::Connection(text.parse().ok()?),
                    (b'u', text) => Target::User(UserId::new(text)?),
                    (b't', text) => Target::Token(text.into()),
                    _ => return None,
                };
                let order = match (reader.byte()?, reader.text()?) {
                    (b'r', text) => ending(text, true),
                    (b'd', text) => ending(text, false),
                    (b'j', text) => Order::Join(text.parse().ok()?),
                    (b'l', text) => Order::Leave(text.parse().ok()?),
                    _ => return None,
                };
                Some(Message::Order { ask, target, order })
            }
            b'L' => {
                let user = UserId::new(reader.text()?);
                let channel = option(reader.text()?)?;
                let after = option(reader.text()?)?;
                let query = ConnectionsQuery { user, channel, after, limit: reader.length()? };
                Some(Message::List { ask, query })
            }
            b'o' => Some(Message::Ordered { ask, count: reader.number()? }),
            b'l' => {
                let more = reader.byte()? == 1;
                let connections = (0..reader.length()?).map(|_| read_info(&mut reader));
                let connections = connections.collect::<Option<_>>()?;
                Some(Message::Listed { ask, page: ConnectionsPage { connections, more } })
            }
            _ => None,
        }
    }
}

fn put_front(out: &mut Vec<u8>, kind: u8, ask: u64) {
    out.push(kind);
    out.extend_from_slice(&ask.to_be_bytes());
}

fn put_tagged(out: &mut Vec<u8>, tag: u8, value: &impl Display) {
    out.push(tag);
    put_text(out, &value.to_string());
}

/// None of these texts is ever empty.
fn put_option(out: &mut Vec<u8>, value: Option<impl Display>) {
    put_text(out, &value.map(|value| value.to_string()).unwrap_or_default());
}

fn option<T: std::str::FromStr>(text: &str) -> Option<Option<T>> {
    if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) }
}

/// A reason that a newer node knows and this one does not is still one to end for.
fn ending(word: &str, reconnect: bool) -> Order {
    let known = Reason::ALL.into_iter().find(|reason| reason.as_str() == word);
    Order::Disconnect(Ending { reason: known.unwrap_or(Reason::Disconnected), reconnect })
}

fn put_info(out: &mut Vec<u8>, info: &ConnectionInfo) {
    put_text(out, &info.connection.to_string());
    put_text(out, &info.node.to_string());
    put_text(out, info.user.as_ref().map_or("", UserId::as_str));
    put_option(out, info.token_id.as_ref());
    put_text(out, info.transport.as_str());
    out.extend_from_slice(&info.connected_at.millis().to_be_bytes());
    put_length(out, info.channels.len());
    info.channels.iter().for_each(|channel| put_text(out, channel.as_str()));
}

fn read_info(reader: &mut Reader<'_>) -> Option<ConnectionInfo> {
    let connection = reader.text()?.parse().ok()?;
    let node: NodeId = reader.text()?.parse().ok()?;
    let user = UserId::new(reader.text()?);
    let token_id = Some(reader.text()?).filter(|id| !id.is_empty()).map(Into::into);
    let transport = Transport::parse(reader.text()?)?;
    let connected_at = Timestamp::from_millis(reader.number()?);
    let channels = (0..reader.length()?).map(|_| reader.text()?.parse().ok());
    let channels = channels.collect::<Option<_>>()?;
    Some(ConnectionInfo { connection, node, user, token_id, transport, connected_at, channels })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ConnectionId;
    use crate::random::Random;
    use crate::testing::channel;
    use proptest::prelude::*;

    #[test]
    fn every_message_survives_its_bytes() {
        let random = Random::seeded(1);
        let connection = ConnectionId::new(Timestamp::from_millis(1), &random);
        let user = UserId::new("ada lovelace").unwrap();
        let targets =
            [Target::Connection(connection), Target::User(user.clone()), Target::Token("".into())];
        let orders = [
            Order::Disconnect(Ending { reason: Reason::TokenRevoked, reconnect: false }),
            Order::Disconnect(Ending { reason: Reason::Disconnected, reconnect: true }),
            Order::Join(channel("a:b")),
            Order::Leave(channel("a:b#x,y")),
        ];
        let mut messages = Vec::new();
        for target in &targets {
            for order in &orders {
                messages.push(Message::Order {
                    ask: 7,
                    target: target.clone(),
                    order: order.clone(),
                });
            }
        }
        let all = ConnectionsQuery { limit: 9, ..ConnectionsQuery::default() };
        let some = ConnectionsQuery {
            user: Some(user.clone()),
            channel: Some(channel("a:b")),
            after: Some(connection),
            limit: 1,
        };
        messages.extend([all, some].map(|query| Message::List { ask: u64::MAX, query }));
        messages.push(Message::Ordered { ask: 0, count: 3 });
        let info = ConnectionInfo {
            connection,
            node: NodeId::random(&random),
            user: Some(user),
            token_id: Some("t1".into()),
            transport: Transport::LongPoll,
            connected_at: Timestamp::from_millis(5),
            channels: vec![channel("a:b"), channel("a:c")],
        };
        let anonymous =
            ConnectionInfo { user: None, token_id: None, channels: Vec::new(), ..info.clone() };
        let page = ConnectionsPage { connections: vec![info, anonymous], more: true };
        messages.push(Message::Listed { ask: 1, page });
        for message in messages {
            assert_eq!(Message::decode(&message.encode()), Some(message));
        }
    }

    proptest! {
        #[test]
        fn foreign_bytes_are_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _either_way = Message::decode(&[&[VERSION, b'l'], &bytes[..]].concat());
            let _either_way = Message::decode(&bytes);
        }
    }
}
