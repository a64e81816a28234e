//! What people write, and what they are told.

use std::path::Path;

use super::{Loaded, Settings};

/// Text and variables are wrong, and this is said about it.
struct Wrong {
    text: &'static str,
    variables: &'static [(&'static str, &'static str)],
    told: &'static str,
}

/// Mistakes that keep the configuration from being read.
const UNREADABLE: &[Wrong] = &[
    wrong(
        "[public]\nlisten = \"127.0.0.1:1\"\n\n[namespaces.chat]\npresence = true\nhistroy_size = 10\n",
        "fanline.toml:6: unknown key 'histroy_size' in [namespaces.chat]; did you mean 'history_size'?",
    ),
    wrong(
        "[pubilc]\n",
        "fanline.toml:1: unknown key 'pubilc' at the top level; did you mean 'public'?",
    ),
    wrong(
        "[drain]\nshoe = 1\n",
        "fanline.toml:2: unknown key 'shoe' in [drain]; it can be 'window' or 'deadline'",
    ),
    wrong(
        "[tokens]\n[[tokens.keys]]\nkid = \"a\"\n[[tokens.keys]]\nsecert = \"x\"\n",
        "fanline.toml:5: unknown key 'secert' in [[tokens.keys]] number 2; did you mean 'secret'?",
    ),
    wrong(
        "[drain]\nwindow = 30\n",
        "fanline.toml:2: 'window' in [drain] must be a duration up to 100 years, such as \"25s\", \"5m\" or \"250ms\", not a whole number",
    ),
    wrong(
        "[limits]\nwrite_timeout = \"10 parsecs\"\n",
        "fanline.toml:2: 'write_timeout' in [limits] must be a duration up to 100 years, such as \"25s\", \"5m\" or \"250ms\", not \"10 parsecs\"",
    ),
    wrong(
        "[limits]\nframe_bytes = \"128KB\"\n",
        "fanline.toml:2: 'frame_bytes' in [limits] must be a size such as \"64KiB\" or \"1MiB\", or a number of bytes, not \"128KB\"",
    ),
    wrong(
        "[limits]\nring_events = -1\n",
        "fanline.toml:2: 'ring_events' in [limits] must be a whole number, 0 or more, not a negative number",
    ),
    wrong(
        "[limits]\nhttp2_streams = \"256\"\n",
        "fanline.toml:2: 'http2_streams' in [limits] must be a whole number, 0 or more, not text",
    ),
    wrong(
        "[public]\nlisten = \"8080\"\n",
        "fanline.toml:2: 'listen' in [public] must be an address with a port such as \"127.0.0.1:8080\" or \"[::]:8080\", not \"8080\"",
    ),
    wrong(
        "[public]\nallowed_origins = \"https://a.example\"\n",
        "fanline.toml:2: 'allowed_origins' in [public] must be a list in brackets, not text",
    ),
    wrong(
        "[public]\nquery_token = \"yes\"\n",
        "fanline.toml:2: 'query_token' in [public] must be true or false, not text",
    ),
    wrong("public = 3\n", "fanline.toml:1: 'public' must be a table, not a whole number"),
    wrong(
        "[namespaces.chat]\nsubscribe = \"members\"\n",
        "fanline.toml:2: 'subscribe' in [namespaces.chat] cannot be \"members\"; it can be 'anyone', 'authenticated', 'token', 'handler' or 'nobody'",
    ),
    wrong(
        "[namespaces.chat]\npresence = \"anyon\"\n",
        "fanline.toml:2: 'presence' in [namespaces.chat] cannot be \"anyon\"; did you mean 'anyone'?",
    ),
    wrong(
        "[namespaces.chat]\npresence = 1\n",
        "fanline.toml:2: 'presence' in [namespaces.chat] must be true, false, \"anyone\", \"authenticated\", \"token\", \"handler\" or \"nobody\", not a whole number",
    ),
    wrong(
        "[broker]\nkind = \"radish\"\n",
        "fanline.toml:2: 'kind' in [broker] cannot be \"radish\"; did you mean 'redis'?",
    ),
    wrong(
        "[broker]\nmode = \"clustr\"\n",
        "fanline.toml:2: 'mode' in [broker] cannot be \"clustr\"; did you mean 'cluster'?",
    ),
    wrong(
        "[broker]\ndurability = \"wait\"\n",
        "fanline.toml:2: 'durability' in [broker] must be \"volatile\", \"aof_always\" or \"wait:N\" for N replicas, not \"wait\"",
    ),
    wrong(
        "[tokens.keys]\n",
        "fanline.toml:1: 'keys' in [tokens] must be a list in brackets, not a table",
    ),
    wrong("[public\n", "fanline.toml:1: this is not TOML: unclosed table, expected `]`"),
    wrong("a = 1\na = 2\n", "fanline.toml:2: this is not TOML: duplicate key"),
    Wrong {
        text: "",
        variables: &[("FANLINE_LIMITS__WIRTE_TIMEOUT", "1s")],
        told: "FANLINE_LIMITS__WIRTE_TIMEOUT: unknown key 'wirte_timeout' in [limits]; did you mean 'write_timeout'?",
    },
    Wrong {
        text: "",
        variables: &[("FANLINE_LIMITS__RING_EVENTS", "many")],
        told: "FANLINE_LIMITS__RING_EVENTS: 'ring_events' in [limits] must be a whole number, 0 or more, not text",
    },
    Wrong {
        text: "",
        variables: &[("FANLINE_API_KEYS", "[{ name = ]")],
        told: r#"FANLINE_API_KEYS: this is not TOML: missing array opening, expected `[`; write a list as ["a", "b"], a table as { key = "a" }"#,
    },
    Wrong {
        text: "[[api_keys]]\nname = \"orders\"\n",
        variables: &[("FANLINE_API_KEYS__0__NAME", "x")],
        told: "FANLINE_API_KEYS__0__NAME: '0' leads nowhere: what stands before it is a list, which is set as a whole by one variable",
    },
    Wrong {
        text: "[public]\nlisten = \"127.0.0.1:1\"\n",
        variables: &[("FANLINE_PUBLIC__LISTEN__PORT", "1")],
        told: "FANLINE_PUBLIC__LISTEN__PORT: 'port' leads nowhere: what stands before it is not a table",
    },
];

const fn wrong(text: &'static str, told: &'static str) -> Wrong {
    Wrong { text, variables: &[], told }
}

#[test]
fn what_cannot_be_read_is_told_with_its_place_and_its_remedy() {
    for Wrong { text, variables, told } in UNREADABLE {
        let error = load(text, variables).expect_err(told).to_string();
        assert_eq!(&error, told);
    }
}

/// A configuration in which nothing is wrong, to add one thing to.
const GOOD: &str = r#"
[[api_keys]]
name = "all"
hash = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
scopes = ["publish"]
channels = ["*"]
[[tokens.keys]]
kid = "k1"
algorithm = "HS256"
secret = "a-secret-that-is-long-enough-0123456789"
[namespaces.default]
"#;

#[test]
fn what_makes_no_sense_is_told_all_at_once() {
    let settings = load(
        r#"
[public]
allowed_origins = ["https://a.example", "https://a.example/page"]
trusted_proxies = ["10.0.0.0/8", "proxy"]
[grpc]
client_ca = "file:ca.pem"
[tls]
cert = "env:FANLINE_TEST_UNSET"
key = "file:key.pem"
[tokens]
leeway = "31s"
[[tokens.keys]]
kid = "weak"
algorithm = "HS256"
secret = "only-31-bytes-long-0123456789ab"
[[tokens.keys]]
algorithm = "RS256"
[[api_keys]]
name = "orders"
hash = "fk_a_key_in_the_wrong_place"
scopes = ["publish", "everything"]
[history]
ttl = "0s"
[namespaces.chat]
open = true
history_ttl = "0s"
[limits]
ring_events = 0
ping_interval = "9ms"
pong_timeout = "0s"
header_bytes = "4KiB"
[drain]
window = "1m"
deadline = "10s"
[telemetry]
log = "loud=noise"
"#,
        &[],
    )
    .unwrap()
    .settings();
    let told = settings.unwrap_err().to_string();
    let expected = r#"21 things are wrong with the configuration:
  fanline.toml:3: item 2 of 'allowed_origins' in [public] must be scheme://host[:port], without a path or a wildcard
  fanline.toml:4: item 2 of 'trusted_proxies' in [public] must be an address or a network such as "10.0.0.0/8"
  fanline.toml:6: 'client_ca' in [grpc] names the file ca.pem, which cannot be read: No such file or directory (os error 2)
  fanline.toml:8: 'cert' in [tls] names the environment variable FANLINE_TEST_UNSET, which is not set
  fanline.toml:9: 'key' in [tls] names the file key.pem, which cannot be read: No such file or directory (os error 2)
  fanline.toml:11: 'leeway' in [tokens] must be at most "30s"
  fanline.toml:15: 'secret' in [[tokens.keys]] number 1 cannot be used for 'weak': the secret has 31 bytes, fewer than 32
  fanline.toml:16: 'kid' in [[tokens.keys]] number 2 is missing: with several keys each needs one
  fanline.toml:16: 'secret' in [[tokens.keys]] number 2 is missing; an algorithm other than HS256, HS384 and HS512 needs 'public_key' instead
  fanline.toml:18: 'channels' in [[api_keys]] number 1 is missing: the key could do nothing
  fanline.toml:20: 'hash' in [[api_keys]] number 1 cannot be used: the hash of a key is `sha256:` and 64 hexadecimal digits
  fanline.toml:21: item 2 of 'scopes' in [[api_keys]] number 1 cannot be used: `everything` is no scope; the scopes are publish, subscribe, presence, history, connections, commands, catalog
  fanline.toml:23: 'ttl' in [history] must be more than zero; for no history set size = 0
  fanline.toml:25: 'open' in [namespaces.chat] is for [namespaces.default] only
  fanline.toml:26: 'history_ttl' in [namespaces.chat] must be more than zero; for no history set history_size = 0
  fanline.toml:28: 'ring_events' in [limits] must be at least 1
  fanline.toml:29: 'ping_interval' in [limits] must be at least "10ms"
  fanline.toml:30: 'pong_timeout' in [limits] must be more than zero
  fanline.toml:31: 'header_bytes' in [limits] must be at least "8KiB"
  fanline.toml:34: 'deadline' in [drain] must not be shorter than 'window', which is "1m"
  fanline.toml:36: 'log' in [telemetry] must be a level such as "info", or levels by part such as "info,fanline_websocket=debug": "#;
    // The words behind the last colon are the log library's own.
    assert_eq!(told.rsplit_once("error parsing").map(|(before, _)| before), Some(expected));
}

/// What `[broker]` says, and what is said about it.
const BROKERS: &[(&str, &str)] = &[
    (
        "urls = [\"redis://127.0.0.1\"]\n",
        "2: 'urls' in [broker] is for kind = \"redis\", and the kind is \"memory\"",
    ),
    (
        "kind = \"redis\"\n",
        "1: 'urls' in [broker] is empty: name at least one server, such as \"redis://127.0.0.1:6379/0\"",
    ),
    (
        "kind = \"redis\"\nurls = [\"redis://127.0.0.1\", \"http://hunter2@127.0.0.1\"]\n",
        "3: item 2 of 'urls' in [broker] is no Redis URL: write \"redis://[user:password@]host:port/database\", or \"rediss://\" for TLS",
    ),
    (
        "kind = \"redis\"\nurls = [\"redis://127.0.0.1:1\", \"redis://127.0.0.1:2\"]\n",
        "3: 'urls' in [broker] names 2 servers: mode \"standalone\" has one",
    ),
    (
        "kind = \"redis\"\nmode = \"cluster\"\nurls = [\"redis://127.0.0.1/1\"]\n",
        "4: item 1 of 'urls' in [broker] names a database: a cluster has number 0 only",
    ),
    (
        "kind = \"redis\"\nmode = \"sentinel\"\nurls = [\"redis://127.0.0.1\"]\nprimary = \"\"\n",
        "5: 'primary' in [broker] is empty: mode \"sentinel\" needs the name under which the sentinels watch the primary",
    ),
    (
        "kind = \"redis\"\nurls = [\"env:FANLINE_TEST_UNSET\"]\n",
        "3: item 1 of 'urls' in [broker] names the environment variable FANLINE_TEST_UNSET, which is not set",
    ),
    (
        "kind = \"redis\"\nurls = [\"redis://127.0.0.1\"]\nuser = \"fanline\"\n",
        "1: 'password' in [broker] is missing: a user needs one",
    ),
    (
        "kind = \"redis\"\nurls = [\"redis://127.0.0.1\"]\nsentinel_password = \"hunter2\"\n",
        "4: 'sentinel_password' in [broker] is for mode = \"sentinel\"",
    ),
    (
        "kind = \"redis\"\nurls = [\"redis://127.0.0.1\"]\nprefix = \"a{b\"\n",
        "4: 'prefix' in [broker] must be 1 to 64 letters, digits, or any of `._:-`",
    ),
    (
        "kind = \"redis\"\nurls = [\"rediss://127.0.0.1\"]\nca = \"none\"\n",
        "4: 'ca' in [broker] holds no certificate in PEM form",
    ),
];

#[test]
fn a_broker_that_makes_no_sense_is_refused_without_showing_a_password() {
    for (broker, expected) in BROKERS {
        let text = format!("[broker]\n{broker}{GOOD}");
        let told = load(&text, &[]).unwrap().settings().expect_err(expected).to_string();
        assert_eq!(told, format!("fanline.toml:{expected}"));
    }
}

/// What `[handlers."a.*"]` says, and what is said about it.
const HANDLERS: &[(&str, &str)] = &[
    ("", "1: 'url' in [handlers.\"a.*\"] is missing"),
    (
        "url = \"127.0.0.1:7000\"\n",
        "2: 'url' in [handlers.\"a.*\"] must be an address such as \"http://127.0.0.1:7000\" or \"https://backend.internal:7000\"",
    ),
    (
        "url = \"http://a.example/path\"\n",
        "2: 'url' in [handlers.\"a.*\"] must be an address such as \"http://127.0.0.1:7000\" or \"https://backend.internal:7000\"",
    ),
    (
        "url = \"http://a\"\ntimeout = \"0s\"\n",
        "3: 'timeout' in [handlers.\"a.*\"] must be more than zero",
    ),
    ("url = \"http://a\"\nretries = 11\n", "3: 'retries' in [handlers.\"a.*\"] must be at most 10"),
    (
        "url = \"http://a\"\nmax_in_flight = 0\n",
        "3: 'max_in_flight' in [handlers.\"a.*\"] must be 1 to 4096",
    ),
    (
        "url = \"http://a\"\nca = \"file:ca.pem\"\n",
        "3: 'ca' in [handlers.\"a.*\"] is for https:// only, which 'url' is not",
    ),
    (
        "url = \"https://a\"\nca = \"none\"\n",
        "3: 'ca' in [handlers.\"a.*\"] holds no certificate in PEM form",
    ),
    (
        "url = \"https://a\"\nca = \"file:ca.pem\"\n",
        "3: 'ca' in [handlers.\"a.*\"] names the file ca.pem, which cannot be read: No such file or directory (os error 2)",
    ),
    (
        "url = \"http://a\"\nmetadata = { te = \"x\" }\n",
        "3: 'te' in [handlers.\"a.*\".metadata] is set by the protocol itself",
    ),
    (
        "url = \"http://a\"\nmetadata = { \"a b\" = \"hunter2\" }\n",
        "3: 'a b' in [handlers.\"a.*\".metadata] cannot be the name of metadata: use letters, digits and '-'",
    ),
    (
        "url = \"http://a\"\nmetadata = { token = \"hünter2\" }\n",
        "3: 'token' in [handlers.\"a.*\".metadata] cannot be sent: use printable ASCII",
    ),
    (
        "url = \"http://a\"\nretires = 1\n",
        "3: unknown key 'retires' in [handlers.\"a.*\"]; did you mean 'retries'?",
    ),
];

#[test]
fn a_handler_that_makes_no_sense_is_refused_by_its_key() {
    for (handler, expected) in HANDLERS {
        let text = format!("[handlers.\"a.*\"]\n{handler}{GOOD}");
        let told = load(&text, &[])
            .map_err(|error| error.to_string())
            .and_then(|loaded| loaded.settings().map_err(|error| error.to_string()))
            .expect_err(expected);
        assert_eq!(told, format!("fanline.toml:{expected}"));
    }
}

#[test]
fn a_handler_keeps_its_metadata_to_itself() {
    let handler = "[handlers.\"a.*\"]\nurl = \"http://a\"\nmetadata = { token = \"hunter2\" }\n";
    let loaded = load(&format!("{handler}{GOOD}"), &[]).unwrap();
    let settings = loaded.settings().unwrap();
    assert_eq!(settings.handlers[0].metadata["token"], "hunter2");
    let shown = format!("{loaded:?} {settings:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_redis_broker_keeps_its_passwords_to_itself() {
    let broker = "kind = \"redis\"\nmode = \"sentinel\"\nurls = [\"redis://ada:hunter2@127.0.0.1\"]\npassword = \"hunter2\"\nsentinel_password = \"hunter2\"\n";
    let loaded = load(&format!("[broker]\n{broker}{GOOD}"), &[]).unwrap();
    let shown = format!("{loaded:?} {:?}", loaded.settings().unwrap());
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn nothing_at_all_lacks_an_api_key() {
    let told = load("", &[]).unwrap().settings().unwrap_err().to_string();
    assert_eq!(
        told,
        "fanline.toml: 'api_keys' is missing: no backend could call; `fanline key` makes the first"
    );
}

#[test]
fn defaults_are_overlaid_by_the_file_and_the_file_by_the_environment() {
    let file = format!("{GOOD}\n[limits]\nring_events = 1\nring_bytes = 1\nframe_bytes = 100000\n");
    let variables = [
        ("FANLINE_LIMITS__RING_BYTES", "2MiB"),
        ("FANLINE_LIMITS__FRAME_BYTES", "200000"),
        ("FANLINE_PUBLIC__LISTEN", "[::1]:0"),
        ("FANLINE_PUBLIC__QUERY_TOKEN", "true"),
        ("FANLINE_NAMESPACES__NEWS__PRESENCE", "anyone"),
        ("FANLINE_PUBLIC__ALLOWED_ORIGINS", "[\"https://a.example\"]"),
    ];
    let settings = settings(&file, &variables);
    assert_eq!((settings.limits.ring_events, settings.limits.ring_bytes), (1, 2 << 20));
    assert_eq!(settings.limits.frame_bytes, 200_000);
    assert_eq!(settings.limits.publish_timeout.as_secs(), 5);
    assert_eq!(settings.public.listen.to_string(), "[::1]:0");
    assert_eq!(settings.public.allowed_origins, ["https://a.example"]);
    assert!(settings.public.query_token);
    let news = settings.namespaces.options(&"news:x".parse().unwrap()).unwrap().clone();
    assert!(news.presence);
}

#[test]
fn a_list_of_tables_is_one_variable() {
    let keys = r#"[{ name = "a", hash = "sha256:1111111111111111111111111111111111111111111111111111111111111111", scopes = ["publish"], channels = ["*"] }]"#;
    assert!(settings(GOOD, &[("FANLINE_API_KEYS", keys)]).warnings.is_empty());
    let error = load(GOOD, &[("FANLINE_API_KEYS", r#"[{ nmae = "a" }]"#)]).unwrap_err().to_string();
    assert_eq!(
        error,
        "FANLINE_API_KEYS: unknown key 'nmae' in [[api_keys]] number 1; did you mean 'name'?"
    );
}

#[test]
fn a_namespace_takes_from_history_what_it_does_not_say() {
    let file = format!(
        "{GOOD}\n[history]\nsize = 7\nttl = \"1h\"\nepoch_ttl = \"2h\"\n[namespaces.a]\n[namespaces.b]\nhistory_size = 0\nhistory_ttl = \"3h\"\n"
    );
    let settings = settings(&file, &[]);
    let retention =
        |channel: &str| settings.namespaces.options(&channel.parse().unwrap()).unwrap().retention;
    assert_eq!((retention("a:x").size, retention("a:x").ttl.as_secs()), (7, 3600));
    assert_eq!((retention("b:x").size, retention("b:x").ttl.as_secs()), (0, 3 * 3600));
    assert_eq!(retention("b:x").epoch_ttl.as_secs(), 3 * 3600);
}

#[test]
fn what_is_odd_is_a_warning() {
    let file = "[grpc]\nlisten = \"0.0.0.0:1\"\n[limits]\nframe_bytes = 10\n";
    let settings = settings(&format!("{file}{GOOD}"), &[]);
    let warnings: Vec<_> = settings.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "fanline.toml:2: 'listen' in [grpc] is not on loopback and there is no [tls]: API keys cross the network in plain text",
            "fanline.toml:4: 'frame_bytes' in [limits] leaves no room for an event of client_event_bytes (64KiB) and its envelope",
        ]
    );
}

#[test]
fn secrets_do_not_show_when_a_configuration_is_printed() {
    let loaded = load(GOOD, &[]).unwrap();
    let shown = format!("{loaded:?} {:?}", loaded.settings());
    assert!(!shown.contains("a-secret-that-is-long-enough"), "{shown}");
}

fn load(text: &str, variables: &[(&str, &str)]) -> Result<Loaded, super::error::ConfigError> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Loaded::from_text(text, "fanline.toml", Path::new("/nonexistent"), variables)
}

fn settings(text: &str, variables: &[(&str, &str)]) -> Settings {
    load(text, variables).unwrap().settings().unwrap()
}
