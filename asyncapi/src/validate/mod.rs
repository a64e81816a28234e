//! Judging AsyncAPI 3 documents, whoever wrote them: what is wrong, and on which line.
//!
//! Beside the official JSON Schema it holds documents to what the specification says in words: references lead somewhere,
//! operations use the messages of their channels, addresses and parameters agree, examples are valid. It follows no
//! reference into another file. Read [`validate`] first.

#[expect(clippy::module_inception, reason = "the function `validate` of the module `validate`")]
mod validate;

mod finding;
mod text;

// What is looked at, in this order.
mod structure;

mod references;

mod rules;

mod examples;

#[cfg(test)]
mod tests;

pub use finding::{Finding, Severity};
pub(crate) use text::Text;
pub use validate::validate;
