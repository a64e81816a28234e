//! `[history]`: what channels keep unless their namespace says otherwise.

use fanline_core::namespace::Retention;

use super::checker::Checker;
use super::path::Path;
use super::section::section;
use super::text::DurationText;

section! {
    /// What channels keep unless their namespace says otherwise.
    HistoryConfig {
        /// Newest events kept per channel. 0: no history, so no resume either.
        size: usize = Retention::default().size;
        /// Age at which an event leaves history.
        ttl: DurationText = DurationText(Retention::default().ttl);
        /// Time without publish and members after which a channel forgets its count of offsets. A client that was away for
        /// longer starts anew.
        epoch_ttl: DurationText = DurationText(Retention::default().epoch_ttl);
    }
}

impl HistoryConfig {
    pub(crate) fn check(&self, checker: &mut Checker<'_>) -> Retention {
        let path = Path::of(&["history"]);
        checker.require(
            !self.ttl.0.is_zero(),
            &path.key("ttl"),
            "must be more than zero; for no history set size = 0",
        );
        checker.require(
            self.epoch_ttl >= self.ttl,
            &path.key("epoch_ttl"),
            "must not be shorter than 'ttl'",
        );
        Retention { size: self.size, ttl: self.ttl.0, epoch_ttl: self.epoch_ttl.0 }
    }
}
