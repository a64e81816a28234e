//! The names of what lies in Redis. All keys of a channel share one hash tag, and so one slot.

use fanline_core::channel::ChannelName;

/// Slots of a cluster.
pub(crate) const SLOTS: u16 = 16384;

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
