//! The configuration as it was written: a tree of values, each with its origin.
//!
//! File and environment are laid into one tree before anything is understood. What the values mean is not known here;
//! [`read`](super::reader::read) turns the tree into the sections.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::ConfigError;
use super::origin::Origin;
use super::path::{Path, Step};

/// A value and where it was written. Printed, it shows only the latter: any value may be a secret.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) origin: Option<Origin>,
}

/// What can be written.
#[derive(Clone)]
pub(crate) enum Value {
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    /// In the order of writing, so that the first mistake is told first.
    Table(Vec<(String, Node)>),
    /// The text of an environment variable. What it is depends on what is wanted: see
    /// [`reader`](super::reader).
    Raw(String),
}

impl Node {
    /// Reads TOML; `file` is its name in complaints.
    ///
    /// # Errors
    /// The text is not TOML.
    pub(crate) fn from_toml(text: &str, file: &str) -> Result<Self, ConfigError> {
        let name = Arc::from(file);
        let file = Source::File { name: Arc::clone(&name), text };
        let table = DeTable::parse(text).map_err(|error| file.complain(&error))?;
        Ok(file.table(table.get_ref(), Some(Origin::Missing { name })))
    }

    /// Reads one TOML value out of an environment variable.
    ///
    /// # Errors
    /// The text is not a TOML value.
    pub(crate) fn from_toml_value(text: &str, variable: &Arc<str>) -> Result<Self, ConfigError> {
        let source = Source::Environment { variable };
        let value = DeValue::parse(text).map_err(|error| source.complain(&error))?;
        Ok(source.node(&value, value.span()))
    }

    /// Sets the value at `path` to the text of an environment variable, making the tables on the way.
    ///
    /// # Errors
    /// The path leads through something that is not a table.
    pub(crate) fn assign(
        &mut self,
        path: &[String],
        text: &str,
        variable: &Arc<str>,
    ) -> Result<(), ConfigError> {
        let origin = Some(Origin::Environment { variable: Arc::clone(variable) });
        let Some((key, rest)) = path.split_first() else {
            *self = Node { value: Value::Raw(text.to_owned()), origin };
            return Ok(());
        };
        let is_list = matches!(self.value, Value::List(_));
        let Value::Table(entries) = &mut self.value else {
            let before = match is_list {
                true => "is a list, which is set as a whole by one variable",
                false => "is not a table",
            };
            let sentence = format!("'{key}' leads nowhere: what stands before it {before}");
            return Err(ConfigError::new(origin, sentence));
        };
        let place = match entries.iter().position(|(known, _)| known == key) {
            Some(place) => place,
            None => {
                entries.push((key.clone(), Node { value: Value::Table(Vec::new()), origin }));
                entries.len() - 1
            }
        };
        entries[place].1.assign(rest, text, variable)
    }

    /// Where the value at `path` was written, else the nearest table around it that was written at all.
    pub(crate) fn origin_of(&self, path: &Path) -> Option<&Origin> {
        let mut node = self;
        let mut origin = self.origin.as_ref();
        for step in path.steps() {
            let next = match (&node.value, step) {
                (Value::Table(entries), Step::Key(key)) => {
                    entries.iter().find(|(known, _)| known == key).map(|(_, node)| node)
                }
                (Value::List(items), Step::Item(index)) => items.get(*index),
                _ => None,
            };
            let Some(next) = next else { break };
            node = next;
            origin = node.origin.as_ref().or(origin);
        }
        origin
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// What a tree is read from: it gives each value its origin.
enum Source<'a> {
    File { name: Arc<str>, text: &'a str },
    Environment { variable: &'a Arc<str> },
}

impl Source<'_> {
    fn origin(&self, span: &Range<usize>) -> Origin {
        match self {
            Source::File { name, text } => {
                let before = text.get(..span.start).unwrap_or(text);
                let line = before.matches('\n').count() + 1;
                Origin::File { name: Arc::clone(name), line }
            }
            Source::Environment { variable } => {
                Origin::Environment { variable: Arc::clone(variable) }
            }
        }
    }

    fn complain(&self, error: &toml::de::Error) -> ConfigError {
        let span = error.span().unwrap_or_default();
        let remedy = match self {
            Source::File { .. } => "",
            // Only what is not one word or number is read as TOML there.
            Source::Environment { .. } => {
                r#"; write a list as ["a", "b"], a table as { key = "a" }"#
            }
        };
        let sentence = format!("this is not TOML: {}{remedy}", error.message());
        ConfigError::new(Some(self.origin(&span)), sentence)
    }

    /// The node of a value whose key, or which itself, stands at `place`.
    fn node(&self, value: &Spanned<DeValue<'_>>, place: Range<usize>) -> Node {
        let origin = Some(self.origin(&place));
        let value = match value.get_ref() {
            DeValue::Boolean(value) => Value::Boolean(*value),
            DeValue::Integer(value) => match i64::from_str_radix(value.as_str(), value.radix()) {
                Ok(value) => Value::Integer(value),
                // No key takes a number of this size: as text it is refused with the words of the key.
                Err(_) => Value::Text(value.to_string()),
            },
            DeValue::Float(value) => match value.as_str().parse() {
                Ok(value) => Value::Float(value),
                Err(_) => Value::Text(value.to_string()),
            },
            DeValue::String(value) => Value::Text(value.to_string()),
            DeValue::Datetime(value) => Value::Text(value.to_string()),
            DeValue::Array(items) => {
                Value::List(items.iter().map(|item| self.node(item, item.span())).collect())
            }
            DeValue::Table(table) => return self.table(table, origin),
        };
        Node { value, origin }
    }

    fn table(&self, table: &DeTable<'_>, origin: Option<Origin>) -> Node {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let entries = entries
            .into_iter()
            .map(|(key, value)| (key.get_ref().to_string(), self.node(value, key.span())))
            .collect();
        Node { value: Value::Table(entries), origin }
    }
}
