//! Configuration from environment variables: `FANLINE_<SECTION>__<KEY>`.
//!
//! The name gives the path: lower case, two underscores between the steps, so `FANLINE_NAMESPACES__CHAT__HISTORY_SIZE`
//! is `history_size` in `[namespaces.chat]`. A list or a table is written as TOML in one variable, as in
//! `FANLINE_API_KEYS='[{ name = "orders", .. }]'`.
//!
//! Other variables that begin so are left alone: those of the other commands, and what an orchestrator makes of a service's
//! name, such as `FANLINE_PUBLIC_PORT`. A key behind one underscore instead of two is a slip, and is refused.

use std::sync::Arc;

use super::document::Node;
use super::error::ConfigError;
use super::origin::Origin;
use super::section::Key;

const PREFIX: &str = "FANLINE_";

/// Lays the variables over the tree. `sections` are the keys of the top level: a variable without `__` counts only
/// when it names one, because `FANLINE_URL` and its like belong to the other commands. `keys` are those of each section, to
/// know a slip by.
///
/// # Errors
/// A variable leads through something that is not a table, or names a key behind one underscore.
pub(crate) fn overlay(
    tree: &mut Node,
    variables: impl IntoIterator<Item = (String, String)>,
    sections: &[&str],
    keys: &[(&str, &[Key])],
) -> Result<(), ConfigError> {
    // Shorter names first: a whole table, then single keys of it. Sorted, so that the outcome is the same at each start.
    let mut variables: Vec<_> = variables.into_iter().collect();
    variables.sort();
    for (name, text) in variables {
        if let Some(path) = path(&name, sections) {
            tree.assign(&path, &text, &Arc::from(name))?;
        } else if let Some(meant) = slip(&name, keys) {
            let sentence = format!("two underscores part section and key: {meant}");
            return Err(ConfigError::new(
                Some(Origin::Environment { variable: name.into() }),
                sentence,
            ));
        }
    }
    Ok(())
}

/// The variable that was meant by one that names a section and a key of it with one underscore between them.
fn slip(name: &str, keys: &[(&str, &[Key])]) -> Option<String> {
    let rest = name.strip_prefix(PREFIX)?.to_lowercase();
    keys.iter().find_map(|(section, keys)| {
        let key = rest.strip_prefix(section)?.strip_prefix('_')?;
        let is_known = keys.iter().any(|known| known.name() == key);
        is_known.then(|| format!("{PREFIX}{section}__{key}").to_uppercase())
    })
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
    use crate::config::Config;

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

    #[test]
    fn one_underscore_before_a_known_key_is_a_slip_and_what_orchestrators_set_is_none() {
        let keys = Config::KEYS_OF_SECTIONS;
        assert_eq!(slip("FANLINE_PUBLIC_LISTEN", keys).as_deref(), Some("FANLINE_PUBLIC__LISTEN"));
        for foreign in ["FANLINE_PUBLIC_PORT", "FANLINE_PUBLIC_SERVICE_HOST", "PUBLIC_LISTEN"] {
            assert_eq!(slip(foreign, keys), None, "{foreign}");
        }
    }
}
