//! A WebSocket over a byte stream: tungstenite reads it, we write it.
//!
//! The protocol layer never touches the writing side. What it wants to send by itself (Pongs, the answer to a Close)
//! is collected and takes its turn in the outbox between whole frames; event frames go from the channel log to the
//! socket without a copy.

use crate::close::CloseCode;
use crate::io::Io;
use crate::limits::{FRAMES_PER_WRITE, READ_BYTES};
use crate::outbox::Outbox;
use bytes::Bytes;
use std::cell::RefCell;
use std::io::{self, IoSlice, Read, Write};
use std::task::{Context, Poll, ready};
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::{Message, Role, WebSocketConfig, WebSocketContext};
use tokio_tungstenite::tungstenite::{Error, Utf8Bytes};

thread_local! {
    /// Where small frames are copied together: one buffer for each worker, not for each connection.
    static TOGETHER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A WebSocket, server side. What writing needs lies together, before what reading needs.
#[repr(C)]
pub(crate) struct Socket {
    io: Io,
    pub(crate) outbox: Outbox,
    protocol: WebSocketContext,
    /// The last read found nothing more: another is worth a try only when the stream is readable.
    drained: bool,
}

/// What was read.
#[derive(Debug)]
pub(crate) enum Received {
    Text(Utf8Bytes),
    /// A sign of life: Ping or Pong.
    Control,
    /// The client closes; the answer is in the outbox.
    Close,
}

/// Why nothing more can be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ReadError {
    /// The stream is at its end, or broken.
    Gone,
    /// The client broke the protocol; this is how to close.
    Violation(CloseCode, &'static str),
}

impl Socket {
    pub(crate) fn new(
        io: Io,
        read_already: Vec<u8>,
        message_bytes_max: usize,
        outbox_bytes_max: usize,
    ) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(message_bytes_max))
            .max_frame_size(Some(message_bytes_max));
        let protocol =
            WebSocketContext::from_partially_read(read_already, Role::Server, Some(config));
        Socket { io, protocol, outbox: Outbox::new(outbox_bytes_max), drained: false }
    }

    /// Reads the next message.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Received, ReadError>> {
        if self.drained {
            ready!(self.io.poll_readable(cx));
            self.drained = false;
        }
        let mut wire = Wire { io: &mut self.io, cx, replies: Vec::new() };
        let message = self.protocol.read(&mut wire);
        if matches!(message, Ok(Message::Ping(_) | Message::Close(_))) {
            // The reply is only noted until the next flush. After a Close that flush reports the end, which we know.
            let _ended = self.protocol.flush(&mut wire);
        }
        let replies = wire.replies;
        if !replies.is_empty() {
            self.outbox.push(Bytes::from(replies));
        }
        Poll::Ready(match message {
            Ok(Message::Text(text)) => Ok(Received::Text(text)),
            Ok(Message::Ping(_) | Message::Pong(_)) => Ok(Received::Control),
            Ok(Message::Close(_)) => Ok(Received::Close),
            Ok(Message::Binary(_) | Message::Frame(_)) => {
                Err(ReadError::Violation(CloseCode::Unsupported, "text frames only"))
            }
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                self.drained = true;
                return Poll::Pending;
            }
            Err(error) => Err(read_error(&error)),
        })
    }

    /// Writes until the outbox is empty. Pending when the stream takes no more; says whether it took anything.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> (bool, Poll<io::Result<()>>) {
        let mut progress = false;
        while !self.outbox.is_empty() {
            let written = self.poll_write(cx);
            match written {
                Poll::Pending => return (progress, Poll::Pending),
                Poll::Ready(Ok(0)) => {
                    return (progress, Poll::Ready(Err(io::ErrorKind::WriteZero.into())));
                }
                Poll::Ready(Ok(bytes)) => {
                    progress = true;
                    self.outbox.advance(bytes);
                }
                Poll::Ready(Err(error)) => return (progress, Poll::Ready(Err(error))),
            }
        }
        (progress, if progress { self.io.poll_flush(cx) } else { Poll::Ready(Ok(())) })
    }

    /// Writes what the outbox has next: one frame as it is, small ones copied together, others as a vector.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if let Some(frame) = self.outbox.only_one() {
            return self.io.poll_write(cx, frame);
        }
        TOGETHER.with_borrow_mut(|together| {
            if let Some(bytes) = self.outbox.copy_all(together) {
                return self.io.poll_write(cx, bytes);
            }
            let mut slices = [IoSlice::new(&[]); FRAMES_PER_WRITE];
            let count = self.outbox.gather(&mut slices);
            self.io.poll_write_vectored(cx, &slices[..count])
        })
    }

    /// Ends the writing side, so that the client reads our Close and then the end.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_shutdown(cx)
    }

    /// Throws away what the client still sends until it ends its side: closing a socket with unread bytes would reset
    /// it, and the client might never read our Close.
    pub(crate) fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut discarded = [0; READ_BYTES];
        loop {
            match ready!(self.io.poll_read(cx, &mut discarded)) {
                Ok(0) | Err(_) => return Poll::Ready(()),
                Ok(_) => {}
            }
        }
    }
}

/// What the protocol layer sees of the stream while it reads: replies are collected instead of written.
struct Wire<'a, 'c> {
    io: &'a mut Io,
    cx: &'a mut Context<'c>,
    replies: Vec<u8>,
}

impl Read for Wire<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.io.poll_read(self.cx, into) {
            Poll::Ready(read) => read,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for Wire<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.replies.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn read_error(error: &Error) -> ReadError {
    match error {
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => ReadError::Gone,
        Error::Protocol(_) => ReadError::Violation(CloseCode::Protocol, "protocol error"),
        Error::Utf8(_) => ReadError::Violation(CloseCode::InvalidText, "text is UTF-8"),
        Error::Capacity(_) => ReadError::Violation(CloseCode::TooBig, "message too big"),
        Error::ConnectionClosed | Error::AlreadyClosed | Error::Io(_) => ReadError::Gone,
        Error::Tls(_)
        | Error::WriteBufferFull(_)
        | Error::AttackAttempt
        | Error::Url(_)
        | Error::Http(_)
        | Error::HttpFormat(_) => ReadError::Violation(CloseCode::Protocol, "protocol error"),
    }
}
