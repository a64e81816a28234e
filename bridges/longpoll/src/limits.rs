//! The limits of this crate that no operator changes, with their unit and reason.
//!
//! Those that an operator may change stand in [`fanline_core::limits`].

use std::time::Duration;

/// How long a poll waits that does not say (contract section 6).
pub(crate) const WAIT: Duration = Duration::from_secs(25);
/// By how much a wait may be shorter than asked for, so that polls that came together do not stay together.
pub(crate) const WAIT_JITTER: f64 = 0.1;
/// How long a poller is present after the wait of its last poll (contract section 6).
pub(crate) const PRESENCE_GRACE: Duration = Duration::from_secs(15);
/// Polls of one token and cursor at once (contract section 6): repeated requests and a few tabs.
pub(crate) const POLLS_PER_CURSOR: usize = 4;
/// What the next poll is told to wait when there are more: about the time in which one of them gives up.
pub(crate) const RETRY_POLL: Duration = Duration::from_secs(5);
/// How long a poll that shall not wait looks for history that the broker does not give.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// Time for the body of a request to arrive: a client that is slower than this for 128 KiB cannot be told from one that
/// only holds the connection.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(10);
