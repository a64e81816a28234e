//! What the ways to listen to a channel have in common.

use http::StatusCode;
use serde_json::Value;

use crate::commands::target::Target;

/// A client that listens to one channel.
pub(super) trait Transport: Sized {
    /// What people call it.
    const NAME: &'static str;

    /// Listens from now on, or from the place where another listener stood, of whatever transport and node.
    async fn open(
        target: &Target,
        token: &str,
        channel: &str,
        since: Option<&str>,
    ) -> Result<Self, Closed>;

    /// The position of the next event.
    async fn next(&mut self) -> anyhow::Result<String>;

    /// Where it stands: after the last event that came.
    fn place(&self) -> &str;

    /// Why not everything since its place follows. None: it does.
    fn lost(&self) -> Option<&str>;
}

/// Why a listener was not let in.
#[derive(Debug, thiserror::Error)]
pub(super) enum Closed {
    /// The hub says no.
    #[error("it is refused: {0}")]
    Refused(StatusCode),
    /// Something else than a no.
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

/// A text in an answer of the hub.
pub(super) fn text<'a>(answer: &'a Value, field: &str) -> anyhow::Result<&'a str> {
    answer[field].as_str().ok_or_else(|| anyhow::anyhow!("`{field}` is missing in {answer}"))
}

/// Why a start of a channel is not what was asked for.
pub(super) fn lost(start: &Value) -> Option<String> {
    let reason = || start["reason"].as_str().unwrap_or("no reason").to_owned();
    (start["recovered"] == false).then(reason)
}
