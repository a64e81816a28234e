//! What all nodes have to know of for a time: notes that are taken once, and revocations.

use super::Answer;
use crate::clock::Timestamp;
use crate::ids::UserId;
use crate::position::Position;
use bytes::Bytes;
use std::time::Duration;

/// Keeps what all nodes have to know of. Asked for by [`Broker::notes`](super::Broker::notes).
pub trait Notes: Send + Sync {
    /// Keeps a value under a key for a time; what stood there is replaced. The key is at most
    /// [`NOTE_KEY_BYTES`](crate::limits::NOTE_KEY_BYTES) long and the value
    /// [`NOTE_BYTES`](crate::limits::NOTE_BYTES).
    ///
    /// # Errors
    /// A broker that is full, or not available.
    fn keep<'a>(&'a self, key: &'a str, value: Bytes, life: Duration) -> Answer<'a, ()>;

    /// Takes a value out: of all nodes that ask for a key, one gets it.
    ///
    /// # Errors
    /// A broker that is not available: it may have been taken.
    fn take<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Bytes>>;

    /// Keeps a revocation until its time is over, also over restarts of the hub. The same one again only makes it last
    /// longer. All nodes are told by [`Notice::Revocations`](super::Notice::Revocations), which may be lost.
    ///
    /// # Errors
    /// A broker that is full, or not available.
    fn revoke(&self, revocation: Revocation) -> Answer<'_, ()>;

    /// The revocations after a mark that an earlier page gave, oldest first, at most
    /// [`REVOCATIONS_PAGE`](crate::limits::REVOCATIONS_PAGE); without a mark, from the first.
    ///
    /// # Errors
    /// A broker that is not available.
    fn revocations(&self, after: Option<Position>) -> Answer<'_, RevocationPage>;
}

/// Tokens that are refused although they verify.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Revocation {
    /// Whose, or which.
    pub subject: Subject,
    /// Only those issued before this moment (their `iat`); a token that does not say when is older than any. None: all.
    pub issued_before: Option<Timestamp>,
    /// When the revocation may be forgotten: no token that it is about lives longer.
    pub until: Timestamp,
}

/// Whose tokens, or which token.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Subject {
    /// All tokens of a user.
    User(UserId),
    /// The token of this id (`jti`).
    Token(Box<str>),
}

/// A part of the revocations.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RevocationPage {
    /// What to ask the next page with. None: nothing was ever revoked.
    pub mark: Option<Position>,
    /// The mark that was asked with is not known here, or not any more: what follows is everything from the first, and what the caller
    /// knows besides was lost by the broker.
    pub anew: bool,
    /// The revocations, those whose time is over left out.
    pub revocations: Vec<Revocation>,
    /// Whether there are more.
    pub more: bool,
}
