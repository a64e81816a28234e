//! Comparing protobuf messages as they are on the wire, which their JSON form does not show.

use super::finding::{Class, Finding, Side};
use crate::Catalog;
use crate::catalog::EventDefinition;
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use std::collections::BTreeSet;

pub(super) fn compare(
    (old_catalog, old): (&Catalog, &EventDefinition),
    (new_catalog, new): (&Catalog, &EventDefinition),
    findings: &mut Vec<Finding>,
) {
    match (message_of(old_catalog, old), message_of(new_catalog, new)) {
        (Some(old_message), Some(new_message)) => {
            let mut walk = Walk { subject: &old.name, seen: BTreeSet::new(), findings };
            walk.compare(&old_message, &new_message);
        }
        // A catalog read from a document knows the name of the message, not its fields.
        (Some(message), None) if new.message.is_none() => {
            let text = "protobuf bodies are not taken any more";
            let finding =
                Finding::new(&old.name, Side::Publish, Class::Breaking, "protobuf-dropped", text);
            findings.push(finding.with_witness(message.full_name(), "no such message"));
        }
        (Some(_) | None, _) => {}
    }
}

fn message_of(catalog: &Catalog, event: &EventDefinition) -> Option<MessageDescriptor> {
    catalog.descriptors.as_ref()?.get_message_by_name(event.message.as_deref()?)
}

struct Walk<'a> {
    subject: &'a str,
    seen: BTreeSet<String>,
    findings: &'a mut Vec<Finding>,
}

impl Walk<'_> {
    fn compare(&mut self, old: &MessageDescriptor, new: &MessageDescriptor) {
        if !self.seen.insert(old.full_name().to_owned()) {
            return;
        }
        for field in old.fields() {
            match new.get_field(field.number()) {
                Some(newer) => self.compare_field(&field, &newer),
                None => self.removed(&field, new),
            }
        }
    }

    fn compare_field(&mut self, old: &FieldDescriptor, new: &FieldDescriptor) {
        let number = old.number();
        if wire_kind(&old.kind()) != wire_kind(&new.kind()) || old.is_list() != new.is_list() {
            let message = format!(
                "field {number} of `{}` is of another kind on the wire",
                old.parent_message().full_name()
            );
            self.breaking("wire-type-changed", message, old);
        } else if let (Kind::Message(old), Kind::Message(new)) = (old.kind(), new.kind()) {
            self.compare(&old, &new);
        }
    }

    fn removed(&mut self, old: &FieldDescriptor, message: &MessageDescriptor) {
        if message.get_field_by_name(old.name()).is_some() {
            let text =
                format!("field `{}` of `{}` has another number", old.name(), message.full_name());
            self.breaking("field-renumbered", text, old);
        } else if !message.reserved_ranges().any(|range| range.contains(&old.number())) {
            let text = format!(
                "field {} of `{}` is gone and its number is free: write `reserved {};`, so that nobody gives it another meaning",
                old.number(),
                message.full_name(),
                old.number()
            );
            self.findings.push(Finding::new(
                self.subject,
                Side::Publish,
                Class::Risky,
                "number-not-reserved",
                text,
            ));
        }
    }

    fn breaking(&mut self, rule: &'static str, message: String, field: &FieldDescriptor) {
        let finding = Finding::new(self.subject, Side::Publish, Class::Breaking, rule, message);
        let was = format!("{} = {}", field.name(), field.number());
        self.findings.push(finding.with_witness(was, "read as something else, or not at all"));
    }
}

/// Kinds that are read from each other's bytes without a change of the value.
fn wire_kind(kind: &Kind) -> String {
    match kind {
        Kind::Enum(values) => values.full_name().to_owned(),
        Kind::Message(message) => message.full_name().to_owned(),
        Kind::Int32 | Kind::Int64 => "int".to_owned(),
        Kind::Uint32 | Kind::Uint64 => "uint".to_owned(),
        Kind::Sint32 | Kind::Sint64 => "sint".to_owned(),
        Kind::Double
        | Kind::Float
        | Kind::Fixed32
        | Kind::Fixed64
        | Kind::Sfixed32
        | Kind::Sfixed64
        | Kind::Bool
        | Kind::String
        | Kind::Bytes => format!("{kind:?}"),
    }
}
