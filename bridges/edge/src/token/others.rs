//! The claims that mean nothing to the hub and something to backends: they go with a client's commands.

use fanline_core::command::Claims;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Claims that RFC 7519, section 4.1 registers, and those that are for the hub.
const OURS: [&str; 9] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "channels", "methods"];

/// All others of a token's claims, by name: a string as it is, anything else as its JSON. Of a doubled one the last counts.
pub(super) fn read(json: &[u8]) -> Claims {
    let claims: BTreeMap<Cow<'_, str>, &RawValue> =
        serde_json::from_slice(json).unwrap_or_default();
    let others = claims.into_iter().filter(|(name, _)| !OURS.contains(&name.as_ref()));
    others.map(|(name, value)| (name.into(), text(value))).collect()
}

fn text(value: &RawValue) -> Box<str> {
    let string = serde_json::from_str::<String>(value.get());
    string.map_or_else(|_not_a_string| value.get().into(), String::into_boxed_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_hub_does_not_read_is_kept_as_text() {
        let json = br#"{"sub":"ada","exp":1,"jti":"t","channels":{},"methods":[],"role":"ad\"min","level":7,"n":null,
            "info":{"name": "Ada"}}"#;
        let claims = read(json);
        let shown: Vec<(&str, &str)> =
            claims.iter().map(|(name, text)| (&**name, &**text)).collect();
        let expected =
            [("info", r#"{"name": "Ada"}"#), ("level", "7"), ("n", "null"), ("role", "ad\"min")];
        assert_eq!(shown, expected);
        assert!(read(br#"{"sub":"ada"}"#).is_empty());
    }
}
