//! The limits of this crate that no operator changes, with their unit and reason.
//!
//! Those that an operator may change stand in [`fanline_core::limits`].

use std::time::Duration;

/// Bytes that are put together before they are handed to the HTTP server: one frame of HTTP/2. More gain nothing.
pub(crate) const CHUNK_BYTES: usize = 16 * 1024;

/// After how long a client comes back when its stream ended; each is told a time between the two. Some clients know no
/// time under a second.
pub(crate) const RETRY_MIN: Duration = Duration::from_secs(1);
pub(crate) const RETRY_MAX: Duration = Duration::from_secs(3);

/// A stream ends at a random time between this part of its longest life and the whole.
pub(crate) const SHORTEST_LIFE: f64 = 0.8;
