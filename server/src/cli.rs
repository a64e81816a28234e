//! The command line: what can be written, and what `--help` teaches. What a command does is in [`commands`](crate::commands).

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use fanline_asyncapi::diff::Class;
use fanline_asyncapi::document::Perspective;
use fanline_client::PUBLISH_PATIENCE_MAX;
use fanline_core::pattern::Pattern;
use fanline_grpc::keys::Scope;

use crate::commands::channel_start::ChannelStart;
use crate::config::Secret;

const EXAMPLES: &str = "\
Start here:
  fanline dev                      a hub in memory with throw-away keys; prints what to paste next
  fanline publish chat:lobby '{\"text\":\"hello\"}'
  fanline subscribe chat:lobby --since last:10

In production:
  fanline config default > fanline.toml
  fanline key --name orders --scope publish --channel 'orders:*'
  fanline config check --config fanline.toml
  fanline serve --config fanline.toml
  fanline check --config fanline.toml --channel chat:check

Every key of the configuration is also a variable: FANLINE_<SECTION>__<KEY>, as in FANLINE_PUBLIC__LISTEN.";

/// Fanline: an event hub. Backends publish and subscribe over gRPC, browsers join rooms over WebSocket.
#[derive(Debug, Parser)]
#[command(name = "fanline", version, after_help = EXAMPLES, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a hub to try things with: in memory, with throw-away keys and a console page
    #[command(after_help = "\
It listens on 127.0.0.1, ports 8080 (browsers), 50051 (gRPC) and 9464 (health and metrics), and prints a token that is good
for 12 hours and an API key. Keys and events are gone when it ends.

The environment changes what it does, as it does for `serve`:
  FANLINE_PUBLIC__LISTEN=127.0.0.1:8090 fanline dev
  FANLINE_CATALOG__PATH=catalog fanline dev            your own catalog, read anew when its files change")]
    Dev,
    /// Run a hub with a configuration
    #[command(after_help = "\
Examples:
  fanline serve --config fanline.toml
  FANLINE_TELEMETRY__LOG=debug fanline serve --config fanline.toml     the environment wins over the file

Signals: SIGTERM and SIGINT finish what was accepted, then end, at the latest after [drain] deadline; a second one ends at
once. SIGHUP reads keys, namespaces and the catalog anew.")]
    Serve(ConfigFile),
    /// Publish an event over gRPC
    Publish(Publish),
    /// Follow a channel over gRPC, a line for each event
    Subscribe(Subscribe),
    /// Drive a running hub as its clients do, and say whether each transport works; exit code 1 if one does not
    Check(Box<Check>),
    /// Mint a token for a client
    Token(Box<Token>),
    /// Make an API key for a backend, with its hash and the section for the configuration
    Key(Key),
    /// Check a configuration, print one to start from, or its schema for editors
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Make AsyncAPI documents, a docs site and TypeScript types from a catalog
    #[command(subcommand, name = "asyncapi")]
    AsyncApi(AsyncApi),
    /// Check an event catalog, or say what a change of it breaks
    #[command(subcommand)]
    Catalog(CatalogCommand),
}

/// What is asked of a catalog.
#[derive(Debug, Subcommand)]
pub(crate) enum CatalogCommand {
    /// Say all that is wrong with a catalog; exit code 1 if anything is
    #[command(after_help = "\
Examples:
  fanline catalog check                    the folder catalog, with catalog.toml in it
  fanline catalog check git:main:catalog")]
    Check {
        /// Its folder, or another place that `diff --help` names
        #[arg(default_value = "catalog")]
        catalog: String,
    },
    /// Say what a change does to those who publish and subscribe; exit code 2 if it does what --fail-on names
    #[command(after_help = "\
A catalog is named by its folder; by git:REF:path, a folder of a commit; or it is builtin:demo. An AsyncAPI document of a
hub says of a catalog what everybody sees of it: a file, git:REF:path of a file, or the URL of a running hub.

Examples:
  fanline catalog diff git:main:catalog catalog           what this branch changes
  fanline catalog diff http://127.0.0.1:8080 catalog      what a deployment would change
  fanline catalog diff released.asyncapi.yaml catalog --fail-on risky")]
    Diff {
        /// The older one
        old: String,
        /// The newer one
        new: String,
        /// From which class on the exit code is 2
        #[arg(long, value_enum, default_value = "breaking")]
        fail_on: FailOn,
    },
}

/// From which class on a change is objected to.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum FailOn {
    Risky,
    Breaking,
}

impl From<FailOn> for Class {
    fn from(fail_on: FailOn) -> Self {
        match fail_on {
            FailOn::Risky => Class::Risky,
            FailOn::Breaking => Class::Breaking,
        }
    }
}

/// Which configuration.
#[derive(Args, Debug)]
pub(crate) struct ConfigFile {
    /// The TOML file; without one: defaults and the environment
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Say what is wrong with a configuration; exit code 1 if anything is
    #[command(after_help = "\
Example:
  fanline config check --config fanline.toml && systemctl reload fanline

It reads what the configuration names: files, variables and the catalog. It connects to nothing.")]
    Check(ConfigFile),
    /// Print the complete configuration with its defaults, a comment on each key
    #[command(after_help = "\
Example:
  fanline config default > fanline.toml

What has no default stands there as a comment. `fanline serve` needs one of these at least: an [[api_keys]], which
`fanline key` prints.")]
    Default,
    /// Print the JSON Schema of configurations, with which an editor completes, explains and checks them
    #[command(after_help = "\
Example:
  fanline config schema > fanline.schema.json

Then write as the first line of fanline.toml, for every editor that uses taplo (Even Better TOML in VS Code, for one):
  #:schema ./fanline.schema.json

Whether the values make sense together, and whether files and variables are there, says `fanline config check`.")]
    Schema,
}

/// Which hub to call, and with which key.
#[derive(Args, Clone, Debug)]
pub(crate) struct Hub {
    /// The hub's gRPC listener; https:// with TLS, whose authority the machine trusts or SSL_CERT_FILE names
    #[arg(long, env = "FANLINE_URL", default_value = "http://127.0.0.1:50051")]
    pub(crate) url: String,
    /// The API key; better in the environment than here, where every user of the machine sees it
    #[arg(long, env = "FANLINE_API_KEY", hide_env_values = true)]
    pub(crate) api_key: Option<String>,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  fanline publish chat:lobby '{\"text\":\"hello\"}'
  fanline publish orders:42 '{\"state\":\"paid\"}' --type order.paid --key payment-7
  git log -1 --format=%s | fanline publish news - --content-type text/plain")]
pub(crate) struct Publish {
    /// The channel, namespace:rest
    pub(crate) channel: String,
    /// The data, JSON unless --content-type says otherwise; - reads it from standard input
    pub(crate) data: String,
    /// Type of the event
    #[arg(long = "type", value_name = "TYPE", default_value = "message")]
    pub(crate) event_type: String,
    /// Media type of the data
    #[arg(long, value_name = "TYPE", default_value = "application/json")]
    pub(crate) content_type: String,
    /// Idempotency key: the same one within its window publishes once, so a repeated command does no harm
    #[arg(long)]
    pub(crate) key: Option<String>,
    /// How long to try again while the hub or its broker is away; 150s at most
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = patience)]
    pub(crate) patience: std::time::Duration,
    #[command(flatten)]
    pub(crate) hub: Hub,
}

/// How long to try again; a longer one would not end within the idempotency window of the hub.
fn patience(text: &str) -> Result<std::time::Duration, String> {
    let patience = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if patience > PUBLISH_PATIENCE_MAX {
        return Err(
            "150s at most: after that the hub may no longer know what it has published".to_owned()
        );
    }
    Ok(patience)
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  fanline subscribe chat:lobby                         from now on
  fanline subscribe chat:lobby --since last:20         the newest 20, then on
  fanline subscribe chat:lobby --since earliest --json | jq .data

A broken stream is taken up again after the last event; that and lost events are told on standard error.")]
pub(crate) struct Subscribe {
    /// The channel, namespace:rest
    pub(crate) channel: String,
    /// Where to start: a position, "earliest" or "last:N"; without it with the next event
    #[arg(long, value_name = "POSITION")]
    pub(crate) since: Option<ChannelStart>,
    /// One JSON object per line: the same that browsers get
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) hub: Hub,
}

#[derive(Args, Debug)]
#[command(after_help = "\
What is checked, a line each with its time:
  gRPC         publishes
  every --url  refuses a forged token on WebSocket, SSE, long-polling and the uplink;
               delivers on each of the first three what gRPC publishes, and resumes there with nothing missed
  two --url    are one hub: who left the first goes on at the second, on another transport

The checks publish a few events to --channel, so give one that nobody minds. Its namespace must keep history.
They speak plain text: behind TLS, run them beside the hub.

Examples:
  fanline check --config fanline.toml --channel chat:check
  fanline check --url http://node-a:8080 --url http://node-b:8080 --grpc http://node-a:50051 \\
                --config fanline.toml --channel orders:check --type order.paid --data '{\"id\":1}'
  FANLINE_TOKEN=$(cat token) fanline check --url http://127.0.0.1:8080 --channel chat:check

Exit code: 0 when everything works, 1 when something does not.")]
pub(crate) struct Check {
    /// The public listener of a node; several are nodes that must be one hub
    #[arg(long = "url", value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub(crate) urls: Vec<String>,
    /// The gRPC listener of one of them
    #[arg(long, value_name = "URL", env = "FANLINE_URL", default_value = "http://127.0.0.1:50051")]
    pub(crate) grpc: String,
    /// The API key; better in the environment than here, where every user of the machine sees it
    #[arg(long, env = "FANLINE_API_KEY", hide_env_values = true)]
    pub(crate) api_key: Option<String>,
    /// A channel that may be published to, namespace:rest
    #[arg(long)]
    pub(crate) channel: String,
    /// Type of the events, where the namespace has a schema
    #[arg(long = "type", value_name = "TYPE", default_value = "message")]
    pub(crate) event_type: String,
    /// Their data: JSON
    #[arg(long, value_name = "JSON", default_value = "{\"text\":\"fanline check\"}")]
    pub(crate) data: String,
    /// A client's token that may subscribe to the channel and read its history; better in the environment
    #[arg(long, env = "FANLINE_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// Mint that token by this configuration instead: with its first key for clients that has a secret
    #[arg(long, value_name = "FILE", conflicts_with = "token")]
    pub(crate) config: Option<PathBuf>,
    /// How long one check may take
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
    pub(crate) timeout: std::time::Duration,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  fanline token --config fanline.toml --sub u42 --subscribe 'chat:*' --publish chat:lobby
  fanline token --key env:TOKEN_SECRET --kid k1 --sub u42 --info '{\"name\":\"Ada\"}' --subscribe 'chat:*' --ttl 1h")]
pub(crate) struct Token {
    /// The user; without one: anonymous
    #[arg(long)]
    pub(crate) sub: Option<String>,
    /// Channels that may be subscribed to, by pattern; may be repeated
    #[arg(long, value_name = "PATTERN")]
    pub(crate) subscribe: Vec<String>,
    /// Channels that may be published to
    #[arg(long, value_name = "PATTERN")]
    pub(crate) publish: Vec<String>,
    /// Channels whose members may be asked for
    #[arg(long, value_name = "PATTERN")]
    pub(crate) presence: Vec<String>,
    /// Channels whose history may be read
    #[arg(long, value_name = "PATTERN")]
    pub(crate) history: Vec<String>,
    /// Channels that the connection is put into at once
    #[arg(long, value_name = "CHANNEL")]
    pub(crate) join: Vec<String>,
    /// What other members see of the user: a JSON text
    #[arg(long, value_name = "JSON")]
    pub(crate) info: Option<String>,
    /// How long the token is good for
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = humantime::parse_duration)]
    pub(crate) ttl: std::time::Duration,
    /// Take key, issuer and audience from this configuration: its first key for clients that has a secret
    #[arg(long, value_name = "FILE", conflicts_with_all = ["key", "kid", "algorithm"])]
    pub(crate) config: Option<PathBuf>,
    /// The secret or private key (PEM), as env:NAME or file:PATH
    #[arg(long, value_name = "env:NAME|file:PATH", value_parser = secret)]
    pub(crate) key: Option<Secret>,
    /// Name of the key, as in the hub's configuration
    #[arg(long)]
    pub(crate) kid: Option<String>,
    /// Algorithm of the key: HS256, RS256, PS256 (also 384 and 512), ES256, ES384 or EdDSA
    #[arg(long, default_value = "HS256", value_parser = algorithm)]
    pub(crate) algorithm: jsonwebtoken::Algorithm,
    /// The issuer, as in the hub's configuration
    #[arg(long)]
    pub(crate) issuer: Option<String>,
    /// The audience, as in the hub's configuration
    #[arg(long)]
    pub(crate) audience: Option<String>,
}

fn algorithm(name: &str) -> Result<jsonwebtoken::Algorithm, String> {
    name.parse().map_err(|_| {
        "the algorithms are HS256, RS256 and PS256 (each also 384 and 512), ES256, ES384 and EdDSA"
            .to_owned()
    })
}

/// A secret that is not written on the command line, where every user of the machine would see it.
fn secret(text: &str) -> Result<Secret, String> {
    let secret = Secret::new(text);
    if secret.is_plain() {
        return Err(
            "a secret does not belong on a command line: give env:NAME or file:PATH".to_owned()
        );
    }
    Ok(secret)
}

#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  fanline key --name orders --scope publish --scope subscribe --channel 'orders:*'

The hub keeps the hash, the backend the key. Scopes: publish, subscribe, presence, history, connections, commands, catalog.")]
pub(crate) struct Key {
    /// Name of the backend, for logs
    #[arg(long, default_value = "backend")]
    pub(crate) name: String,
    /// What it may do, see below; may be repeated. Without any: everything
    #[arg(long = "scope", value_name = "SCOPE")]
    pub(crate) scopes: Vec<Scope>,
    /// Channels in which it may, by pattern; may be repeated
    #[arg(long = "channel", value_name = "PATTERN", default_value = "*")]
    pub(crate) channels: Vec<Pattern>,
    /// Methods that it may answer with the scope commands, by pattern; may be repeated
    #[arg(long = "method", value_name = "PATTERN", default_value = "*")]
    pub(crate) methods: Vec<Pattern>,
}

#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  fanline asyncapi generate --catalog catalog -o asyncapi.yaml
  fanline asyncapi generate --catalog catalog -o asyncapi.yaml --check   fails when the file is stale
  fanline asyncapi types --catalog catalog --lang ts -o events.ts
  fanline asyncapi export --catalog catalog --out site
  fanline asyncapi validate asyncapi.yaml")]
pub(crate) enum AsyncApi {
    /// Write the AsyncAPI document of a catalog
    Generate {
        #[command(flatten)]
        described: Described,
        /// Whose application it describes: code generators write the client from the client's
        #[arg(long, value_name = "hub|client", default_value = "hub", value_parser = perspective)]
        view: Perspective,
        /// Without it: what the name of the file says, else YAML
        #[arg(long, value_enum)]
        format: Option<Format>,
        #[command(flatten)]
        output: Output,
    },
    /// Write types of the events' data, for clients
    Types {
        #[command(flatten)]
        catalog: CatalogFolder,
        /// Also the events of channels that the catalog calls internal
        #[arg(long)]
        internal: bool,
        /// The language
        #[arg(long, value_enum, default_value = "ts")]
        lang: Language,
        #[command(flatten)]
        output: Output,
    },
    /// Write the docs site into a folder, for any web server
    Export {
        #[command(flatten)]
        described: Described,
        /// The folder; made when it is not there
        #[arg(long, value_name = "FOLDER")]
        out: PathBuf,
    },
    /// Say all that is wrong with AsyncAPI 3 documents, whoever wrote them, each with its line and column
    #[command(after_help = "\
Looks at: the structure, against the official JSON Schema of AsyncAPI 3.0 and 3.1; references that lead nowhere or in a
circle; addresses and their parameters; servers and their variables; operations that use messages of other channels;
replies; examples that their schemas refuse; messages of one operation that cannot be told apart. References into other
files are not followed, with a warning.

Exit code: 0 without an error (warnings are none), 1 with one, or where a file cannot be read.

Examples:
  fanline asyncapi validate asyncapi.yaml
  curl -s http://127.0.0.1:8080/asyncapi.json | fanline asyncapi validate -")]
    Validate {
        /// The documents, JSON or YAML; - is standard input
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

fn perspective(word: &str) -> Result<Perspective, String> {
    let found = Perspective::ALL.into_iter().find(|perspective| perspective.as_str() == word);
    found.ok_or_else(|| "the views are hub and client".to_owned())
}

/// What a document describes.
#[derive(Args, Debug)]
pub(crate) struct Described {
    #[command(flatten)]
    pub(crate) catalog: CatalogFolder,
    /// Where clients reach the hub
    #[arg(long, value_name = "URL", default_value = "http://localhost:8080")]
    pub(crate) public_url: String,
    /// Where backends reach the hub
    #[arg(long, value_name = "URL", default_value = "http://localhost:50051")]
    pub(crate) grpc_url: String,
    /// Also the channels that the catalog calls internal
    #[arg(long)]
    pub(crate) internal: bool,
}

/// Which catalog.
#[derive(Args, Debug)]
pub(crate) struct CatalogFolder {
    /// The folder of the catalog
    #[arg(long, value_name = "FOLDER", default_value = "catalog")]
    pub(crate) catalog: PathBuf,
    /// The catalog of `fanline dev` instead
    #[arg(long, conflicts_with = "catalog")]
    pub(crate) demo: bool,
}

/// Where a text goes.
#[derive(Args, Debug)]
pub(crate) struct Output {
    /// The file; without it: standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Write nothing, and fail when the file says something else
    #[arg(long, requires = "out")]
    pub(crate) check: bool,
}

/// A language of clients.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Language {
    /// TypeScript, for @fanline/client
    Ts,
}

/// How a document is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    /// JSON
    Json,
    /// YAML
    Yaml,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_plain_secret_is_refused_on_the_command_line() {
        let error =
            Cli::try_parse_from(["fanline", "token", "--key", "hunter2"]).unwrap_err().to_string();
        assert!(error.contains("give env:NAME or file:PATH"), "{error}");
    }
}
