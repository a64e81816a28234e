//! From messages with the option `(fanline.catalog.v1.event)` to event types.

use super::comments;
use super::compile::{FOLDER, compile};
use super::mapping::Mapping;
use crate::catalog::event::{EventDefinition, Example, Publisher};
use crate::catalog::manifest::is_id;
use crate::catalog::schema::Schema;
use crate::catalog::source::{Place, Source};
use crate::catalog::{CatalogError, Enforcement};
use crate::json;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, Value as Proto};

/// What the files say.
#[derive(Default)]
pub(in crate::catalog) struct Found {
    pub(in crate::catalog) events: Vec<EventDefinition>,
    pub(in crate::catalog) schemas: Vec<Schema>,
    /// For reading protobuf bodies. None: there are no proto files.
    pub(in crate::catalog) descriptors: Option<DescriptorPool>,
}

/// Reads all files of the folder; complaints go to `errors`.
pub(in crate::catalog) fn read(source: &Source, errors: &mut Vec<CatalogError>) -> Found {
    let Some(pool) = compile(source, errors) else { return Found::default() };
    let Some(option) = pool.get_extension_by_name("fanline.catalog.v1.event") else {
        let place = source.place(FOLDER.trim_end_matches('/'), 0);
        let message = "no file imports \"fanline/catalog/v1/options.proto\", so no message is an event type; import it and write `option (fanline.catalog.v1.event) = {...}` in one";
        errors.push(CatalogError::new(place, message));
        return Found::default();
    };
    let mut complaints = Vec::new();
    let mut mapping = Mapping::new(source, &mut complaints);
    let mut events = Vec::new();
    let messages = pool.all_messages();
    for message in messages.filter(|message| message.options().has_extension(&option)) {
        mapping.message(&message);
        let block = message.options().get_extension(&option).as_message().cloned();
        let place = comments::place(source, &message.parent_file(), message.path());
        match block.map(|block| event(&message, &block, place)) {
            Some(Ok(event)) => events.push(event),
            Some(Err(error)) => errors.push(error),
            None => {}
        }
    }
    let schemas = mapping.into_schemas();
    errors.append(&mut complaints);
    Found { events, schemas, descriptors: Some(pool) }
}

fn event(
    message: &MessageDescriptor,
    block: &DynamicMessage,
    place: Place,
) -> Result<EventDefinition, CatalogError> {
    let name = text(block, "type").unwrap_or_default();
    if !is_id(&name) {
        let message = format!(
            "`type: \"{name}\"` cannot be the name of an event type: use letters, digits, '_', '-' and '.'"
        );
        return Err(CatalogError::new(place, message));
    }
    let mut examples = Vec::new();
    for (index, example) in list(block, "examples").iter().filter_map(Proto::as_message).enumerate()
    {
        let name = text(example, "name").unwrap_or_else(|| format!("example {}", index + 1));
        let data = text(example, "data_json").unwrap_or_default();
        let data = json::parse(data.as_bytes()).map_err(|fault| {
            let message = format!("`data_json` of example `{name}` is no JSON: {}", fault.message);
            CatalogError::new(place.clone(), message)
        })?;
        examples.push(Example { name, summary: text(example, "summary"), data });
    }
    let texts = |name| {
        list(block, name).iter().filter_map(|text| Some(text.as_str()?.to_owned())).collect()
    };
    Ok(EventDefinition {
        title: text(block, "title").unwrap_or_else(|| spaced(message.name())),
        summary: text(block, "summary"),
        description: comments::comment(&message.parent_file(), message.path()),
        channels: texts("channels"),
        publisher: match number(block, "publisher") {
            1 => Publisher::Client,
            2 => Publisher::Backend,
            _ => Publisher::Any,
        },
        owner: text(block, "owner"),
        tags: texts("tags"),
        since: text(block, "since"),
        deprecated: text(block, "deprecated"),
        enforcement: match number(block, "enforcement") {
            1 => Some(Enforcement::Strict),
            2 => Some(Enforcement::Warn),
            3 => Some(Enforcement::Off),
            _ => None,
        },
        examples,
        schema: message.full_name().to_owned(),
        message: Some(message.full_name().to_owned()),
        place,
        name,
    })
}

/// A text that is there.
fn text(block: &DynamicMessage, name: &str) -> Option<String> {
    let value = block.get_field_by_name(name)?;
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn list(block: &DynamicMessage, name: &str) -> Vec<Proto> {
    let value = block.get_field_by_name(name);
    value.and_then(|value| value.as_list().map(<[Proto]>::to_vec)).unwrap_or_default()
}

fn number(block: &DynamicMessage, name: &str) -> i32 {
    block.get_field_by_name(name).and_then(|value| value.as_enum_number()).unwrap_or_default()
}

/// `OrderShipped` as `Order shipped`.
fn spaced(name: &str) -> String {
    let mut spaced = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !spaced.is_empty() {
            spaced.push(' ');
            spaced.push(letter.to_ascii_lowercase());
        } else {
            spaced.push(letter);
        }
    }
    spaced
}
