//! The schema and the parser agree: on every key, on what is good, and on what is not. Read [`is_good`] first, which asks both.

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, iter};

use super::*;
use crate::config::load::Loaded;
use crate::config::manual::{filled_in, manual};
use crate::config::text;

/// What the parser and the schema say of a configuration, which must be the same.
fn is_good(text: &str) -> bool {
    let read = Loaded::from_text(text, "fanline.toml", Path::new(""), iter::empty());
    let obeys = validator().is_valid(&json_of(text));
    assert_eq!(read.is_ok(), obeys, "the parser first, then the schema:\n{text}\n{read:?}");
    obeys
}

fn validator() -> jsonschema::Validator {
    let schema = serde_json::from_str(&schema()).unwrap();
    jsonschema::draft202012::new(&schema).unwrap()
}

fn json_of(text: &str) -> Value {
    serde_json::to_value(text.parse::<toml::Table>().unwrap()).unwrap()
}

#[test]
fn it_is_a_schema_of_its_draft() {
    let schema = serde_json::from_str(&schema()).unwrap();
    jsonschema::draft202012::meta::validate(&schema).unwrap();
}

#[test]
fn the_manual_obeys_it_as_it_stands_and_with_every_key_filled_in() {
    assert!(is_good(&manual()));
    assert!(is_good(&filled_in()));
}

#[test]
fn every_key_that_the_parser_knows_is_in_it_and_no_other() {
    let read = Loaded::from_text(&filled_in(), "", Path::new(""), iter::empty());
    // The parser's keys: what was read is written out again, whole.
    let written = serde_json::to_value(read.unwrap().config()).unwrap();
    let mut parsed = BTreeSet::new();
    keys_of_value("", &written, &mut parsed);
    let mut known = BTreeSet::new();
    keys_of_schema("", &serde_json::from_str(&schema()).unwrap(), &mut known);
    assert_eq!(parsed, known);
}

fn keys_of_value(path: &str, value: &Value, keys: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                // Names that whoever configures the hub chooses.
                let name = match path {
                    ".namespaces" | ".handlers" | ".handlers.*.metadata" => "*",
                    _ => name,
                };
                keys_of_value(&format!("{path}.{name}"), value, keys);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            items.iter().for_each(|item| keys_of_value(path, item, keys));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            keys.insert(path.to_owned());
        }
    }
}

fn keys_of_schema(path: &str, schema: &Value, keys: &mut BTreeSet<String>) {
    let items = &schema["items"];
    if let Some(properties) = schema["properties"].as_object() {
        for (name, schema) in properties {
            keys_of_schema(&format!("{path}.{name}"), schema, keys);
        }
    } else if schema["additionalProperties"].is_object() {
        keys_of_schema(&format!("{path}.*"), &schema["additionalProperties"], keys);
    } else if items["properties"].is_object() {
        keys_of_schema(path, items, keys);
    } else {
        keys.insert(path.to_owned());
    }
}

#[test]
fn what_is_misspelled_or_of_another_kind_obeys_neither() {
    for wrong in [
        "[pubilc]\n",
        "[drain]\nwindwo = \"1s\"\n",
        "[namespaces.chat]\nhistroy_size = 1\n",
        "[[tokens.keys]]\nsecert = \"x\"\n",
        "[handlers.\"a.*\"]\nurl = 1\n",
        "[handlers.\"a.*\"]\nmetadata = { a = 1 }\n",
        "[drain]\nwindow = 30\n",
        "[limits]\nframe_bytes = \"128KB\"\n",
        "[limits]\nframe_bytes = 1.5\n",
        "[limits]\nring_events = -1\n",
        "[limits]\nhttp2_streams = 4294967296\n",
        "[telemetry]\nsample_ratio = 1.5\n",
        "[telemetry]\nsample_ratio = \"half\"\n",
        "[public]\nlisten = \"8080\"\n",
        "[public]\nquery_token = \"yes\"\n",
        "[public]\nallowed_origins = \"https://a.example\"\n",
        "[broker]\nkind = \"radish\"\n",
        "[broker]\ndurability = \"wait:0\"\n",
        "[namespaces.chat]\npresence = 1\n",
        "[namespaces.chat]\nsubscribe = \"members\"\n",
        "[[tokens.keys]]\nalgorithm = \"none\"\n",
    ] {
        assert!(!is_good(wrong), "{wrong}");
    }
}

#[test]
fn a_value_has_the_forms_that_the_parser_reads() {
    let durations = [
        "25s",
        "5m",
        "250ms",
        "1h 30m",
        "1h30m",
        "1.5h",
        "2 weeks",
        "1M",
        "30",
        "-1s",
        "10 parsecs",
        "",
    ];
    let sizes =
        ["64KiB", "1 MiB", "3GiB", "12B", "64", "64KB", "64kib", "-1B", "1.5MiB", "KiB", ""];
    let addresses = [
        "127.0.0.1:8080",
        "0.0.0.0:0",
        "[::]:8080",
        "[fe80::1%2]:80",
        "8080",
        ":8080",
        "localhost:1",
    ];
    let durabilities = ["volatile", "aof_always", "wait:1", "wait:20", "wait:0", "wait:", "always"];
    let cases = [
        ("drain", "window", &durations[..]),
        ("limits", "ring_bytes", &sizes),
        ("ops", "listen", &addresses),
        ("broker", "durability", &durabilities),
    ];
    let mut good = 0;
    for (section, key, texts) in cases {
        for text in texts {
            good += usize::from(is_good(&format!("[{section}]\n{key} = \"{text}\"\n")));
        }
    }
    assert_eq!(good, 8 + 4 + 4 + 4);
}

#[test]
fn a_key_says_what_it_means_how_it_is_written_and_what_it_is_without() {
    let schema: Value = serde_json::from_str(&schema()).unwrap();
    assert_eq!(
        schema["properties"]["drain"]["properties"]["window"],
        json!({
            "description": "Time over which the closes are spread.\n\nA duration up to 100 years, such as \"25s\", \"5m\" or \"250ms\".",
            "type": "string",
            "pattern": <text::DurationText as text::Written>::PATTERN,
            "default": "30s",
        })
    );
}

/// Every piece of configuration that the documents of the project show.
#[test]
fn what_the_documents_show_obeys_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut shown = 0;
    for folder in [root.clone(), root.join("docs")] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            // What a catalog looks like is another matter.
            if path.extension().is_some_and(|extension| extension == "md")
                && !path.ends_with("catalog.md")
            {
                for block in blocks(&fs::read_to_string(&path).unwrap()) {
                    assert!(is_good(&block), "{}:\n{block}", path.display());
                    shown += 1;
                }
            }
        }
    }
    assert!(shown > 0, "no document shows a configuration any more");
    let dev = include_str!("../../commands/dev.toml");
    assert!(is_good(dev), "{dev}");
}

/// The TOML in a text of Markdown.
fn blocks(markdown: &str) -> Vec<String> {
    let parts = markdown.split("```toml\n").skip(1);
    parts.map(|part| part.split("```").next().unwrap_or_default().to_owned()).collect()
}
