//! The text of a document: its value, and where each part of it stands.

use super::finding::{Finding, Severity};
use crate::json;
use crate::limits::JSON_DEPTH;
use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};
use saphyr_parser::{Event, Marker, Parser};
use serde_json::{Map, Number, Value};
use std::collections::HashMap;
use std::fmt::Write;

/// A text that was read.
pub(crate) struct Text {
    pub(crate) value: Value,
    /// Line and column, from 1, of what each JSON pointer names: of a field the name, of an item the item.
    places: HashMap<String, (usize, usize)>,
}

impl Text {
    /// Reads JSON or YAML. What starts as a JSON object is held to JSON.
    ///
    /// # Errors
    /// It is neither.
    pub(crate) fn read(text: &str) -> Result<Self, Finding> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if !text.trim_start().starts_with('{') {
            return read_yaml(text);
        }
        let value = json::parse(text.as_bytes()).map_err(|fault| {
            let (line, column) = (fault.line.max(1), fault.column.max(1));
            let violation = fault.into_violation();
            Finding {
                pointer: violation.pointer,
                ..finding(line, column, &violation.rule, violation.message)
            }
        })?;
        // JSON is YAML, except for characters in two halves: their place is as long with any other.
        let places = read_yaml(&without_halves(text)).map(|text| text.places).unwrap_or_default();
        Ok(Text { value, places })
    }

    /// Where the value of a pointer stands, or what surrounds it where there is none.
    pub(crate) fn place(&self, pointer: &str) -> (usize, usize) {
        let mut pointer = pointer;
        loop {
            match (self.places.get(pointer), pointer.rfind('/')) {
                (Some(place), _) => return *place,
                (None, Some(slash)) => pointer = &pointer[..slash],
                (None, None) => return (1, 1),
            }
        }
    }
}

/// The text with its escaped halves of characters (`\ud83d\ude00`) replaced by others of that length.
fn without_halves(text: &str) -> String {
    let mut copy = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\\u") {
        let (before, escape) = rest.split_at(at);
        copy.push_str(before);
        let is_half = escape.get(2..4).is_some_and(|digits| {
            let digits = digits.to_ascii_lowercase();
            digits.starts_with('d') && digits.as_str() > "d7"
        });
        copy.push_str(if is_half { "\\u00" } else { &escape[..2] });
        rest = &escape[if is_half { 4 } else { 2 }..];
    }
    copy.push_str(rest);
    copy
}

fn finding(line: usize, column: usize, rule: &str, message: impl Into<String>) -> Finding {
    Finding {
        severity: Severity::Error,
        line,
        column,
        pointer: String::new(),
        rule: rule.to_owned(),
        message: message.into(),
    }
}

fn at(marker: &Marker, message: impl Into<String>) -> Finding {
    finding(marker.line().max(1), marker.col() + 1, "yaml", message)
}

fn read_yaml(text: &str) -> Result<Text, Finding> {
    check_depth(text)?;
    let documents = MarkedYaml::load_from_str(text)
        .map_err(|error| at(error.marker(), error.info().to_owned()))?;
    let [document] = documents.as_slice() else {
        let message = format!("one document is needed, here are {}", documents.len());
        return Err(finding(1, 1, "yaml", message));
    };
    let mut reader = Reader { places: HashMap::new(), here: String::new() };
    reader.places.insert(String::new(), place_of(document));
    let value = reader.read(document)?;
    Ok(Text { value, places: reader.places })
}

/// Refuses what is nested deeper than any document, before anything is built of it that only recursion takes apart. An
/// alias is as deep as what it stands for.
fn check_depth(text: &str) -> Result<(), Finding> {
    /// An array or object that has begun.
    struct Open {
        anchor: usize,
        /// Levels within it, so far.
        height: usize,
    }
    let mut open: Vec<Open> = Vec::new();
    // Levels of what has an anchor, once it has ended; what holds an alias of itself is refused by the reader.
    let mut heights: HashMap<usize, usize> = HashMap::new();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| at(error.marker(), error.info().to_owned()))?;
        let height = match event {
            Event::MappingStart(anchor, _) | Event::SequenceStart(anchor, _) => {
                open.push(Open { anchor, height: 0 });
                0
            }
            Event::MappingEnd | Event::SequenceEnd => {
                let Some(Open { anchor, height }) = open.pop() else { continue };
                heights.insert(anchor, height + 1);
                height + 1
            }
            Event::Alias(anchor) => heights.get(&anchor).copied().unwrap_or(0),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::Scalar(..) => 0,
        };
        if open.len() + height > JSON_DEPTH {
            return Err(at(&span.start, format!("more than {JSON_DEPTH} levels deep")));
        }
        if let Some(around) = open.last_mut() {
            around.height = around.height.max(height);
        }
    }
    Ok(())
}

fn place_of(node: &MarkedYaml<'_>) -> (usize, usize) {
    (node.span.start.line().max(1), node.span.start.col() + 1)
}

/// From YAML to JSON, remembering where things stand.
struct Reader {
    places: HashMap<String, (usize, usize)>,
    here: String,
}

impl Reader {
    fn read(&mut self, node: &MarkedYaml<'_>) -> Result<Value, Finding> {
        let cannot = |message: &str| Err(at(&node.span.start, message));
        match &node.data {
            YamlData::Value(scalar) => match scalar_value(scalar) {
                Some(value) => Ok(value),
                None => cannot("JSON has no such number"),
            },
            YamlData::Sequence(items) => {
                let mut values = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    let step =
                        |here: &mut String| write!(here, "/{index}").expect("a String takes all");
                    values.push(self.read_at(step, place_of(item), item)?);
                }
                Ok(Value::Array(values))
            }
            YamlData::Mapping(members) => {
                let mut object = Map::new();
                for (key, member) in members {
                    let name = name_of(key)?;
                    let value =
                        self.read_at(|here| json::push_name(here, &name), place_of(key), member)?;
                    object.insert(name, value);
                }
                Ok(Value::Object(object))
            }
            YamlData::Tagged(tag, _) => cannot(&format!("the tag `{tag}` has no meaning in JSON")),
            YamlData::Alias(_) => cannot("the alias names no anchor"),
            YamlData::Representation(..) | YamlData::BadValue => cannot("this is no value of JSON"),
        }
    }

    fn read_at(
        &mut self,
        step: impl FnOnce(&mut String),
        place: (usize, usize),
        node: &MarkedYaml<'_>,
    ) -> Result<Value, Finding> {
        let before = self.here.len();
        step(&mut self.here);
        self.places.insert(self.here.clone(), place);
        let value = self.read(node);
        self.here.truncate(before);
        value
    }
}

/// The name of a field. Numbers and the like are taken as they are written, as in `200:`.
fn name_of(key: &MarkedYaml<'_>) -> Result<String, Finding> {
    let value = if let YamlData::Value(scalar) = &key.data { scalar_value(scalar) } else { None };
    match value {
        Some(Value::String(name)) => Ok(name),
        Some(Value::Null) | None => Err(at(&key.span.start, "the name of a field is a text")),
        Some(other) => Ok(other.to_string()),
    }
}

fn scalar_value(scalar: &Scalar<'_>) -> Option<Value> {
    Some(match scalar {
        Scalar::Null => Value::Null,
        Scalar::Boolean(value) => Value::Bool(*value),
        Scalar::Integer(value) => Value::Number((*value).into()),
        Scalar::FloatingPoint(value) => Value::Number(Number::from_f64(value.into_inner())?),
        Scalar::String(text) => Value::String(text.as_ref().to_owned()),
    })
}
