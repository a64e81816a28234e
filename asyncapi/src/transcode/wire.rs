//! Taking a message apart: from bytes to fields that still borrow them.
//!
//! As the encoding has it (<https://protobuf.dev/programming-guides/encoding/>), what comes more than once counts as one:
//! the last of several numbers or texts, the sum of several messages, of the members of a oneof the last. Nothing is
//! judged here but the encoding itself. Read [`Message`] first.

use super::plan::{FieldKind, MessageIndex, MessagePlan, Plans, Scalar, Shape};
use crate::limits::PROTOBUF_DEPTH;
use prost::DecodeError;
use prost::encoding::{self, DecodeContext, WireType, check_wire_type, decode_key, decode_varint};
use thiserror::Error;

/// What a message holds.
#[derive(Debug, Default)]
pub(super) struct Message<'a> {
    /// By the place of the field in its plan, in that order: no room for what is not there, or a few bytes could ask for much.
    fields: Vec<(usize, Datum<'a>)>,
    /// The lowest number that its type has no field for.
    pub(super) unknown: Option<u32>,
}

/// What a field holds.
#[derive(Debug)]
pub(super) enum Datum<'a> {
    Bool(bool),
    Int32(i32),
    Uint32(u32),
    Int64(i64),
    Uint64(u64),
    Float(f32),
    Double(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
    Enum(i32),
    Message(Message<'a>),
    /// The elements of a list, or the entries of a map.
    Many(Vec<Datum<'a>>),
}

/// Why bytes are no message.
#[derive(Debug, Error)]
pub(super) enum WireError {
    #[error(transparent)]
    Encoding(#[from] DecodeError),
    #[error("a length that goes beyond the end")]
    Length,
    #[error("a text that is not UTF-8")]
    Utf8,
    #[error("messages more than {PROTOBUF_DEPTH} levels deep")]
    Depth,
}

impl Plans {
    /// Takes a message of a type apart.
    pub(super) fn read<'a>(
        &self,
        of: MessageIndex,
        bytes: &'a [u8],
    ) -> Result<Message<'a>, WireError> {
        let mut message = Message::default();
        self.merge(&mut message, of, bytes, PROTOBUF_DEPTH)?;
        Ok(message)
    }

    /// `levels`: of messages that there may be within this one.
    fn merge<'a>(
        &self,
        message: &mut Message<'a>,
        of: MessageIndex,
        mut rest: &'a [u8],
        levels: usize,
    ) -> Result<(), WireError> {
        let plan = self.message(of);
        while !rest.is_empty() {
            let (number, wire_type) = decode_key(&mut rest)?;
            match plan.position(number) {
                Some(place) => {
                    self.merge_field(message, plan, place, wire_type, &mut rest, levels)?;
                }
                None => {
                    encoding::skip_field(wire_type, number, &mut rest, DecodeContext::default())?;
                    message.unknown =
                        Some(message.unknown.map_or(number, |other| other.min(number)));
                }
            }
        }
        Ok(())
    }

    fn merge_field<'a>(
        &self,
        message: &mut Message<'a>,
        plan: &MessagePlan,
        place: usize,
        wire_type: WireType,
        rest: &mut &'a [u8],
        levels: usize,
    ) -> Result<(), WireError> {
        let field = &plan.fields[place];
        message.make_room(plan, place);
        match (field.shape, field.kind) {
            (Shape::One, FieldKind::Scalar(scalar)) => {
                let datum = read_scalar(scalar, wire_type, rest)?;
                message.set(place, datum);
            }
            (Shape::One, FieldKind::Message(inner)) => {
                let bytes = delimited(wire_type, rest)?;
                let levels = levels.checked_sub(1).ok_or(WireError::Depth)?;
                self.merge(message.inner(place), inner, bytes, levels)?;
            }
            (Shape::List, FieldKind::Scalar(scalar)) => {
                read_scalars(message.many(place), scalar, wire_type, rest)?;
            }
            (Shape::List, FieldKind::Message(inner)) => {
                let bytes = delimited(wire_type, rest)?;
                let levels = levels.checked_sub(1).ok_or(WireError::Depth)?;
                let mut element = Message::default();
                self.merge(&mut element, inner, bytes, levels)?;
                message.many(place).push(Datum::Message(element));
            }
            // An entry is a message on the wire, but no level of its own.
            (Shape::Map, FieldKind::Message(entry)) => {
                let bytes = delimited(wire_type, rest)?;
                let mut element = Message::default();
                self.merge(&mut element, entry, bytes, levels)?;
                message.many(place).push(Datum::Message(element));
            }
            (Shape::Map, FieldKind::Scalar(_)) => unreachable!("a map is a message of entries"),
        }
        Ok(())
    }
}

impl<'a> Message<'a> {
    /// What is there, with the place of its field in the plan, in that order.
    pub(super) fn fields(&self) -> impl ExactSizeIterator<Item = (usize, &Datum<'a>)> {
        self.fields.iter().map(|(place, datum)| (*place, datum))
    }

    /// What the field with this place in the plan holds.
    pub(super) fn get(&self, place: usize) -> Option<&Datum<'a>> {
        let found = self.find(place).ok()?;
        Some(&self.fields[found].1)
    }

    fn find(&self, place: usize) -> Result<usize, usize> {
        match self.fields.last() {
            // Fields come in the order of their numbers, as a rule.
            Some((last, _)) if *last < place => Err(self.fields.len()),
            Some(_) => self.fields.binary_search_by_key(&place, |(place, _)| *place),
            None => Err(0),
        }
    }

    /// Drops the other members of a field's oneof.
    fn make_room(&mut self, plan: &MessagePlan, place: usize) {
        let oneof = plan.fields[place].oneof;
        if oneof.is_some() {
            self.fields.retain(|(other, _)| *other == place || plan.fields[*other].oneof != oneof);
        }
    }

    fn set(&mut self, place: usize, datum: Datum<'a>) {
        match self.find(place) {
            Ok(found) => self.fields[found].1 = datum,
            Err(gap) => self.fields.insert(gap, (place, datum)),
        }
    }

    /// What a field holds, or what it holds at first.
    fn entry(&mut self, place: usize, first: impl FnOnce() -> Datum<'a>) -> &mut Datum<'a> {
        let found = self.find(place).unwrap_or_else(|gap| {
            self.fields.insert(gap, (place, first()));
            gap
        });
        &mut self.fields[found].1
    }

    /// The message that a field holds.
    fn inner(&mut self, place: usize) -> &mut Message<'a> {
        let first = || Datum::Message(Message::default());
        let Datum::Message(inner) = self.entry(place, first) else {
            unreachable!("its plan says that it holds a message")
        };
        inner
    }

    /// The elements that a field holds.
    fn many(&mut self, place: usize) -> &mut Vec<Datum<'a>> {
        let Datum::Many(elements) = self.entry(place, || Datum::Many(Vec::new())) else {
            unreachable!("its plan says that it holds many")
        };
        elements
    }
}

/// One element of a list, or several that are packed into one field.
fn read_scalars<'a>(
    elements: &mut Vec<Datum<'a>>,
    scalar: Scalar,
    wire_type: WireType,
    rest: &mut &'a [u8],
) -> Result<(), WireError> {
    let own = wire_type_of(scalar);
    if wire_type != WireType::LengthDelimited || own == WireType::LengthDelimited {
        elements.push(read_scalar(scalar, wire_type, rest)?);
        return Ok(());
    }
    let mut packed = delimited(wire_type, rest)?;
    while !packed.is_empty() {
        elements.push(read_scalar(scalar, own, &mut packed)?);
    }
    Ok(())
}

fn wire_type_of(scalar: Scalar) -> WireType {
    match scalar {
        Scalar::Bool
        | Scalar::Int32
        | Scalar::Sint32
        | Scalar::Uint32
        | Scalar::Int64
        | Scalar::Sint64
        | Scalar::Uint64
        | Scalar::Enum(_) => WireType::Varint,
        Scalar::Sfixed32 | Scalar::Fixed32 | Scalar::Float => WireType::ThirtyTwoBit,
        Scalar::Sfixed64 | Scalar::Fixed64 | Scalar::Double => WireType::SixtyFourBit,
        Scalar::String | Scalar::Bytes => WireType::LengthDelimited,
    }
}

fn read_scalar<'a>(
    scalar: Scalar,
    wire_type: WireType,
    rest: &mut &'a [u8],
) -> Result<Datum<'a>, WireError> {
    // Each kind is read by the module of `prost` that is named after it.
    macro_rules! read {
        ($kind:ident) => {{
            let mut value = Default::default();
            encoding::$kind::merge(wire_type, &mut value, rest, DecodeContext::default())?;
            value
        }};
    }
    Ok(match scalar {
        Scalar::Bool => Datum::Bool(read!(bool)),
        Scalar::Int32 => Datum::Int32(read!(int32)),
        Scalar::Sint32 => Datum::Int32(read!(sint32)),
        Scalar::Sfixed32 => Datum::Int32(read!(sfixed32)),
        Scalar::Uint32 => Datum::Uint32(read!(uint32)),
        Scalar::Fixed32 => Datum::Uint32(read!(fixed32)),
        Scalar::Int64 => Datum::Int64(read!(int64)),
        Scalar::Sint64 => Datum::Int64(read!(sint64)),
        Scalar::Sfixed64 => Datum::Int64(read!(sfixed64)),
        Scalar::Uint64 => Datum::Uint64(read!(uint64)),
        Scalar::Fixed64 => Datum::Uint64(read!(fixed64)),
        Scalar::Float => Datum::Float(read!(float)),
        Scalar::Double => Datum::Double(read!(double)),
        Scalar::Enum(_) => Datum::Enum(read!(int32)),
        Scalar::String => {
            let bytes = delimited(wire_type, rest)?;
            Datum::Text(std::str::from_utf8(bytes).map_err(|_| WireError::Utf8)?)
        }
        Scalar::Bytes => Datum::Bytes(delimited(wire_type, rest)?),
    })
}

/// The bytes that follow their length. `prost` reads them too, but copies them.
fn delimited<'a>(wire_type: WireType, rest: &mut &'a [u8]) -> Result<&'a [u8], WireError> {
    check_wire_type(WireType::LengthDelimited, wire_type)?;
    let length = usize::try_from(decode_varint(rest)?).map_err(|_| WireError::Length)?;
    let (bytes, after) = rest.split_at_checked(length).ok_or(WireError::Length)?;
    *rest = after;
    Ok(bytes)
}
