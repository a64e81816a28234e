//! What a change of a catalog does to those who publish and subscribe today.
//!
//! In three steps for each event type: rules compare the two schemas and name what differs; a proof that the new schema
//! takes all that the old one took clears what only looks different; and for what is left a witness is made, a value
//! that was good and is not any more. Read [`Comparison`] first.

mod channels;
mod comparison;
mod events;
mod finding;
mod schema;
mod schemas;
mod wire;
mod witness;

#[cfg(test)]
mod tests;

pub use comparison::Comparison;
pub use finding::{Class, Finding, Side, Witness};
