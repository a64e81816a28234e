//! How long things may take and how many there may be, each with its reason.

use std::time::Duration;

/// Until a connection stands, with TLS. A hub that is there answers in milliseconds, one across the world in one second.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A hub that vanished without a word is noticed within the sum of this and [`KEEPALIVE_TIMEOUT`].
pub(crate) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// See [`KEEPALIVE_INTERVAL`].
pub(crate) const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// One attempt of a publish: the hub's own `publish_timeout` (5 s) and the way there and back.
pub(crate) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(8);
/// How long a publish is tried again, unless the builder says otherwise: longer than a hub takes to restart.
pub(crate) const PUBLISH_PATIENCE: Duration = Duration::from_secs(30);
/// The longest that [`publish_patience`](crate::ClientBuilder::publish_patience) may be: half of the hub's `idempotency_window` (5 min), after which a retry would
/// publish a second time.
pub const PUBLISH_PATIENCE_MAX: Duration = Duration::from_secs(150);

/// The most that a first retry waits; it doubles with each.
pub(crate) const BACKOFF_FIRST: Duration = Duration::from_millis(100);
/// The most that any retry waits, unless the hub asks for more. A hub that is back has its clients within this.
pub(crate) const BACKOFF_LAST: Duration = Duration::from_secs(10);
/// The most that a hub's `retry_after` is believed.
pub(crate) const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// Commands at a time, unless the worker says otherwise. The hub's own default.
pub(crate) const MAX_IN_FLIGHT: u32 = 64;
/// How long commands may still take once a worker is told to stop: the hub's default `command_timeout` (10 s), after which
/// nobody waits for an answer.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// Replies on their way to the hub. Whoever has one more waits.
pub(crate) const REPLIES_WAITING: usize = 64;
