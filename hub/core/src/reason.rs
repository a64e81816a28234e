//! Why something was refused: one enum, one table, all transports.

use std::fmt;

/// The reason of a refusal or failure, as clients see it (contract section 8).
///
/// Each edge maps it to its own status in one exhaustive match.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Reason {
    /// A field of the request is missing or wrong.
    InvalidArgument,
    /// The channel name breaks the rules of [`ChannelName`](crate::ChannelName).
    InvalidChannel,
    /// The operation does not exist.
    UnknownOperation,
    /// No credential, or one that does not verify.
    Unauthenticated,
    /// The token's time is over.
    TokenExpired,
    /// The token, or all tokens of its user, were revoked.
    TokenRevoked,
    /// The credential does not grant this.
    PermissionDenied,
    /// The page's origin is not on the list.
    OriginDenied,
    /// No section of the configuration names this namespace.
    UnknownNamespace,
    /// The event's data breaks the schema of its type.
    SchemaViolation,
    /// The catalog has no such event type for the channel.
    UnknownEventType,
    /// Nobody answers calls of this method.
    NoHandler,
    /// The connection is already in this channel.
    AlreadyJoined,
    /// The connection is not in this channel.
    NotJoined,
    /// History does not reach back to the position.
    PositionLost,
    /// The event, frame or body is over its limit in bytes.
    TooLarge,
    /// A limit on a number of things is reached.
    LimitExceeded,
    /// Too many operations in too little time.
    RateLimited,
    /// The backend did not answer in time, or went away: the outcome is unknown.
    HandlerTimeout,
    /// The backend cannot be reached: it was not asked.
    HandlerUnavailable,
    /// The broker did not answer in time: the outcome is unknown.
    BrokerUnavailable,
    /// This node is shutting down.
    Draining,
    /// A backend ended the connection.
    Disconnected,
    /// A defect of the hub itself.
    Internal,
}

impl Reason {
    /// Every reason, in the order of the table in the documents.
    pub const ALL: [Reason; 24] = [
        Reason::InvalidArgument,
        Reason::InvalidChannel,
        Reason::UnknownOperation,
        Reason::SchemaViolation,
        Reason::Unauthenticated,
        Reason::TokenExpired,
        Reason::TokenRevoked,
        Reason::PermissionDenied,
        Reason::OriginDenied,
        Reason::UnknownNamespace,
        Reason::UnknownEventType,
        Reason::NoHandler,
        Reason::AlreadyJoined,
        Reason::NotJoined,
        Reason::PositionLost,
        Reason::TooLarge,
        Reason::LimitExceeded,
        Reason::RateLimited,
        Reason::HandlerTimeout,
        Reason::HandlerUnavailable,
        Reason::BrokerUnavailable,
        Reason::Draining,
        Reason::Disconnected,
        Reason::Internal,
    ];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::InvalidArgument => "INVALID_ARGUMENT",
            Reason::InvalidChannel => "INVALID_CHANNEL",
            Reason::UnknownOperation => "UNKNOWN_OPERATION",
            Reason::Unauthenticated => "UNAUTHENTICATED",
            Reason::TokenExpired => "TOKEN_EXPIRED",
            Reason::TokenRevoked => "TOKEN_REVOKED",
            Reason::PermissionDenied => "PERMISSION_DENIED",
            Reason::OriginDenied => "ORIGIN_DENIED",
            Reason::UnknownNamespace => "UNKNOWN_NAMESPACE",
            Reason::SchemaViolation => "SCHEMA_VIOLATION",
            Reason::UnknownEventType => "UNKNOWN_EVENT_TYPE",
            Reason::NoHandler => "NO_HANDLER",
            Reason::AlreadyJoined => "ALREADY_JOINED",
            Reason::NotJoined => "NOT_JOINED",
            Reason::PositionLost => "POSITION_LOST",
            Reason::TooLarge => "TOO_LARGE",
            Reason::LimitExceeded => "LIMIT_EXCEEDED",
            Reason::RateLimited => "RATE_LIMITED",
            Reason::HandlerTimeout => "HANDLER_TIMEOUT",
            Reason::HandlerUnavailable => "HANDLER_UNAVAILABLE",
            Reason::BrokerUnavailable => "BROKER_UNAVAILABLE",
            Reason::Draining => "DRAINING",
            Reason::Disconnected => "DISCONNECTED",
            Reason::Internal => "INTERNAL",
        }
    }

    /// What happened and what helps, in one sentence for the documents.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Reason::InvalidArgument => {
                "A field of the request is missing or wrong; the message names it."
            }
            Reason::InvalidChannel => "The channel name breaks the rules for names.",
            Reason::UnknownOperation => "There is no such operation.",
            Reason::Unauthenticated => "There is no credential, or it does not verify.",
            Reason::TokenExpired => "The token's time is over: get a new one.",
            Reason::TokenRevoked => "The token, or every token of its user, was revoked.",
            Reason::PermissionDenied => "The credential does not grant this.",
            Reason::OriginDenied => "The origin of the page is not on the hub's list.",
            Reason::UnknownNamespace => {
                "No section of the configuration names the namespace of the channel."
            }
            Reason::SchemaViolation => {
                "The data breaks the schema of its event type: each violation names the value, the rule and the fault."
            }
            Reason::UnknownEventType => "The catalog has no such event type for the channel.",
            Reason::NoHandler => "Nobody answers calls of this method.",
            Reason::AlreadyJoined => "The connection is in the channel already.",
            Reason::NotJoined => "The connection is not in the channel.",
            Reason::PositionLost => {
                "History does not reach back to the position: start from what it still holds."
            }
            Reason::TooLarge => "The event, frame or body has more bytes than its limit.",
            Reason::LimitExceeded => {
                "A limit on a number of things is reached: come back later, or use fewer."
            }
            Reason::RateLimited => {
                "Too many operations in too little time: wait as long as the answer says."
            }
            Reason::HandlerTimeout => {
                "No backend answered in time, or it went away, so the outcome is unknown: repeat with the same idempotency key."
            }
            Reason::HandlerUnavailable => {
                "The backend cannot be reached and was not asked: repeat as the answer says."
            }
            Reason::BrokerUnavailable => {
                "The broker did not answer in time, so the outcome is unknown: repeat with the same idempotency key."
            }
            Reason::Draining => "This node is shutting down: reconnect, which leads to another.",
            Reason::Disconnected => "A backend ended the connection.",
            Reason::Internal => "A defect of the hub; its log says more.",
        }
    }

    /// Whether the same request may succeed later, without a change by the caller.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        match self {
            Reason::LimitExceeded
            | Reason::RateLimited
            | Reason::HandlerTimeout
            | Reason::HandlerUnavailable
            | Reason::BrokerUnavailable
            | Reason::Draining => true,
            Reason::InvalidArgument
            | Reason::InvalidChannel
            | Reason::UnknownOperation
            | Reason::Unauthenticated
            | Reason::TokenExpired
            | Reason::TokenRevoked
            | Reason::Disconnected
            | Reason::PermissionDenied
            | Reason::OriginDenied
            | Reason::UnknownNamespace
            | Reason::SchemaViolation
            | Reason::UnknownEventType
            | Reason::NoHandler
            | Reason::AlreadyJoined
            | Reason::NotJoined
            | Reason::PositionLost
            | Reason::TooLarge
            | Reason::Internal => false,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_reason_has_a_name_of_its_own() {
        let names: HashSet<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(names.len(), Reason::ALL.len());
    }

    #[test]
    fn every_reason_is_explained_in_a_sentence_of_its_own() {
        let sentences: HashSet<_> = Reason::ALL.iter().map(|reason| reason.about()).collect();
        assert_eq!(sentences.len(), Reason::ALL.len());
        assert!(sentences.iter().all(|sentence| sentence.ends_with('.')));
    }
}
