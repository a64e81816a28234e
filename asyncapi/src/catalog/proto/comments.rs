//! Where something is written in its proto file, and the comment above it.

use super::compile::FOLDER;
use crate::catalog::source::{Place, Source};
use prost_reflect::FileDescriptor;
use prost_reflect::prost_types::source_code_info::Location;

/// Where the thing with this path in its descriptor is written.
pub(super) fn place(source: &Source, file: &FileDescriptor, path: &[i32]) -> Place {
    let line = location(file, path)
        .and_then(|location| location.span.first().copied())
        .and_then(|line| usize::try_from(line).ok())
        .map_or(0, |line| line + 1);
    source.place(&format!("{FOLDER}{}", file.name()), line)
}

/// The comment above it, or else the one behind it, without the spaces that stand in front of each line.
pub(crate) fn comment(file: &FileDescriptor, path: &[i32]) -> Option<String> {
    let location = location(file, path)?;
    let above = location.leading_comments();
    let text = if above.is_empty() { location.trailing_comments() } else { above };
    let lines: Vec<&str> =
        text.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end()).collect();
    let text = lines.join("\n").trim().to_owned();
    (!text.is_empty()).then_some(text)
}

fn location<'a>(file: &'a FileDescriptor, path: &[i32]) -> Option<&'a Location> {
    let info = file.file_descriptor_proto().source_code_info.as_ref()?;
    info.location.iter().find(|location| location.path == path)
}
