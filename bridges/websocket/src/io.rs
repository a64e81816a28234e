//! The byte stream under a connection after its upgrade.

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::upgrade::downcast;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A plain TCP stream where there is one, so that its readiness is known and nothing stands between; else whatever
/// the server had, such as TLS.
pub(crate) enum Io {
    Tcp(TcpStream),
    Other(Box<TokioIo<Upgraded>>),
}

impl Io {
    /// Takes the stream out of an upgrade, with what was read of it already.
    pub(crate) fn from_upgraded(upgraded: Upgraded) -> (Self, Vec<u8>) {
        match downcast::<TokioIo<TcpStream>>(upgraded) {
            // Copied, also when empty: the buffer is a part of the server's own, which would live as long.
            Ok(parts) => (Io::Tcp(parts.io.into_inner()), parts.read_buf.to_vec()),
            Err(upgraded) => (Io::Other(Box::new(TokioIo::new(upgraded))), Vec::new()),
        }
    }

    /// Whether a read is worth a try. Where that is not known, it is.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            // An error is met again by the read itself.
            Io::Tcp(tcp) => tcp.poll_read_ready(cx).map(|_| ()),
            Io::Other(_) => Poll::Ready(()),
        }
    }

    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(into);
        let read = match self {
            Io::Tcp(tcp) => Pin::new(tcp).poll_read(cx, &mut buffer),
            Io::Other(io) => Pin::new(io).poll_read(cx, &mut buffer),
        };
        read.map_ok(|()| buffer.filled().len())
    }

    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Io::Tcp(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Io::Other(io) => Pin::new(io).poll_write(cx, bytes),
        }
    }

    pub(crate) fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Io::Tcp(tcp) => Pin::new(tcp).poll_write_vectored(cx, slices),
            Io::Other(io) => Pin::new(io).poll_write_vectored(cx, slices),
        }
    }

    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            // A socket has nothing to flush.
            Io::Tcp(_) => Poll::Ready(Ok(())),
            Io::Other(io) => Pin::new(io).poll_flush(cx),
        }
    }

    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Io::Tcp(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Io::Other(io) => Pin::new(io).poll_shutdown(cx),
        }
    }
}
