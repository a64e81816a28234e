//! Fuzz targets: whatever bytes come from outside, no parser panics, hangs or breaks its promise.
//!
//! A target is a function of bytes that panics when a promise is broken. Each has a few seeds in `seeds/`, and is run in
//! two ways: by `cargo xtask fuzz` with coverage to guide it, for as long as you like, and by `tests/replay.rs` with its
//! seeds and random changes of them, among all other tests. Parsers that are private to their crate (messages between
//! nodes, what stands in Redis, blocks of event streams) have random tests beside them instead.

mod body;
mod catalog;
mod conversation;
mod document;
mod handshake;
mod names;

/// A target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: that of its program in `src/bin`, and of its folder in `seeds`.
    pub name: &'static str,
    /// Looks at some bytes.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: [Target; 6] = [
    Target { name: "body", run: body::run },
    Target { name: "catalog", run: catalog::run },
    Target { name: "conversation", run: conversation::run },
    Target { name: "document", run: document::run },
    Target { name: "handshake", run: handshake::run },
    Target { name: "names", run: names::run },
];

/// Looks at some bytes with the target of this name.
///
/// # Panics
/// The bytes break it, or there is no such target.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.expect("a target of this name").run)(bytes);
}
