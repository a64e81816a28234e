//! Why a connection ends, as a close code (contract section 4, RFC 6455, section 7.4).

use fanline_core::Reason;
use fanline_edge::http_error::http_status;
use http::StatusCode;

/// A close code. Ours are 4000 + the HTTP status of the reason, so that a client knows its retry policy from the code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CloseCode {
    /// 1002: the bytes are not WebSocket.
    Protocol,
    /// 1003: binary, where text is spoken.
    Unsupported,
    /// 1007: text that is not UTF-8.
    InvalidText,
    /// 1009: a message over the limit.
    TooBig,
    /// 1012: this node is shutting down, or a backend wants the client to connect anew; reconnect.
    Drain,
    /// 4408: no token, no Pong or no progress in time.
    Timeout,
    /// 4000 + the HTTP status of a reason; 4403 for a revoked token, with which nothing is to be tried again.
    Refused(Reason),
}

/// What a client does after a close code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Comeback {
    /// Coming back the same way cannot help.
    Never,
    /// With a new token.
    WithNewToken,
    /// With back-off and jitter.
    WithBackOff,
}

impl CloseCode {
    /// Every code that a connection may end with, one for each reason where several share a number.
    pub fn all() -> impl Iterator<Item = CloseCode> {
        let own = [
            CloseCode::Protocol,
            CloseCode::Unsupported,
            CloseCode::InvalidText,
            CloseCode::TooBig,
            CloseCode::Drain,
            CloseCode::Timeout,
        ];
        own.into_iter().chain(Reason::ALL.into_iter().map(CloseCode::Refused))
    }

    /// What happened, in one sentence for the documents.
    #[must_use]
    pub fn about(self) -> &'static str {
        match self {
            CloseCode::Protocol => "What arrived is not WebSocket.",
            CloseCode::Unsupported => "A binary message arrived where text is spoken.",
            CloseCode::InvalidText => "A text message is not UTF-8.",
            CloseCode::TooBig => "A message is over the limit `frame_bytes`.",
            CloseCode::Drain => {
                "This node is shutting down, or a backend wants the client to connect anew."
            }
            CloseCode::Timeout => "No token, no Pong, or no progress of the reader in time.",
            CloseCode::Refused(reason) => reason.about(),
        }
    }

    /// What a client does now (contract section 4).
    #[must_use]
    pub fn comeback(self) -> Comeback {
        match self {
            CloseCode::Protocol
            | CloseCode::Unsupported
            | CloseCode::InvalidText
            | CloseCode::TooBig => Comeback::Never,
            CloseCode::Drain | CloseCode::Timeout => Comeback::WithBackOff,
            CloseCode::Refused(reason) => match closing_status(reason) {
                StatusCode::UNAUTHORIZED => Comeback::WithNewToken,
                StatusCode::TOO_MANY_REQUESTS => Comeback::WithBackOff,
                status if status.is_server_error() => Comeback::WithBackOff,
                _ => Comeback::Never,
            },
        }
    }

    /// The number on the wire.
    #[must_use]
    pub fn number(self) -> u16 {
        match self {
            CloseCode::Protocol => 1002,
            CloseCode::Unsupported => 1003,
            CloseCode::InvalidText => 1007,
            CloseCode::TooBig => 1009,
            CloseCode::Drain => 1012,
            CloseCode::Timeout => 4408,
            CloseCode::Refused(reason) => 4000 + closing_status(reason).as_u16(),
        }
    }
}

fn closing_status(reason: Reason) -> StatusCode {
    if reason == Reason::TokenRevoked { StatusCode::FORBIDDEN } else { http_status(reason) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_closes_with_its_http_status() {
        assert_eq!(CloseCode::Refused(Reason::InvalidArgument).number(), 4400);
        assert_eq!(CloseCode::Refused(Reason::TokenExpired).number(), 4401);
        assert_eq!(CloseCode::Refused(Reason::PermissionDenied).number(), 4403);
        assert_eq!(CloseCode::Refused(Reason::TokenRevoked).number(), 4403);
        assert_eq!(CloseCode::Refused(Reason::RateLimited).number(), 4429);
    }

    #[test]
    fn the_number_alone_tells_a_client_how_to_come_back() {
        for code in CloseCode::all() {
            let expected = match code.number() {
                1012 | 4408 | 4429 | 4500..4600 => Comeback::WithBackOff,
                4401 => Comeback::WithNewToken,
                _ => Comeback::Never,
            };
            assert_eq!(code.comeback(), expected, "{}", code.number());
        }
    }
}
