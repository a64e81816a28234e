//! The limits of this crate that no operator changes, with their unit and reason.
//!
//! Those that an operator may change stand in [`fanline_core::limits`].

use std::time::Duration;

/// Requests in a row that cannot be read before the connection is closed (contract section 4).
pub(crate) const FAULTS_BEFORE_CLOSE: u8 = 10;
/// Longest `id` of a request, in bytes of JSON: it is kept until the answer.
pub(crate) const ID_BYTES: usize = 64;

/// Bytes of one read. The protocol layer zero-fills as many before each, and an idle connection keeps them.
pub(crate) const READ_BYTES: usize = 1024;
/// Frames of one write. More gain nothing: the cost of the call is shared by then.
pub(crate) const FRAMES_PER_WRITE: usize = 32;
/// Bytes of frames that are copied together and sent in one piece, instead of as a vector of many small pieces that the
/// kernel has to walk.
pub(crate) const COPY_BYTES: usize = 16 * 1024;
/// Bytes that a worker's buffers for writing frames keep between two of them.
pub(crate) const SCRATCH_BYTES: usize = 64 * 1024;

/// How long a client may take to end its side after our Close.
pub(crate) const LINGER: Duration = Duration::from_secs(2);
/// What a client with too many commands under way is told to wait: some of them will be answered by then.
pub(crate) const RETRY_CALL: Duration = Duration::from_millis(100);
/// Clients of a draining node come back within this time.
pub(crate) const RECONNECT_WITHIN: Duration = Duration::from_secs(2);
