//! A catalog as large as a big company's, to see what holds at that size.

use serde_json::json;

/// The files of a catalog with 20 channels and 10 event types on each, by path.
pub fn big_catalog() -> Vec<(String, String)> {
    const CHANNELS: usize = 20;
    const EVENTS: usize = 10;
    let mut manifest = String::from("[info]\ntitle = \"Big catalog\"\nversion = \"7.1.0\"\n");
    let mut files = Vec::new();
    for channel in 0..CHANNELS {
        manifest += &format!(
            "[channels.area{channel}]\naddress = \"area{channel}:{{id}}\"\ntitle = \"Area {channel}\"\n\
             description = \"What happens in area {channel}.\"\n\
             [channels.area{channel}.parameters.id]\npattern = \"[a-z0-9]{{1,32}}\"\nexamples = [\"a1\"]\n"
        );
        for event in 0..EVENTS {
            let name = format!("area{channel}.thing{event}.changed");
            files.push((format!("jsonschema/{name}.json"), schema(channel, &name)));
        }
    }
    files.push(("catalog.toml".to_owned(), manifest));
    files
}

fn schema(channel: usize, name: &str) -> String {
    let data = json!({
        "thing_id": "t-1", "kind": "new", "amount": { "currency": "EUR", "value": 12.5 },
        "lines": [{ "sku": "a", "count": 2 }], "labels": { "colour": "red" },
    });
    let schema = json!({
        "title": name,
        "description": "Something changed, and this is **all** that is known of it: see `kind`.",
        "x-fanline": {
            "type": name, "channels": [format!("area{channel}")], "summary": "Something changed.",
            "owner": "team-area", "tags": ["area", "change"],
            "examples": [{ "name": "usual", "data": data }, { "name": "least", "data": { "thing_id": "t", "kind": "gone" } }],
        },
        "type": "object",
        "required": ["thing_id", "kind"],
        "properties": {
            "thing_id": { "type": "string", "minLength": 1, "maxLength": 64, "description": "Which thing." },
            "kind": { "enum": ["new", "changed", "gone"], "description": "What happened to it." },
            "amount": {
                "type": "object", "description": "What it costs.", "required": ["currency", "value"],
                "properties": {
                    "currency": { "type": "string", "pattern": "^[A-Z]{3}$" },
                    "value": { "type": "number", "minimum": 0 },
                },
            },
            "lines": {
                "type": "array", "maxItems": 100, "description": "Its parts.",
                "items": {
                    "type": "object", "required": ["sku"],
                    "properties": {
                        "sku": { "type": "string", "description": "Which part." },
                        "count": { "type": "integer", "minimum": 1 },
                    },
                },
            },
            "labels": { "type": "object", "additionalProperties": { "type": "string" } },
            "note": { "type": ["string", "null"], "description": "What somebody wrote on it." },
        },
    });
    schema.to_string()
}
