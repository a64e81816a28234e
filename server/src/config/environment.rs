//! Configuration from environment variables: `FANLINE_<SECTION>__<KEY>`.
//!
//! The name gives the path: lower case, two underscores between the steps, so `FANLINE_NAMESPACES__CHAT__HISTORY_SIZE`
//! is `history_size` in `[namespaces.chat]`. A list or a table is written as TOML in one variable, as in
//! `FANLINE_API_KEYS='[{ name = "orders", .. }]'`.

use std::sync::Arc;

use super::document::Node;
use super::error::ConfigError;

const PREFIX: &str = "FANLINE_";

/// Lays the variables over the tree. `sections` are the keys of the top level: a variable without `__` counts only
/// when it names one, because `FANLINE_URL` and its like belong to the other commands.
///
/// # Errors
/// A variable leads through something that is not a table.
pub(crate) fn overlay(
    tree: &mut Node,
    variables: impl IntoIterator<Item = (String, String)>,
    sections: &[&str],
) -> Result<(), ConfigError> {
    // Shorter names first: a whole table, then single keys of it. Sorted, so that the outcome is the same at each start.
    let mut variables: Vec<_> = variables.into_iter().collect();
    variables.sort();
    for (name, text) in variables {
        if let Some(path) = path(&name, sections) {
            tree.assign(&path, &text, &Arc::from(name))?;
        }
    }
    Ok(())
}

fn path(name: &str, sections: &[&str]) -> Option<Vec<String>> {
    let rest = name.strip_prefix(PREFIX)?.to_lowercase();
    let path: Vec<String> = rest.split("__").map(str::to_owned).collect();
    let is_ours = path.len() > 1 || sections.contains(&rest.as_str());
    is_ours.then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_underscores_part_the_steps_and_foreign_names_are_left_alone() {
        let path = |name: &str| path(name, &["api_keys"]).map(|path| path.join("/"));
        assert_eq!(path("FANLINE_PUBLIC__LISTEN").as_deref(), Some("public/listen"));
        assert_eq!(
            path("FANLINE_NAMESPACES__CHAT__HISTORY_SIZE").as_deref(),
            Some("namespaces/chat/history_size")
        );
        assert_eq!(path("FANLINE_API_KEYS").as_deref(), Some("api_keys"));
        assert_eq!(path("FANLINE_URL"), None);
        assert_eq!(path("HOME"), None);
    }
}
