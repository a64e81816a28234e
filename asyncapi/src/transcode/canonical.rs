//! Writing a message as JSON, in the canonical form of the mapping of proto3.
//!
//! See <https://protobuf.dev/programming-guides/json/>. The types with a form of their own stand in
//! [`well_known`](super::well_known).

use super::fault::Fault;
use super::plan::{FieldKind, FieldPlan, MessageIndex, MessagePlan, Plans, Scalar, Shape};
use super::well_known::Form;
use super::wire::{Datum, Message};
use crate::limits::JSON_DEPTH;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Number, Value};

/// The places of the two fields of a map's entry.
const KEY: usize = 0;
const VALUE: usize = 1;

impl Plans {
    /// The JSON of a message. `depth`: the levels of JSON around it.
    pub(super) fn message_json(
        &self,
        of: MessageIndex,
        message: &Message<'_>,
        depth: usize,
    ) -> Result<Value, Fault> {
        let plan = self.message(of);
        plan.check_known(message)?;
        if plan.form != Form::Fields {
            return self.well_known_json(plan, message, depth);
        }
        let mut object = Map::with_capacity(message.fields().len());
        self.write_fields(&mut object, plan, message, depth)?;
        Ok(Value::Object(object))
    }

    /// Adds the fields of a message to an object with so many levels around it.
    pub(super) fn write_fields(
        &self,
        object: &mut Map<String, Value>,
        plan: &MessagePlan,
        message: &Message<'_>,
        depth: usize,
    ) -> Result<(), Fault> {
        check_depth(depth)?;
        for (place, datum) in message.fields() {
            let field = &plan.fields[place];
            if field.has_presence || !datum.is_default() {
                let json = self.field_json(field, datum, depth + 1);
                object.insert(field.name.clone(), json.map_err(|fault| fault.below(&field.name))?);
            }
        }
        Ok(())
    }

    /// The JSON of what a field holds.
    pub(super) fn field_json(
        &self,
        field: &FieldPlan,
        datum: &Datum<'_>,
        depth: usize,
    ) -> Result<Value, Fault> {
        let Datum::Many(elements) = datum else { return self.one_json(field.kind, datum, depth) };
        check_depth(depth)?;
        if field.shape == Shape::Map {
            return self.map_json(field.kind, elements, depth);
        }
        let element = |(index, element): (usize, &Datum<'_>)| {
            self.one_json(field.kind, element, depth + 1).map_err(|fault| fault.below(index))
        };
        let elements = elements.iter().enumerate().map(element);
        Ok(Value::Array(elements.collect::<Result<_, _>>()?))
    }

    fn map_json(
        &self,
        kind: FieldKind,
        entries: &[Datum<'_>],
        depth: usize,
    ) -> Result<Value, Fault> {
        let FieldKind::Message(entry) = kind else { unreachable!("a map is a message of entries") };
        let plan = self.message(entry);
        let [key_field, value_field] = plan.fields.as_slice() else {
            unreachable!("an entry has a key and a value")
        };
        let mut object = Map::with_capacity(entries.len());
        for entry in entries {
            let Datum::Message(entry) = entry else {
                unreachable!("a map is a message of entries")
            };
            let zero = key_field.kind.zero();
            let key = key_text(entry.get(KEY).unwrap_or(&zero));
            let zero = value_field.kind.zero();
            let value = plan
                .check_known(entry)
                .and_then(|()| {
                    let value = entry.get(VALUE).unwrap_or(&zero);
                    self.one_json(value_field.kind, value, depth + 1)
                })
                .map_err(|fault| fault.below(&key))?;
            // Of entries with one key the last counts.
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }

    /// The JSON of one value of a kind.
    pub(super) fn one_json(
        &self,
        kind: FieldKind,
        datum: &Datum<'_>,
        depth: usize,
    ) -> Result<Value, Fault> {
        Ok(match datum {
            Datum::Bool(value) => Value::Bool(*value),
            Datum::Int32(value) => Value::Number((*value).into()),
            Datum::Uint32(value) => Value::Number((*value).into()),
            // A double of JavaScript does not hold all of them.
            Datum::Int64(value) => Value::String(value.to_string()),
            Datum::Uint64(value) => Value::String(value.to_string()),
            // The shortest text that is this number as a float: as a double, 0.1 would be 0.10000000149011612.
            Datum::Float(value) => double_json(value.to_string().parse().unwrap_or(f64::NAN)),
            Datum::Double(value) => double_json(*value),
            Datum::Text(text) => Value::String((*text).to_owned()),
            Datum::Bytes(bytes) => Value::String(STANDARD.encode(bytes)),
            Datum::Enum(number) => self.enum_json(kind, *number),
            Datum::Message(message) => match kind {
                FieldKind::Message(of) => self.message_json(of, message, depth)?,
                FieldKind::Scalar(_) => unreachable!("a message in a field of {kind:?}"),
            },
            Datum::Many(_) => unreachable!("many in a place for one"),
        })
    }

    /// The name of a value; of one that the enum does not have, as open enums allow, its number.
    fn enum_json(&self, kind: FieldKind, number: i32) -> Value {
        let FieldKind::Scalar(Scalar::Enum(of)) = kind else { return number.into() };
        let plan = self.enumeration(of);
        match plan.name(number) {
            _ if plan.is_null => Value::Null,
            Some(name) => Value::String(name.to_owned()),
            None => number.into(),
        }
    }
}

impl MessagePlan {
    /// A field that the type does not have would be lost.
    pub(super) fn check_known(&self, message: &Message<'_>) -> Result<(), Fault> {
        let Some(number) = message.unknown else { return Ok(()) };
        let text = format!("`{}` has no field with the number {number}", self.name);
        Err(Fault::new("unknownField", text))
    }
}

impl FieldKind {
    /// What counts where nothing is written.
    pub(super) fn zero(self) -> Datum<'static> {
        match self {
            FieldKind::Message(_) => Datum::Message(Message::default()),
            FieldKind::Scalar(scalar) => match scalar {
                Scalar::Bool => Datum::Bool(false),
                Scalar::Int32 | Scalar::Sint32 | Scalar::Sfixed32 => Datum::Int32(0),
                Scalar::Uint32 | Scalar::Fixed32 => Datum::Uint32(0),
                Scalar::Int64 | Scalar::Sint64 | Scalar::Sfixed64 => Datum::Int64(0),
                Scalar::Uint64 | Scalar::Fixed64 => Datum::Uint64(0),
                Scalar::Float => Datum::Float(0.0),
                Scalar::Double => Datum::Double(0.0),
                Scalar::String => Datum::Text(""),
                Scalar::Bytes => Datum::Bytes(b""),
                Scalar::Enum(_) => Datum::Enum(0),
            },
        }
    }
}

impl Datum<'_> {
    /// Whether it is what counts where nothing is written.
    fn is_default(&self) -> bool {
        match self {
            Datum::Bool(value) => !value,
            Datum::Int32(value) | Datum::Enum(value) => *value == 0,
            Datum::Uint32(value) => *value == 0,
            Datum::Int64(value) => *value == 0,
            Datum::Uint64(value) => *value == 0,
            // Not so the zero below: its sign would be lost.
            Datum::Float(value) => value.to_bits() == 0,
            Datum::Double(value) => value.to_bits() == 0,
            Datum::Text(text) => text.is_empty(),
            Datum::Bytes(bytes) => bytes.is_empty(),
            Datum::Message(_) => false,
            Datum::Many(elements) => elements.is_empty(),
        }
    }
}

fn double_json(value: f64) -> Value {
    let special = || {
        if value.is_nan() {
            "NaN"
        } else if value > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        }
    };
    Number::from_f64(value).map_or_else(|| Value::String(special().to_owned()), Value::Number)
}

fn key_text(key: &Datum<'_>) -> String {
    match key {
        Datum::Bool(value) => value.to_string(),
        Datum::Int32(value) => value.to_string(),
        Datum::Uint32(value) => value.to_string(),
        Datum::Int64(value) => value.to_string(),
        Datum::Uint64(value) => value.to_string(),
        Datum::Text(text) => (*text).to_owned(),
        Datum::Float(_)
        | Datum::Double(_)
        | Datum::Bytes(_)
        | Datum::Enum(_)
        | Datum::Message(_)
        | Datum::Many(_) => unreachable!("no key of a map is of such a kind"),
    }
}

pub(super) fn check_depth(depth: usize) -> Result<(), Fault> {
    if depth < JSON_DEPTH {
        return Ok(());
    }
    Err(Fault::new("depth", format!("more than {JSON_DEPTH} levels deep")))
}
