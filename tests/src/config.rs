//! The configuration that tests start from, and changes to it.

use toml::{Table, Value};

use crate::api_key::ApiKey;
use crate::token::{AUDIENCE, CLIENT_SECRET, ISSUER, RS256_PUBLIC_KEY_PATH, SERVICE_SECRET};

/// A hub on free ports with the memory broker, three signing keys and a namespace for each habit:
///
/// * `chat`: needs a token, shows presence
/// * `news`: needs a token, silent about members
/// * `brief`: like `news`, with a history of ten events
/// * `live`: like `news`, without history
/// * `plaza`: open to anyone
/// * `club`: open to whoever has a user
/// * `vault`: open to nobody
pub(crate) fn base() -> Table {
    let text = format!(
        r#"
        [public]
        listen = "127.0.0.1:0"
        allowed_origins = ["https://app.example.com"]
        [grpc]
        listen = "127.0.0.1:0"
        [ops]
        listen = "127.0.0.1:0"
        [broker]
        kind = "memory"
        [tokens]
        issuer = "{ISSUER}"
        audience = "{AUDIENCE}"
        [[tokens.keys]]
        kid = "client"
        algorithm = "HS256"
        secret = "{CLIENT_SECRET}"
        use = "client"
        [[tokens.keys]]
        kid = "rsa"
        algorithm = "RS256"
        public_key = "file:{RS256_PUBLIC_KEY_PATH}"
        use = "client"
        [[tokens.keys]]
        kid = "service"
        algorithm = "HS256"
        secret = "{SERVICE_SECRET}"
        use = "service"
        [namespaces.chat]
        presence = true
        history_size = 1000
        [namespaces.news]
        history_size = 1000
        [namespaces.brief]
        history_size = 10
        [namespaces.live]
        history_size = 0
        [namespaces.plaza]
        subscribe = "anyone"
        publish = "anyone"
        [namespaces.club]
        subscribe = "authenticated"
        publish = "authenticated"
        [namespaces.vault]
        subscribe = "nobody"
        publish = "nobody"
        "#
    );
    let mut table: Table = text.parse().expect("the text above is TOML");
    add_api_key(&mut table, &ApiKey::all());
    table
}

/// Sets the key at a dotted path, making the sections on the way.
pub(crate) fn set(table: &mut Table, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            table.insert(path.to_owned(), value);
        }
        Some((section, rest)) => {
            let section = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            let section =
                section.as_table_mut().unwrap_or_else(|| panic!("{path} leads through a value"));
            set(section, rest, value);
        }
    }
}

/// Takes the key at a dotted path out.
pub(crate) fn unset(table: &mut Table, path: &str) {
    match path.split_once('.') {
        None => {
            table.remove(path);
        }
        Some((section, rest)) => {
            if let Some(section) = table.get_mut(section).and_then(Value::as_table_mut) {
                unset(section, rest);
            }
        }
    }
}

/// Appends to `[[api_keys]]`.
pub(crate) fn add_api_key(table: &mut Table, key: &ApiKey) {
    table
        .entry("api_keys")
        .or_insert_with(|| Value::Array(Vec::new()))
        .as_array_mut()
        .expect("api_keys is an array")
        .push(Value::Table(key.entry()));
}
