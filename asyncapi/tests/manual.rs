//! `docs/catalog.md` held to what is read: its examples are one catalog, and its tables name every key and no other.
//!
//! What the reader knows it says itself, when it complains about a key that it does not know; of protobuf, the file of the
//! options says it. Read [`assert_named`] first.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use fanline_asyncapi::Catalog;
use fanline_asyncapi::catalog::{CatalogErrors, Source};

/// A key that nobody knows.
const UNKNOWN: &str = "nobody_knows_this";

#[test]
fn its_examples_are_one_catalog() {
    let manual = Manual::read();
    let catalog =
        manual.load(&manual.toml, &manual.json).unwrap_or_else(|errors| panic!("{errors}"));
    let events: Vec<_> = catalog.events().map(|event| event.name.as_str()).collect();
    assert_eq!(events, ["order.placed", "order.shipped"]);
}

#[test]
fn it_names_every_key_of_catalog_toml() {
    let manual = Manual::read();
    let top = manual.known_after(&manual.toml, "", &format!("{UNKNOWN} = 1\n"));
    let sections =
        manual.toml.lines().filter_map(|line| line.strip_prefix('[')?.split(['.', ']']).next());
    assert_eq!(top, sections.map(str::to_owned).collect());

    let line = format!("{UNKNOWN} = 1\n");
    let entry = format!("{UNKNOWN} = 1, ");
    for (table, place, key) in [
        ("`[info]`", "[info]\n", &line),
        ("`[channels.<id>]`", "[channels.order]\n", &line),
        ("`auth = { … }`", "auth = { ", &entry),
        ("`[channels.<id>.parameters.<name>]`", "[channels.order.parameters.order]\n", &line),
        ("`[enforcement]`", "[enforcement]\n", &line),
        ("`[compatibility]`", "[compatibility]\n", &line),
    ] {
        let known = manual.known_after(&manual.toml, place, key);
        assert_named(&manual, table, 0, &known);
    }
}

#[test]
fn it_names_every_key_of_an_event_type() {
    let manual = Manual::read();
    let member = format!("\"{UNKNOWN}\": 1, ");
    for (table, place) in
        [("`x-fanline`", "\"x-fanline\": {"), ("An example in `x-fanline`", "\"examples\": [{")]
    {
        let known = manual.known_after(&manual.json, place, &member);
        assert_named(&manual, table, 0, &known);
    }
    let options = read("asyncapi/proto/fanline/catalog/v1/options.proto");
    for (table, message) in
        [("`x-fanline`", "EventOptions"), ("An example in `x-fanline`", "Example")]
    {
        assert_named(&manual, table, 1, &fields(&options, message));
    }
}

/// The column of the table has these names, and no others.
fn assert_named(manual: &Manual, table: &str, column: usize, known: &BTreeSet<String>) {
    assert!(!known.is_empty(), "{table}");
    let named: BTreeSet<String> = manual.column(table, column).collect();
    assert_eq!(&named, known, "the table {table} of docs/catalog.md, then what is read");
}

/// `docs/catalog.md`, with its three examples.
struct Manual {
    text: String,
    toml: String,
    json: String,
    proto: String,
}

impl Manual {
    fn read() -> Self {
        let text = read("docs/catalog.md");
        let block = |language: &str| {
            let (_, rest) = text.split_once(&format!("```{language}\n")).expect(language);
            rest.split("```").next().unwrap_or_default().to_owned()
        };
        Manual { toml: block("toml"), json: block("json"), proto: block("proto"), text }
    }

    fn load(&self, toml: &str, json: &str) -> Result<Catalog, CatalogErrors> {
        Catalog::load(&Source::of(
            "catalog",
            [
                ("catalog.toml", toml),
                ("jsonschema/order.placed.json", json),
                ("proto/shop/v1/shop.proto", &self.proto),
            ],
        ))
    }

    /// The keys that the reader says it knows at a place of one of the two files, where an unknown one is put.
    fn known_after(&self, file: &str, place: &str, unknown: &str) -> BTreeSet<String> {
        let changed = file.replacen(place, &format!("{place}{unknown}"), 1);
        assert_ne!(changed, file, "{place}");
        let (toml, json) =
            if file == self.toml { (&changed, &self.json) } else { (&self.toml, &changed) };
        let errors = self.load(toml, json).expect_err("the key is unknown");
        let complaint = errors.to_string();
        let (_, known) = complaint.split_once("expected").expect("it says what is known");
        known.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    /// The names in a column of a table, which its first head cell tells. Cells that begin otherwise name none.
    fn column(&self, table: &str, column: usize) -> impl Iterator<Item = String> {
        let rows =
            self.text.lines().skip_while(move |line| !line.starts_with(&format!("| {table} |")));
        rows.skip(2).take_while(|line| line.starts_with('|')).filter_map(move |row| {
            let cell = row.split('|').nth(column + 1)?.trim();
            Some(cell.strip_prefix('`')?.split('`').next()?.to_owned())
        })
    }
}

/// The fields of a message in a text of protobuf.
fn fields(proto: &str, message: &str) -> BTreeSet<String> {
    let (_, body) = proto.split_once(&format!("message {message} {{\n")).expect(message);
    let lines = body.lines().take_while(|line| *line != "}");
    let name = |line: &str| Some(line.split_once(" = ")?.0.split(' ').next_back()?.to_owned());
    lines.filter(|line| !line.trim_start().starts_with("//")).filter_map(name).collect()
}

/// A file of the project.
fn read(path: &str) -> String {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
