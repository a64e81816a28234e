//! How large messages may be.

use fanline_core::Limits;

/// What a request may have around the data of its event. An event's headers have 4 KiB by default, the names of a
/// broadcast's 1000 channels 16 KiB when they have 16 bytes each; channels of full length still fit 250 times.
const ENVELOPE_BYTES: usize = 64 * 1024;

/// The largest answer: the members of a crowded channel, 100,000 of them at 160 bytes. A page of history stays below
/// the 4 MiB that clients accept by default.
pub(crate) const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The largest request. An event over its own limit that fits here is refused with the name of its field.
pub(crate) fn request_bytes_max(limits: &Limits) -> usize {
    limits.grpc_event_bytes.saturating_add(ENVELOPE_BYTES)
}
