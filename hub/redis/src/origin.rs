//! How the epoch in an answer of a script came to be: the numbers are those of `scripts/common.lua`.

use crate::metrics::{EpochLabel, EpochReason, RedisMetrics};
use fanline_core::channel::ChannelName;

/// Counts an epoch that made positions void, and says so.
pub(crate) fn note(origin: u8, channel: &ChannelName, metrics: &RedisMetrics) {
    let reason = match origin {
        2 => EpochReason::Damage,
        3 => EpochReason::Fence,
        // Kept, or the channel's first.
        _ => return,
    };
    metrics.epochs.get_or_create(&EpochLabel { reason }).inc();
    tracing::info!(%channel, ?reason, "a new epoch: its former positions are void");
}
