//! The names of what lies in Redis. All keys of a channel share one hash tag, and so one slot.
//!
//! What belongs to no channel stands under a tag that begins with `$`, as no channel of a client does: `$hub` for what
//! all nodes share, `$node:` for one of them, `$user:` and `$note:` for one user or note.

use fanline_core::channel::ChannelName;
use fanline_core::ids::{NodeId, UserId};
use std::fmt::Write;

/// Slots of a cluster.
pub(crate) const SLOTS: u16 = 16384;

/// The tag of what all nodes share.
const HUB: &str = "$hub";

/// Makes names under a prefix.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    prefix: Box<str>,
}

impl Keys {
    pub(crate) fn new(prefix: &str) -> Self {
        Keys { prefix: prefix.into() }
    }

    /// What decides where a channel lives: the text between the braces of its keys.
    pub(crate) fn tag(&self, channel: &ChannelName) -> String {
        format!("{}:{channel}", self.prefix)
    }

    /// Where the channel stands: a hash.
    pub(crate) fn meta(&self, channel: &ChannelName) -> String {
        self.of(channel, "meta")
    }

    /// Its history: a stream.
    pub(crate) fn log(&self, channel: &ChannelName) -> String {
        self.of(channel, "log")
    }

    /// Its members: a hash.
    pub(crate) fn members(&self, channel: &ChannelName) -> String {
        self.of(channel, "members")
    }

    /// What happened to them and was not told: a stream.
    pub(crate) fn changes(&self, channel: &ChannelName) -> String {
        self.of(channel, "changes")
    }

    /// The answer that an idempotency key got: a string.
    pub(crate) fn idempotency(&self, channel: &ChannelName, key: &str) -> String {
        format!("{}{key}", self.of(channel, "idem:"))
    }

    /// The pub/sub channel of its live messages.
    pub(crate) fn live(&self, channel: &ChannelName) -> String {
        self.of(channel, "live")
    }

    /// The pub/sub channel in which a node hears its own probes. The number finds a slot of the server in question.
    pub(crate) fn probe(&self, node: &str, number: u16) -> String {
        format!("{{{}}}:probe", self.probe_tag(node, number))
    }

    /// What decides its slot.
    pub(crate) fn probe_tag(&self, node: &str, number: u16) -> String {
        format!("{}:{number}:{node}", self.prefix)
    }

    /// The pseudo channel in which nodes tell each other what concerns all.
    pub(crate) fn hub_channel(&self) -> ChannelName {
        HUB.parse().expect("the name is a channel's")
    }

    /// The pseudo channel in which a node hears what others tell it.
    pub(crate) fn node_channel(&self, node: NodeId) -> ChannelName {
        format!("$node:{node}").parse().expect("the name is a channel's")
    }

    /// The registry of nodes: a hash.
    pub(crate) fn nodes(&self) -> String {
        format!("{{{}:{HUB}}}:nodes", self.prefix)
    }

    /// The revocations: by the end of their time, by the order of their coming, and the mark of that order.
    pub(crate) fn revoked(&self) -> [String; 3] {
        ["ends", "orders", "mark"].map(|kind| format!("{{{}:{HUB}}}:revoked:{kind}", self.prefix))
    }

    /// The nodes on which a user has connections: a hash.
    pub(crate) fn user(&self, user: &UserId) -> String {
        format!("{{{}}}:nodes", self.user_tag(user))
    }

    /// What decides where that lives.
    pub(crate) fn user_tag(&self, user: &UserId) -> String {
        format!("{}:$user:{}", self.prefix, plain(user.as_str()))
    }

    /// A note: a string.
    pub(crate) fn note(&self, key: &str) -> String {
        format!("{{{}}}:value", self.note_tag(key))
    }

    /// What decides where that lives.
    pub(crate) fn note_tag(&self, key: &str) -> String {
        format!("{}:$note:{}", self.prefix, plain(key))
    }

    /// A pattern for `SCAN` that matches a kind of key of all channels.
    pub(crate) fn scan(&self, kind: &str) -> String {
        // The prefix has no characters that mean something in a pattern: the settings see to it.
        format!("{{{}:*}}:{kind}", self.prefix)
    }

    /// The channel of a key that [`scan`](Self::scan) found.
    pub(crate) fn channel(&self, key: &str) -> Option<ChannelName> {
        let rest = key.strip_prefix('{')?.strip_prefix(&*self.prefix)?.strip_prefix(':')?;
        rest.rsplit_once('}')?.0.parse().ok()
    }

    fn of(&self, channel: &ChannelName, kind: &str) -> String {
        format!("{{{}:{channel}}}:{kind}", self.prefix)
    }
}

/// A text of a client's making as part of a tag: what means something in a key, or is not printable, is `%` and two
/// digits.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"._:@-".contains(&byte) {
            plain.push(char::from(byte));
        } else {
            write!(plain, "%{byte:02X}").expect("a string takes all");
        }
    }
    plain
}

/// The slot of a hash tag (Redis Cluster specification, "Key distribution model").
pub(crate) fn slot(tag: &str) -> u16 {
    crc16(tag.as_bytes()) % SLOTS
}

/// CRC-16/XMODEM, bit by bit: names are short, and this runs once per call to a cluster.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc: u16, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(slot("foo"), 12182);
        assert_eq!(slot(""), 0);
    }

    #[test]
    fn no_user_can_leave_its_tag() {
        let keys = Keys::new("p");
        let user = UserId::new("a}b\u{e9} c@d.e").unwrap();
        assert_eq!(keys.user(&user), "{p:$user:a%7Db%C3%A9%20c@d.e}:nodes");
        assert_ne!(keys.note("a%7D"), keys.note("a}"));
    }

    #[test]
    fn a_channel_is_found_in_its_keys() {
        let keys = Keys::new("fan:line");
        let channel: ChannelName = "chat:x#a,b".parse().unwrap();
        assert_eq!(keys.log(&channel), "{fan:line:chat:x#a,b}:log");
        assert_eq!(keys.channel(&keys.log(&channel)), Some(channel.clone()));
        assert_eq!(keys.channel(&keys.members(&channel)), Some(channel));
        for foreign in ["{other:chat:x}:log", "{fan:line}:log", "fan:line:chat", ""] {
            assert_eq!(keys.channel(foreign), None, "{foreign}");
        }
    }
}
