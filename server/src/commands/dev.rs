//! `fanline dev`: a hub in memory to try things with, its keys thrown away with it.

use std::env;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use fanline_core::clock::SystemClock;
use fanline_core::random::Random;
use serde_json::json;

use crate::config::{BrokerSettings, ConfigOrigin, Loaded};
use crate::lifecycle::Signals;
use crate::mint::{Mint, grants};
use crate::new_key::NewKey;
use crate::node::{Addresses, Extras, Node};
use crate::telemetry;

const PRESET: &str = include_str!("dev.toml");
/// A working day, and then some.
const TOKEN_TTL: Duration = Duration::from_secs(12 * 3600);
/// What the printed lines publish.
const DATA: &str = r#"{"text":"hello"}"#;

pub(super) async fn run() -> Result<ExitCode> {
    let random = Random::from_system().context("there is no randomness")?;
    let api_key = NewKey::random(&random);
    let origin = ConfigOrigin::Preset { text: preset(&random, &api_key), name: "fanline dev" };
    let loaded = origin.load()?;
    let token = token(&loaded)?;
    let settings = loaded.settings()?;
    let spans = telemetry::start(&settings.telemetry)?;
    // The environment may have chosen another one.
    let place = match &settings.broker {
        BrokerSettings::Memory => "in memory",
        BrokerSettings::Redis(_) => "on Redis",
    };

    let signals = Signals::take().context("signals cannot be taken over")?;
    let extras = Extras { console_token: Some(token.clone()), watch_catalog: true };
    let node = Node::start(settings, origin, extras, spans)?;
    let greeting = greeting(place, &node.addresses(), &token, &api_key.key, &program());
    write!(io::stdout(), "{greeting}")?;
    Ok(node.run(signals).await.into())
}

/// The preset with keys of this start.
fn preset(random: &Random, api_key: &NewKey) -> String {
    let secret = BASE64.encode(random.bytes::<32>());
    let hash = &api_key.hash;
    format!(
        r#"{PRESET}
[[tokens.keys]]
kid = "dev"
algorithm = "HS256"
secret = "{secret}"

[[api_keys]]
name = "dev"
hash = "{hash}"
scopes = ["publish", "subscribe", "presence", "history", "connections", "commands", "catalog"]
channels = ["*"]
"#
    )
}

/// A token that may do everything.
fn token(loaded: &Loaded) -> Result<String> {
    let key = loaded.client_key().context("the environment took away the key that signs tokens")?;
    let everywhere = ["*".to_owned()];
    let actions = ["subscribe", "publish", "presence", "history"]
        .map(|action| (action, everywhere.as_slice()));
    let mut claims = serde_json::Map::new();
    claims.insert("sub".to_owned(), "dev".into());
    claims.insert("info".to_owned(), json!({ "name": "Dev" }));
    claims.insert("channels".to_owned(), grants(&actions));
    Mint::new(key, Path::new(""))?.sign(claims, TOKEN_TTL, &SystemClock::start())
}

/// How this very program is called from a shell that stands where we do: after `cargo run` it is on no search path.
fn program() -> String {
    const NAME: &str = "fanline";
    let (Ok(program), Ok(here)) = (env::current_exe(), env::current_dir()) else {
        return NAME.to_owned();
    };
    let search_path = env::var_os("PATH").unwrap_or_default();
    if env::split_paths(&search_path).any(|folder| folder.join(NAME) == program) {
        return NAME.to_owned();
    }
    let path = match program.strip_prefix(here) {
        Ok(below) => Path::new(".").join(below),
        Err(_elsewhere) => program,
    };
    let path = path.display().to_string();
    if path.contains(char::is_whitespace) { format!("'{path}'") } else { path }
}

/// What a newcomer reads: where things are, and what to paste next.
fn greeting(
    place: &str,
    addresses: &Addresses,
    token: &str,
    api_key: &str,
    program: &str,
) -> String {
    let Addresses { public, grpc, ops } = addresses;
    let publication =
        json!({ "channel": "chat:lobby", "type": "message", "data": BASE64.encode(DATA) });
    format!(
        r#"
  Fanline is running, {place} and with throw-away keys. Ctrl-C stops it.

    console     http://{public}/
    docs        http://{public}/docs/
    WebSocket   ws://{public}/v1/ws
    gRPC        http://{grpc}
    health      http://{ops}/readyz, /livez, /metrics

  A token for clients, good for 12 hours:

    {token}

  Follow a room, here or in the console:

    {program} subscribe chat:lobby --since last:10 --url http://{grpc} --api-key {api_key}

  Publish into it from another terminal:

    {program} publish chat:lobby '{DATA}' --url http://{grpc} --api-key {api_key}

  The same with other tools:

    websocat -H 'authorization: Bearer {token}' --protocol fanline.v1 ws://{public}/v1/ws
    {{"op":"join","id":1,"channel":"chat:lobby"}}

    grpcurl -plaintext -H 'authorization: Bearer {api_key}' -d '{publication}' {grpc} fanline.v1.Publisher/Publish

"#
    )
}
