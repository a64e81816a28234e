//! `[drain]`: how the process stops.

use std::time::Duration;

use super::checker::Checker;
use super::path::Path;
use super::section::section;
use super::text::DurationText;

section! {
    /// How the process stops on SIGTERM: no new connections, and those there are closed one by one, so that their clients
    /// do not all return at the same moment.
    DrainConfig {
        /// Time over which the closes are spread.
        window: DurationText = DurationText::seconds(30);
        /// Time after which the process ends whatever peers do. Not shorter than the window.
        deadline: DurationText = DurationText::seconds(45);
    }
}

/// `[drain]`, checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DrainSettings {
    pub(crate) window: Duration,
    pub(crate) deadline: Duration,
}

impl DrainConfig {
    pub(crate) fn check(&self, checker: &mut Checker<'_>) -> DrainSettings {
        let path = Path::of(&["drain", "deadline"]);
        checker.require(!self.deadline.0.is_zero(), &path, "must be more than zero");
        checker.require(
            self.deadline >= self.window,
            &path,
            format!("must not be shorter than 'window', which is \"{}\"", self.window),
        );
        DrainSettings { window: self.window.0, deadline: self.deadline.0 }
    }
}
