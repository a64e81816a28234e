//! Why a connection ends, as a close code (contract section 4, RFC 6455, section 7.4).

use fanline_core::Reason;
use fanline_edge::http_error::http_status;

/// A close code. Ours are 4000 + the HTTP status of the reason, so that a client knows its retry policy from the code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum CloseCode {
    /// 1002: the bytes are not WebSocket.
    Protocol,
    /// 1003: binary, where text is spoken.
    Unsupported,
    /// 1007: text that is not UTF-8.
    InvalidText,
    /// 1009: a message over the limit.
    TooBig,
    /// 1012: this node is shutting down; reconnect.
    Drain,
    /// 4408: no token, no Pong or no progress in time.
    Timeout,
    /// 4000 + the HTTP status of a reason.
    Refused(Reason),
}

impl CloseCode {
    /// The number on the wire.
    pub(crate) fn number(self) -> u16 {
        match self {
            CloseCode::Protocol => 1002,
            CloseCode::Unsupported => 1003,
            CloseCode::InvalidText => 1007,
            CloseCode::TooBig => 1009,
            CloseCode::Drain => 1012,
            CloseCode::Timeout => 4408,
            CloseCode::Refused(reason) => 4000 + http_status(reason).as_u16(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_closes_with_its_http_status() {
        assert_eq!(CloseCode::Refused(Reason::InvalidArgument).number(), 4400);
        assert_eq!(CloseCode::Refused(Reason::TokenExpired).number(), 4401);
        assert_eq!(CloseCode::Refused(Reason::PermissionDenied).number(), 4403);
        assert_eq!(CloseCode::Refused(Reason::RateLimited).number(), 4429);
    }
}
