//! The way from the top of the configuration to one value, and how it reads in a sentence.

use std::borrow::Cow;

/// The keys and list places that lead to a value.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Path(Vec<Step>);

/// One step of a [`Path`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    Key(String),
    /// A place in a list, counted from 0.
    Item(usize),
}

impl Path {
    /// The path that follows these keys from the top.
    pub(crate) fn of(keys: &[&str]) -> Self {
        Path(keys.iter().map(|key| Step::Key((*key).to_owned())).collect())
    }

    /// One key further.
    pub(crate) fn key(&self, key: &str) -> Self {
        self.step(Step::Key(key.to_owned()))
    }

    /// One list place further.
    pub(crate) fn item(&self, index: usize) -> Self {
        self.step(Step::Item(index))
    }

    pub(crate) fn steps(&self) -> &[Step] {
        &self.0
    }

    fn step(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Path(steps)
    }

    /// The value at the end, for a sentence: `'window' in [drain]`.
    pub(crate) fn value(&self) -> String {
        match self.0.split_last() {
            None => "the configuration".to_owned(),
            Some((Step::Key(key), [])) => format!("'{key}'"),
            Some((Step::Key(key), above)) => format!("'{key}' {}", inside(above)),
            Some((Step::Item(index), above)) => {
                format!("item {} of {}", index + 1, Path(above.to_vec()).value())
            }
        }
    }

    /// What stands inside the table at the end stands there: `in [drain]`, `in [[tokens.keys]] number 2`.
    pub(crate) fn inside(&self) -> String {
        inside(&self.0)
    }
}

fn inside(steps: &[Step]) -> String {
    let mut keys = Vec::new();
    let mut item = None;
    for step in steps {
        match step {
            Step::Key(key) => {
                keys.push(as_written(key));
                item = None;
            }
            Step::Item(index) => item = Some(index + 1),
        }
    }
    let name = keys.join(".");
    match item {
        _ if name.is_empty() => "at the top level".to_owned(),
        None => format!("in [{name}]"),
        Some(number) => format!("in [[{name}]] number {number}"),
    }
}

/// A key as TOML has it: in quotes unless it is a bare one.
fn as_written(key: &str) -> Cow<'_, str> {
    let bare = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if key.bytes().all(bare) { key.into() } else { format!("{key:?}").into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_as_people_write_toml() {
        assert_eq!(Path::of(&["drain", "window"]).value(), "'window' in [drain]");
        assert_eq!(Path::of(&["drain"]).value(), "'drain'");
        assert_eq!(Path::default().inside(), "at the top level");
        let key = Path::of(&["tokens", "keys"]).item(1);
        assert_eq!(key.inside(), "in [[tokens.keys]] number 2");
        assert_eq!(key.key("secret").value(), "'secret' in [[tokens.keys]] number 2");
        let origin = Path::of(&["public", "allowed_origins"]).item(0);
        assert_eq!(origin.value(), "item 1 of 'allowed_origins' in [public]");
        let handler = Path::of(&["handlers", "chat.*", "url"]);
        assert_eq!(handler.value(), "'url' in [handlers.\"chat.*\"]");
    }
}
