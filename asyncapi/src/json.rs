//! Reading JSON more strictly than a parser must: nothing in it is silently dropped, rounded or endless.
//!
//! Two readers of one text must see the same. So an object with the same name twice is refused, as are numbers that a
//! double cannot hold, and nesting that would exhaust somebody's stack. A fault names the place by JSON pointer.

use crate::limits::JSON_DEPTH;
use fanline_core::refusal::Violation;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt::{self, Write};

/// Why a text is not taken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct JsonFault {
    /// The value that is at fault, by JSON pointer (RFC 6901).
    pub(crate) pointer: String,
    /// The rule that it breaks.
    pub(crate) rule: JsonRule,
    /// A sentence.
    pub(crate) message: String,
    /// Where it stands, from 1.
    pub(crate) line: usize,
    /// And in which column of it, from 1, in bytes.
    pub(crate) column: usize,
}

impl JsonFault {
    /// The same in the words of a schema's violations.
    pub(crate) fn into_violation(self) -> Violation {
        let rule = match self.rule {
            JsonRule::Syntax => "json",
            JsonRule::Utf8 => "utf8",
            JsonRule::UniqueNames => "uniqueNames",
            JsonRule::Depth => "depth",
        };
        Violation { pointer: self.pointer, rule: rule.into(), message: self.message }
    }
}

/// The rules of JSON itself, before any schema.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum JsonRule {
    /// RFC 8259, numbers within a double included.
    Syntax,
    /// UTF-8 all through.
    Utf8,
    /// Each name once per object (RFC 7493, section 2.3).
    UniqueNames,
    /// At most [`JSON_DEPTH`] levels.
    Depth,
}

/// Reads one JSON text, whole.
pub(crate) fn parse(text: &[u8]) -> Result<Value, JsonFault> {
    parse_at(text, 0)
}

/// Reads the text of what stands in something else, so many levels deep.
pub(crate) fn parse_at(text: &[u8], depth: usize) -> Result<Value, JsonFault> {
    let text = std::str::from_utf8(text).map_err(|error| {
        let before = &text[..error.valid_up_to()];
        JsonFault {
            pointer: String::new(),
            rule: JsonRule::Utf8,
            message: format!("byte {} is not UTF-8", error.valid_up_to() + 1),
            line: 1 + before.iter().filter(|&&byte| byte == b'\n').count(),
            column: 1 + before.iter().rev().take_while(|&&byte| byte != b'\n').count(),
        }
    })?;
    let mut state = State::default();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let read = Reader { state: &mut state, depth }.deserialize(&mut deserializer);
    read.and_then(|value| deserializer.end().map(|()| value)).map_err(|error| state.fault(&error))
}

/// Appends a name to a JSON pointer.
pub(crate) fn push_name(pointer: &mut String, name: &str) {
    pointer.push('/');
    for character in name.chars() {
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

/// The JSON pointer of a member of the value at `pointer`.
pub(crate) fn below(pointer: &str, name: &str) -> String {
    let mut pointer = pointer.to_owned();
    push_name(&mut pointer, name);
    pointer
}

/// The JSON pointer that a reference into the same document holds, `#/a~1b%20c` (RFC 6901, section 6).
pub(crate) fn pointed_to(reference: &str) -> Option<String> {
    let fragment = reference.strip_prefix('#')?;
    let mut bytes = Vec::with_capacity(fragment.len());
    let mut rest = fragment.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
    }
    String::from_utf8(bytes).ok()
}

/// The line on which the value stands that `pointer` names, in a text that [`parse`] takes. 1 where there is none.
pub(crate) fn line_of(text: &str, pointer: &str) -> usize {
    let mut state = State { wanted: Some(pointer.to_owned()), ..State::default() };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    match (Reader { state: &mut state, depth: 0 }).deserialize(&mut deserializer) {
        Ok(_) => 1,
        // Stopped before anything was read, it stands nowhere yet.
        Err(error) => error.line().max(1),
    }
}

/// What is known where reading stopped. Filled from the inside out, so that reading what is fine costs nothing.
#[derive(Default)]
struct State {
    rule: Option<JsonRule>,
    /// From the fault outwards.
    path: Vec<Step>,
    /// Stop at the value of this pointer: that is how a line is found.
    wanted: Option<String>,
    /// Where reading is, kept only while something is wanted.
    here: String,
}

enum Step {
    Name(String),
    Index(usize),
}

impl State {
    fn fault(self, error: &serde_json::Error) -> JsonFault {
        let mut pointer = String::new();
        for step in self.path.iter().rev() {
            match step {
                Step::Name(name) => push_name(&mut pointer, name),
                Step::Index(index) => {
                    write!(pointer, "/{index}").expect("a String takes all");
                }
            }
        }
        JsonFault {
            pointer,
            rule: self.rule.unwrap_or(JsonRule::Syntax),
            message: error.to_string(),
            line: error.line(),
            column: error.column(),
        }
    }

    fn stop<E: de::Error>(&mut self, rule: JsonRule, message: impl fmt::Display) -> E {
        self.rule = Some(rule);
        E::custom(message)
    }

    fn enter(&mut self, step: impl FnOnce(&mut String)) -> usize {
        let before = self.here.len();
        if self.wanted.is_some() {
            step(&mut self.here);
        }
        before
    }
}

struct Reader<'a> {
    state: &'a mut State,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn inner(&mut self) -> Reader<'_> {
        Reader { state: self.state, depth: self.depth + 1 }
    }

    fn check_depth<E: de::Error>(&mut self) -> Result<(), E> {
        if self.depth < JSON_DEPTH {
            return Ok(());
        }
        Err(self.state.stop(JsonRule::Depth, format_args!("more than {JSON_DEPTH} levels deep")))
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.state.wanted.as_ref().is_some_and(|wanted| *wanted == self.state.here) {
            // Anything but the end of the value makes serde_json say where it is.
            return Err(de::Error::custom("found"));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        match Number::from_f64(value) {
            Some(number) => Ok(Value::Number(number)),
            None => Err(self.state.stop(JsonRule::Syntax, "number out of range")),
        }
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Value, A::Error> {
        self.check_depth()?;
        let mut values = Vec::new();
        loop {
            let index = values.len();
            let before = self.state.enter(|here| {
                write!(here, "/{index}").expect("a String takes all");
            });
            match items.next_element_seed(self.inner()) {
                Ok(Some(value)) => values.push(value),
                Ok(None) => {
                    self.state.here.truncate(before);
                    return Ok(Value::Array(values));
                }
                Err(error) => {
                    self.state.path.push(Step::Index(index));
                    return Err(error);
                }
            }
            self.state.here.truncate(before);
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Value, A::Error> {
        self.check_depth()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let before = self.state.enter(|here| push_name(here, &name));
            let value = match members.next_value_seed(self.inner()) {
                Ok(value) => value,
                Err(error) => {
                    self.state.path.push(Step::Name(name));
                    return Err(error);
                }
            };
            self.state.here.truncate(before);
            match object.entry(name) {
                serde_json::map::Entry::Vacant(place) => {
                    place.insert(value);
                }
                serde_json::map::Entry::Occupied(taken) => {
                    let name = taken.key().clone();
                    let message = format!("the object has the name `{name}` twice");
                    self.state.path.push(Step::Name(name));
                    return Err(self.state.stop(JsonRule::UniqueNames, message));
                }
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_well_formed_is_read_as_it_stands() {
        let text = r#"{"b":[1,-2,1.5,"x\n",true,null],"a":{"":{}}}"#;
        let value = parse(text.as_bytes()).unwrap();
        assert_eq!(value, json!({"b": [1, -2, 1.5, "x\n", true, null], "a": {"": {}}}));
        assert_eq!(value.to_string(), text, "and in its order");
    }

    #[test]
    fn a_fault_names_its_rule_and_its_pointer() {
        let deep = format!("{}1{}", "[".repeat(JSON_DEPTH + 1), "]".repeat(JSON_DEPTH + 1));
        let deep_pointer = "/0".repeat(JSON_DEPTH);
        let table: [(&[u8], JsonRule, &str); 9] = [
            (b"{\"a\":{\"b\":1,\"b\":2}}", JsonRule::UniqueNames, "/a/b"),
            (b"{\"a~/b\":[0,{\"x\":1,\"x\":1}]}", JsonRule::UniqueNames, "/a~0~1b/1/x"),
            (b"{\"a\":[1,1e400]}", JsonRule::Syntax, "/a/1"),
            (b"{\"a\":nul}", JsonRule::Syntax, "/a"),
            (b"{}{}", JsonRule::Syntax, ""),
            (b"", JsonRule::Syntax, ""),
            (b"{\"a\":NaN}", JsonRule::Syntax, "/a"),
            (b"\"\xff\"", JsonRule::Utf8, ""),
            (deep.as_bytes(), JsonRule::Depth, &deep_pointer),
        ];
        for (text, rule, pointer) in table {
            let fault = parse(text).unwrap_err();
            let shown = String::from_utf8_lossy(text);
            assert_eq!((fault.rule, fault.pointer.as_str()), (rule, pointer), "{shown}: {fault:?}");
        }
        let fits = format!("{}1{}", "[".repeat(JSON_DEPTH), "]".repeat(JSON_DEPTH));
        assert!(parse(fits.as_bytes()).is_ok());
    }

    #[test]
    fn a_line_is_found_by_pointer() {
        let text = "{\n \"a\": [\n  1,\n  {\"b\": 2}\n ]\n}";
        assert_eq!(line_of(text, "/a/1"), 4);
        assert_eq!(line_of(text, "/a/1/b"), 4);
        assert_eq!(line_of(text, "/a"), 2);
        assert_eq!(line_of(text, "/nowhere"), 1);
    }
}
