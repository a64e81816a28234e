//! What is pending on a stream, put together into one piece for the HTTP server: one piece costs a fraction of many.

use crate::limits::CHUNK_BYTES;
use crate::message::{self, EventBlock, Style};
use bytes::Bytes;
use fanline_core::ChannelName;
use fanline_core::broker::PresenceChange;
use fanline_core::catchup::Gap;
use fanline_core::event::Event;
use fanline_core::feed::Outlet;
use std::sync::Arc;

/// The next bytes of a stream. Filled only while it is not full, so that it holds at most its limit, one block, and one
/// page of history; and it holds nothing between two pieces.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) style: Style,
    /// The first event, shared by all streams, as long as nothing follows it.
    first: Option<Bytes>,
    bytes: Vec<u8>,
    deliveries: u64,
}

impl Chunk {
    pub(crate) fn new(style: Style) -> Self {
        Chunk { style, first: None, bytes: Vec::new(), deliveries: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none() && self.bytes.is_empty()
    }

    /// Where to write what comes next.
    pub(crate) fn out(&mut self) -> &mut Vec<u8> {
        if let Some(first) = self.first.take() {
            self.bytes.extend_from_slice(&first);
        }
        &mut self.bytes
    }

    /// Takes all of it, and how many events are in it.
    pub(crate) fn take(&mut self) -> (Bytes, u64) {
        let bytes = match self.first.take() {
            Some(first) => first,
            None => std::mem::take(&mut self.bytes).into(),
        };
        (bytes, std::mem::take(&mut self.deliveries))
    }
}

impl Outlet for Chunk {
    fn event(&mut self, event: &Arc<Event>) {
        self.deliveries += 1;
        let block = EventBlock::of(event);
        match block.shared(self.style) {
            Some(shared) if self.is_empty() => self.first = Some(shared),
            Some(_) | None => {
                let style = self.style;
                block.put(self.out(), style);
            }
        }
    }

    fn gap(&mut self, channel: &ChannelName, gap: Gap) {
        let style = self.style;
        message::gap(self.out(), channel, gap, style);
    }

    fn presence(&mut self, change: &Arc<PresenceChange>) {
        message::presence(self.out(), change);
    }

    fn is_full(&self) -> bool {
        self.bytes.len() + self.first.as_ref().map_or(0, Bytes::len) >= CHUNK_BYTES
    }
}
