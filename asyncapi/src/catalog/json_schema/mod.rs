//! `jsonschema/`: event types whose data is described by JSON Schema.
//!
//! A file with an `x-fanline` block at its root is an event type; one without lends its `definitions` to others. Drafts
//! 07 and 2020-12 are read, the latter as far as it can be said in draft-07, which is what AsyncAPI documents speak.
//! Every schema leaves here with absolute names: `#/definitions/Money` of `order.json` becomes the schema `order.Money`.
//! Read [`read`] first, then [`draft_07`].

mod draft_07;
mod events;

pub(super) use events::read;

/// The folder.
const FOLDER: &str = "jsonschema/";
/// The block that makes a schema an event type.
const BLOCK: &str = "x-fanline";
/// What holds schemas that others refer to: of draft-07, of 2020-12.
const DEFINITIONS: [&str; 2] = ["definitions", "$defs"];
