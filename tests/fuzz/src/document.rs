//! An AsyncAPI document of somebody else: every finding points into its text.

use fanline_asyncapi::validate::validate;

pub(crate) fn run(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    // To YAML a CR ends a line too; and the end of the text, where an unfinished one is wrong, may be a line of its own.
    let lines = text.split(['\n', '\r']).count() + 1;
    for finding in validate(text) {
        assert!((1..=lines).contains(&finding.line), "{lines} lines: {finding}");
        assert!(finding.column >= 1, "{finding}");
    }
}
