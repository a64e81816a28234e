//! Members in the thousands: a client that reads nothing of an event but its position.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::frame::{Frame, FrameHead};
use crate::position::Position;
use crate::upgrade::upgrade_request;

const READ_BYTES: usize = 64 * 1024;

/// A member of one channel.
#[derive(Debug)]
pub struct CrowdMember {
    stream: TcpStream,
    buffer: Vec<u8>,
    tally: Tally,
}

/// What a member saw, over all its connections.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Where it stands: the last event seen, or where it first joined.
    pub position: Option<Position>,
    /// Events seen.
    pub events: u64,
    /// How often it joined again and was told that nothing was missed.
    pub recovered: u64,
    /// A digest of the ids of the events in the order in which they came: equal for those who saw the same.
    pub order: u64,
}

impl CrowdMember {
    /// Connects and joins; a tally that has a position goes on from there.
    ///
    /// # Errors
    ///
    /// Whatever is not as promised, in words.
    pub async fn join(
        address: SocketAddr,
        token: &str,
        channel: &str,
        tally: Tally,
    ) -> Result<Self, String> {
        let stream = TcpStream::connect(address)
            .await
            .map_err(|error| format!("cannot connect: {error}"))?;
        let buffer = Vec::with_capacity(READ_BYTES);
        let mut member = Self { stream, buffer, tally };
        member.upgrade(address, token).await?;
        let since = member
            .tally
            .position
            .as_ref()
            .map_or_else(String::new, |position| format!(r#","since":"{position}""#));
        let join = Frame::text(format!(r#"{{"op":"join","id":1,"channel":"{channel}"{since}}}"#));
        member.send(&join.encode()).await?;
        let answer = member.frame_with(|text| text.contains(r#""id":1"#)).await?;
        let position = position_in(&answer)?;
        if let Some(asked) = &member.tally.position {
            if !answer.contains(r#""recovered":true"#) || position != *asked {
                return Err(format!("joined since {asked}, answered {answer}"));
            }
            member.tally.recovered += 1;
        }
        member.tally.position = Some(position);
        Ok(member)
    }

    /// Reads once and checks each event that came: it has to be the next. Returns how far the member is.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, nothing is lost: bytes that were read stay in the member.
    ///
    /// # Errors
    ///
    /// A gap, a duplicate, a disorder or the end of the connection, in words.
    pub async fn advance(&mut self) -> Result<u64, String> {
        // A member with much to read must not keep its thread from the others.
        tokio::task::yield_now().await;
        // Events may have come in one piece with the answer to the join, and nothing after them.
        if FrameHead::with_payload(&self.buffer).is_none() {
            self.read().await?;
        }
        let mut taken = 0;
        while let Some((head, payload)) = FrameHead::with_payload(&self.buffer[taken..]) {
            match head.opcode {
                FrameHead::TEXT => self.tally.see(text(payload)?)?,
                FrameHead::PING => {
                    // Without waiting: a Pong for which there is no room now can be left to the next Ping.
                    let _no_room = self.stream.try_write(&Frame::pong(payload).encode());
                }
                FrameHead::CLOSE => return Err(format!("a Close {payload:?}")),
                opcode => return Err(format!("a frame with the opcode {opcode}")),
            }
            taken += head.frame_bytes();
        }
        self.buffer.drain(..taken);
        Ok(self.offset())
    }

    /// The offset of the last event seen, or of where it joined.
    pub fn offset(&self) -> u64 {
        self.tally.position.as_ref().map_or(0, |position| position.offset)
    }

    /// Ends the connection without a Close.
    pub fn vanish(self) -> Tally {
        self.tally
    }

    async fn upgrade(&mut self, address: SocketAddr, token: &str) -> Result<(), String> {
        self.send(upgrade_request(address, token).as_bytes()).await?;
        loop {
            self.read().await?;
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
                let upgraded = head.starts_with(b"HTTP/1.1 101 ");
                return upgraded
                    .then_some(())
                    .ok_or_else(|| format!("no upgrade: {}", String::from_utf8_lossy(&head)));
            }
        }
    }

    /// The first text that `wanted` accepts; those before it are dropped.
    async fn frame_with(&mut self, wanted: impl Fn(&str) -> bool) -> Result<String, String> {
        loop {
            while let Some((head, payload)) = FrameHead::with_payload(&self.buffer) {
                let found = text(payload)?.to_owned();
                self.buffer.drain(..head.frame_bytes());
                if wanted(&found) {
                    return Ok(found);
                }
            }
            self.read().await?;
        }
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        let sent = self.stream.write_all(bytes).await;
        sent.map_err(|error| format!("cannot write: {error}"))
    }

    async fn read(&mut self) -> Result<(), String> {
        match self.stream.read_buf(&mut self.buffer).await {
            Ok(0) => Err("the hub closes".to_owned()),
            Ok(_) => Ok(()),
            Err(error) => Err(format!("cannot read: {error}")),
        }
    }
}

impl Tally {
    /// Counts one text, which has to be the next event.
    fn see(&mut self, text: &str) -> Result<(), String> {
        if !text.contains(r#""op":"event""#) {
            return Err(format!("not an event: {text}"));
        }
        let position = position_in(text)?;
        let next = self.position.as_ref().map(|position| position.plus(1));
        if next.as_ref() != Some(&position) {
            return Err(format!("{next:?} should come, {position} comes"));
        }
        self.position = Some(position);
        self.events += 1;
        let mut order = DefaultHasher::new();
        (self.order, value_of("id", text)?).hash(&mut order);
        self.order = order.finish();
        Ok(())
    }
}

fn text(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|error| error.to_string())
}

fn position_in(text: &str) -> Result<Position, String> {
    value_of("position", text)?.parse()
}

/// The value of `"key":"…"`, found by search: a crowd cannot afford to parse each frame. The data of the events in the
/// test has no such keys.
fn value_of<'a>(key: &str, text: &'a str) -> Result<&'a str, String> {
    let start = format!(r#""{key}":""#);
    let start = text.find(&start).ok_or_else(|| format!("no {key} in {text}"))? + start.len();
    let length = text[start..].find('"').ok_or_else(|| format!("{text} breaks off"))?;
    Ok(&text[start..start + length])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_takes_the_next_event_and_nothing_else() {
        let mut tally =
            Tally { position: Some("e-7".parse().expect("a position")), ..Tally::default() };
        let event = |position: &str| {
            format!(
                r#"{{"op":"event","event":{{"channel":"a:b","position":"{position}","id":"x"}}}}"#
            )
        };
        tally.see(&event("e-8")).expect("the next one");
        for wrong in ["e-8", "e-7", "e-10", "other-9"] {
            tally.see(&event(wrong)).expect_err(wrong);
        }
        tally.see(r#"{"op":"gap","channel":"a:b","from":"e-8","to":"e-9"}"#).expect_err("a gap");
        assert_eq!(tally.events, 1);
    }

    #[test]
    fn tallies_agree_when_the_same_came_in_the_same_order() {
        let order = |ids: [&str; 2]| {
            let start = "e-0".parse().expect("a position");
            let mut tally = Tally { position: Some(start), ..Tally::default() };
            for (offset, id) in (1..).zip(ids) {
                let event =
                    format!(r#"{{"op":"event","event":{{"position":"e-{offset}","id":"{id}"}}}}"#);
                tally.see(&event).expect("the next one");
            }
            tally.order
        };
        assert_eq!(order(["a", "b"]), order(["a", "b"]));
        assert_ne!(order(["a", "b"]), order(["b", "a"]));
    }
}
