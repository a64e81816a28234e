//! What a client may speak over.

use std::fmt::Debug;

use tokio::io::{AsyncRead, AsyncWrite};

/// A TCP connection, TLS, or a stream of HTTP/2.
pub(crate) trait Connection: AsyncRead + AsyncWrite + Debug + Send + Unpin {}

impl<C: AsyncRead + AsyncWrite + Debug + Send + Unpin> Connection for C {}
