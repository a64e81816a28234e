//! `proto/`: event types whose data is a protobuf message.
//!
//! A message with the option `(fanline.catalog.v1.event)` is an event type. Its schema describes the JSON mapping of
//! proto3, which is what clients read; what the rules of `buf.validate` say goes into it, as far as JSON Schema can say
//! it, and is refused otherwise. Messages of the hub's own front have their schemas from here too. Read [`read`] first,
//! then [`mapping`].

mod comments;
mod compile;
mod events;
mod mapping;
mod rules;
#[cfg(test)]
mod tests;
mod value_rules;
mod well_known;

pub(crate) use comments::comment;
pub(super) use events::read;
pub(crate) use mapping::schemas;
