//! The whole way from bytes to JSON, for the messages of one type.

use super::fault::Fault;
use super::plan::{MessageIndex, Plans};
use fanline_core::refusal::Violation;
use serde_json::Value;
use std::sync::Arc;

/// The media type of bodies that are protobuf messages.
const PROTOBUF: &str = "application/protobuf";

/// Whether a media type, parameters aside, is that of protobuf.
pub(crate) fn is_protobuf(content_type: &str) -> bool {
    let bare = content_type.split_once(';').map_or(content_type, |(bare, _)| bare);
    bare.trim().eq_ignore_ascii_case(PROTOBUF)
}

/// Makes JSON of the messages of one type.
#[derive(Debug)]
pub(crate) struct Transcoder {
    plans: Arc<Plans>,
    message: MessageIndex,
}

impl Transcoder {
    /// For the messages with this full name. None: there is no such type.
    pub(crate) fn new(plans: &Arc<Plans>, message: &str) -> Option<Self> {
        Some(Transcoder { plans: Arc::clone(plans), message: plans.find(message)? })
    }

    /// The body as JSON: names in lowerCamelCase, numbers of 64 bits as text, enum values by name, defaults left out.
    ///
    /// # Errors
    /// What is wrong with the body. A field that the catalog does not know is an error like one in JSON: dropping it
    /// would lose what the publisher said.
    pub(crate) fn to_json(&self, body: &[u8]) -> Result<Value, Violation> {
        let message = self.plans.read(self.message, body).map_err(|error| {
            let name = &self.plans.message(self.message).name;
            Fault::new("protobuf", format!("not a `{name}`: {error}")).into_violation()
        })?;
        self.plans.message_json(self.message, &message, 0).map_err(Fault::into_violation)
    }
}
