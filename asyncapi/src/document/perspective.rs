//! For whom a document is written.

use serde_json::Value;

/// For whom a document is written.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Settings {
    /// Whose application it describes.
    pub perspective: Perspective,
    /// Who reads it.
    pub readers: Readers,
}

/// Whose application a document describes: `send` and `receive` are its verbs.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Perspective {
    /// The hub's.
    #[default]
    Hub,
    /// A client's: what the hub sends, it receives. Code generators write the application that a document describes.
    Client,
}

/// Who reads a document.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Readers {
    /// Everybody.
    #[default]
    Public,
    /// Also channels that the catalog calls internal.
    Internal,
}

impl Perspective {
    /// Every perspective.
    pub const ALL: [Perspective; 2] = [Perspective::Hub, Perspective::Client];

    /// Its word on the command line and in queries.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Perspective::Hub => "hub",
            Perspective::Client => "client",
        }
    }

    /// Turns an action as the hub sees it.
    pub(super) fn turn(self, operation: &mut Value) {
        if self == Perspective::Client {
            let action = if operation["action"] == "send" { "receive" } else { "send" };
            operation["action"] = action.into();
        }
    }
}
