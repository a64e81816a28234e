//! Descriptors, compiled: all that reading and writing a message asks of its type, in flat tables.
//!
//! A descriptor answers the same questions, but through shared and hashed structures at each step. Read [`Plans`] first.

use super::well_known::Form;
use prost_reflect::{DescriptorPool, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use std::collections::HashMap;
use std::sync::Arc;

/// All message types of a catalog, which refer to one another by their index here.
#[derive(Debug)]
pub(crate) struct Plans {
    messages: Vec<MessagePlan>,
    enums: Vec<EnumPlan>,
    /// By full name, for what is found by name only at run time.
    by_name: HashMap<String, MessageIndex>,
}

/// The place of a message type in [`Plans`].
#[derive(Clone, Copy, Debug)]
pub(super) struct MessageIndex(usize);

/// The place of an enum in [`Plans`].
#[derive(Clone, Copy, Debug)]
pub(super) struct EnumIndex(usize);

/// A message type.
#[derive(Debug)]
pub(super) struct MessagePlan {
    /// Its full name.
    pub(super) name: String,
    /// How its JSON looks.
    pub(super) form: Form,
    /// In the order of their numbers.
    pub(super) fields: Vec<FieldPlan>,
}

/// A field.
#[derive(Debug)]
pub(super) struct FieldPlan {
    /// Its number on the wire.
    pub(super) number: u32,
    /// Its name in JSON.
    pub(super) name: String,
    pub(super) shape: Shape,
    /// What it holds, or each of its elements.
    pub(super) kind: FieldKind,
    /// Whether it can be there with its default value. Where it cannot, a default means that it is not there.
    pub(super) has_presence: bool,
    /// Of fields with the same number here, only the last one on the wire is there.
    pub(super) oneof: Option<usize>,
}

/// How many of its kind a field holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Shape {
    One,
    List,
    /// The kind is that of its entries, whose fields 1 and 2 are the key and the value.
    Map,
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum FieldKind {
    Scalar(Scalar),
    Message(MessageIndex),
}

/// What is a value by itself.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scalar {
    Bool,
    Int32,
    Sint32,
    Sfixed32,
    Uint32,
    Fixed32,
    Int64,
    Sint64,
    Sfixed64,
    Uint64,
    Fixed64,
    Float,
    Double,
    String,
    Bytes,
    Enum(EnumIndex),
}

/// An enum.
#[derive(Debug)]
pub(super) struct EnumPlan {
    /// In the order of their numbers.
    values: Vec<(i32, String)>,
    /// `google.protobuf.NullValue`, whose one value is JSON's `null`.
    pub(super) is_null: bool,
}

impl Plans {
    /// Compiles all types of a pool.
    pub(crate) fn new(pool: &DescriptorPool) -> Arc<Self> {
        let index = |(index, message): (usize, MessageDescriptor)| {
            (message.full_name().to_owned(), MessageIndex(index))
        };
        let by_name = pool.all_messages().enumerate().map(index).collect();
        let index = |(index, values): (usize, EnumDescriptor)| {
            (values.full_name().to_owned(), EnumIndex(index))
        };
        let enums_by_name = pool.all_enums().enumerate().map(index).collect();
        let names = Names { messages: &by_name, enums: &enums_by_name };
        Arc::new(Plans {
            messages: pool.all_messages().map(|each| MessagePlan::new(&each, &names)).collect(),
            enums: pool.all_enums().map(|each| EnumPlan::new(&each)).collect(),
            by_name,
        })
    }

    pub(super) fn find(&self, full_name: &str) -> Option<MessageIndex> {
        self.by_name.get(full_name).copied()
    }

    pub(super) fn message(&self, index: MessageIndex) -> &MessagePlan {
        &self.messages[index.0]
    }

    pub(super) fn enumeration(&self, index: EnumIndex) -> &EnumPlan {
        &self.enums[index.0]
    }
}

/// Where each type stands, while plans are made.
struct Names<'a> {
    messages: &'a HashMap<String, MessageIndex>,
    enums: &'a HashMap<String, EnumIndex>,
}

impl MessagePlan {
    fn new(message: &MessageDescriptor, names: &Names<'_>) -> Self {
        let mut fields: Vec<_> =
            message.fields().map(|field| FieldPlan::new(&field, names)).collect();
        fields.sort_by_key(|field| field.number);
        MessagePlan {
            name: message.full_name().to_owned(),
            form: Form::of(message.full_name()),
            fields,
        }
    }

    /// The place among its fields of the one with this number.
    pub(super) fn position(&self, number: u32) -> Option<usize> {
        // Most messages count their fields from 1 without a gap.
        let guess = (number as usize).wrapping_sub(1);
        if self.fields.get(guess).is_some_and(|field| field.number == number) {
            return Some(guess);
        }
        self.fields.binary_search_by_key(&number, |field| field.number).ok()
    }
}

impl FieldPlan {
    fn new(field: &FieldDescriptor, names: &Names<'_>) -> Self {
        let shape = if field.is_map() {
            Shape::Map
        } else if field.is_list() {
            Shape::List
        } else {
            Shape::One
        };
        let oneof = field.containing_oneof().filter(|oneof| !oneof.is_synthetic());
        let numbers = |oneof: prost_reflect::OneofDescriptor| {
            let of_message = field.parent_message();
            of_message.oneofs().position(|other| other.full_name() == oneof.full_name())
        };
        FieldPlan {
            number: field.number(),
            name: field.json_name().to_owned(),
            shape,
            kind: FieldKind::new(&field.kind(), names),
            has_presence: field.supports_presence(),
            oneof: oneof.and_then(numbers),
        }
    }
}

impl FieldKind {
    fn new(kind: &Kind, names: &Names<'_>) -> Self {
        FieldKind::Scalar(match kind {
            Kind::Bool => Scalar::Bool,
            Kind::Int32 => Scalar::Int32,
            Kind::Sint32 => Scalar::Sint32,
            Kind::Sfixed32 => Scalar::Sfixed32,
            Kind::Uint32 => Scalar::Uint32,
            Kind::Fixed32 => Scalar::Fixed32,
            Kind::Int64 => Scalar::Int64,
            Kind::Sint64 => Scalar::Sint64,
            Kind::Sfixed64 => Scalar::Sfixed64,
            Kind::Uint64 => Scalar::Uint64,
            Kind::Fixed64 => Scalar::Fixed64,
            Kind::Float => Scalar::Float,
            Kind::Double => Scalar::Double,
            Kind::String => Scalar::String,
            Kind::Bytes => Scalar::Bytes,
            Kind::Enum(values) => Scalar::Enum(names.enums[values.full_name()]),
            Kind::Message(message) => {
                return FieldKind::Message(names.messages[message.full_name()]);
            }
        })
    }
}

impl EnumPlan {
    fn new(values: &EnumDescriptor) -> Self {
        let mut named: Vec<(i32, String)> =
            values.values().map(|value| (value.number(), value.name().to_owned())).collect();
        // Of several names for one number, the first that was written.
        named.sort_by_key(|(number, _)| *number);
        named.dedup_by_key(|(number, _)| *number);
        EnumPlan { values: named, is_null: values.full_name() == "google.protobuf.NullValue" }
    }

    /// The name of a value. None: open enums allow numbers without one.
    pub(super) fn name(&self, number: i32) -> Option<&str> {
        let place = self.values.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        Some(&self.values[place].1)
    }
}
