//! The documents: official tools take them, and what the hub sends is what they say.

use std::fs;
use std::path::{Path, PathBuf};

use fanline_proto::v1;
use fanline_proto::v1::catalog_client::CatalogClient;
use fanline_tests::{ApiKey, Hub, HubBuilder, Script, Token, big_catalog, fanline, get, reason};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

/// Runs a command of the binary, which has to end well, and gives what it prints.
async fn run(arguments: &[&str]) -> String {
    let output = fanline().args(arguments).output().await.expect("the binary starts");
    let (stdout, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}\n{stdout}\n{stderr}");
    stdout.into_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a temporary folder has a plain name")
}

/// Writes the catalog of 200 event types into a folder.
fn big(folder: &Path) -> PathBuf {
    let catalog = folder.join("big");
    for (path, text) in big_catalog() {
        let path = catalog.join(path);
        fs::create_dir_all(path.parent().expect("a file is in a folder"))
            .expect("the folder is ours");
        fs::write(path, text).expect("the folder is ours");
    }
    catalog
}

#[tokio::test]
async fn official_tools_take_the_documents_and_every_example_is_valid() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let big = big(folder.path());
    let mut files = Vec::new();
    for (name, catalog) in [("demo", vec!["--demo"]), ("big", vec!["--catalog", text(&big)])] {
        for (view, format) in [("hub", "json"), ("hub", "yaml"), ("client", "json")] {
            // The parser takes minutes for a large YAML; JSON says the same.
            if (name, format) == ("big", "yaml") {
                continue;
            }
            let file = folder.path().join(format!("{name}-{view}.{format}"));
            let mut arguments = vec!["asyncapi", "generate", "--view", view, "--out", text(&file)];
            arguments.extend(&catalog);
            run(&arguments).await;
            files.push(text(&file).to_owned());
        }
    }
    // A running hub says more: it knows its namespaces.
    let hub = with_the_demo_catalog().start().await;
    let served = folder.path().join("served.json");
    fs::write(&served, get(hub.addresses.public, "/asyncapi.json").await.body)
        .expect("the folder is ours");
    files.push(text(&served).to_owned());
    let judged = Script::node("asyncapi_judge.mjs").option("files", files.join(",")).run().await;
    println!("judged: {judged}");
    assert_eq!(judged["errors"], json!([]));
    assert_eq!(judged["documents"], files.len());
    assert!(judged["examples"].as_u64().is_some_and(|count| count > 1_600), "{judged}");
}

fn with_the_demo_catalog() -> HubBuilder {
    Hub::builder()
        .set("catalog.path", "builtin:demo")
        .set("namespaces.chat.lifecycle", true)
        .set("namespaces.orders.history_size", 100)
        .set("namespaces.ticker.subscribe", "anyone")
        .set("namespaces.ticker.history_size", 100)
        .set("namespaces.bulk.history_size", 2)
        .set("namespaces.bulk.schema", "off")
        .set("drain.window", "100ms")
}

#[tokio::test]
async fn every_example_arrives_everywhere_and_every_frame_is_as_the_document_says() {
    let hub = with_the_demo_catalog().start().await;
    let token = Token::user("ada").everything_in(&["*"]);
    let seen = Script::node("documented.mjs")
        .option("public", hub.addresses.public)
        .option("grpc", hub.addresses.grpc)
        .option("key", &ApiKey::all().secret)
        .option("token", token.sign())
        .option("short", Token::user("bob").everything_in(&["*"]).expires_in(20).sign())
        .option("transports", TRANSPORTS.join(","))
        .option("pid", hub.process.id())
        .run()
        .await;
    println!("documented: {seen}");
    assert_eq!(seen["faults"], json!([]), "{seen}");
    let published = seen["published"].as_u64().expect("a number");
    assert!(published >= 5, "{seen}");
    for transport in TRANSPORTS {
        assert!(seen["delivered"][transport].as_u64() >= Some(published), "{transport}: {seen}");
    }
    assert_eq!(seen["unseen"], json!(UNSEEN), "{seen}");
}

/// The ways that events are read back on.
const TRANSPORTS: [&str; 4] = ["websocket", "sse", "long-poll", "grpc"];

/// The only message of these transports that the hub is not brought to send here: it is for overload, on a hub that has no
/// place left.
const UNSEEN: [&str; 1] = ["fanline.sse.retry"];

#[tokio::test]
async fn a_stale_file_is_told_by_the_exit_code() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("asyncapi.yaml");
    run(&["asyncapi", "generate", "--demo", "-o", text(&file)]).await;
    run(&["asyncapi", "generate", "--demo", "-o", text(&file), "--check"]).await;

    let mut stale = fs::read_to_string(&file).expect("it was written");
    stale.push_str("# edited\n");
    fs::write(&file, &stale).expect("the folder is ours");
    let output = fanline()
        .args(["asyncapi", "generate", "--demo", "-o", text(&file), "--check"])
        .output()
        .await
        .expect("the binary starts");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("is stale"));
    assert_eq!(fs::read_to_string(&file).expect("it is there"), stale, "--check writes nothing");
}

#[tokio::test]
async fn validate_names_the_line_of_a_mistake_and_tells_by_its_exit_code() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let big = folder.path().join("big.json");
    let catalog = self::big(folder.path());
    run(&["asyncapi", "generate", "--catalog", text(&catalog), "-o", text(&big)]).await;
    let good = folder.path().join("demo.yaml");
    run(&["asyncapi", "generate", "--demo", "-o", text(&good)]).await;
    let said = run(&["asyncapi", "validate", text(&good), text(&big)]).await;
    assert_eq!(said, format!("{}: good\n{}: good\n", good.display(), big.display()));

    let document = fs::read_to_string(&good).expect("it was written");
    let reference = "#/channels/order/messages/";
    let line = 1 + document.lines().take_while(|line| !line.contains(reference)).count();
    let mistaken = document.replacen(reference, "#/channels/order/mesages/", 1);
    fs::write(&good, mistaken).expect("the folder is ours");
    let output = fanline()
        .args(["asyncapi", "validate", text(&good)])
        .output()
        .await
        .expect("the binary starts");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.starts_with(&format!("{}:{line}:7: error: ", good.display())), "{said}");
    assert!(said.contains("perhaps `messages` is meant (reference)"), "{said}");
}

#[tokio::test]
async fn typescript_takes_the_types_and_refuses_a_wrong_field() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let types = folder.path().join("events.ts");
    run(&["asyncapi", "types", "--demo", "--lang", "ts", "-o", text(&types)]).await;
    let right = r#"
        import type { Channels, Events, HubEvent } from "./events.js";
        export function read(event: HubEvent): string {
          // `type` tells which data there is.
          return event.type === "message" ? event.data.text : event.type;
        }
        export const data: Events["message"] = { text: "hello", mentions: ["u42"] };
        export const type: Channels["chat:{room}"] = "typing";
    "#;
    assert_eq!(compile(&folder, right).await, None);
    for (wrong, complaint) in [
        (right.replace("event.data.text", "event.data.txt"), "'txt' does not exist"),
        (right.replace("mentions: [\"u42\"]", "mentions: [42]"), "not assignable to type 'string'"),
        (right.replace("text: \"hello\", ", ""), "'text' is missing"),
        (right.replace("\"typing\"", "\"ticker.quote\""), "not assignable"),
    ] {
        let said = compile(&folder, &wrong).await.expect("a wrong program is refused");
        assert!(said.contains(complaint), "{said}");
    }
}

#[tokio::test]
async fn what_the_document_shows_a_client_sending_is_taken_though_the_namespace_is_strict() {
    let hub = with_the_demo_catalog().set("namespaces.chat.schema", "strict").start().await;
    let document = get(hub.addresses.public, "/asyncapi.json").await.body;
    let document: Value = serde_json::from_str(&document).expect("it is JSON");
    let shown = |message: &str| {
        let example = &document["components"]["messages"][message]["examples"][0]["payload"];
        assert!(example.is_object(), "{message} has an example: {example}");
        example.clone()
    };
    let mut room = hub.room(&Token::user("ada").everything_in(&["chat:*"])).await;
    for operation in ["ping", "join", "publish", "history", "presence", "leave"] {
        let answer = room.request(shown(&format!("fanline.ws.{operation}"))).await;
        assert_ne!(answer["op"], "error", "{operation}: {answer}");
    }
    // The uplink has the same operation without a name for it.
    let mut publish = shown("fanline.uplink.publish");
    publish["op"] = json!("publish");
    room.ok(publish).await;
}

/// What `tsc --strict` says against a program beside the types; nothing when it takes it.
async fn compile(folder: &TempDir, program: &str) -> Option<String> {
    fs::write(folder.path().join("program.ts"), program).expect("the folder is ours");
    let modules = std::env::var_os("FANLINE_NODE_MODULES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("node/node_modules"),
        PathBuf::from,
    );
    let output = Command::new("node")
        .arg(modules.join("typescript/bin/tsc"))
        .args(["--strict", "--noEmit", "--target", "es2022", "--module", "nodenext", "program.ts"])
        .current_dir(folder.path())
        .output()
        .await
        .expect("node starts");
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[tokio::test]
async fn the_catalog_over_grpc_needs_its_scope_and_says_what_is_served() {
    let blind = ApiKey::new("blind").scopes(&["publish"]).channels(&["*"]);
    let hub = with_the_demo_catalog().api_key(&blind).start().await;
    let mut catalog = CatalogClient::new(hub.rpc().await.authenticated());

    let first = v1::ListEventTypesRequest { page_size: 3, ..Default::default() };
    let first = catalog.list_event_types(first).await.expect("a page").into_inner();
    assert_eq!(first.event_types.len(), 3);
    let rest = v1::ListEventTypesRequest { page_token: first.next_page_token, page_size: 3 };
    let rest = catalog.list_event_types(rest).await.expect("a page").into_inner();
    assert!(rest.next_page_token.is_empty());
    let mut names: Vec<_> =
        first.event_types.iter().chain(&rest.event_types).map(|it| it.name.as_str()).collect();
    let listed = names.clone();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names, listed, "each once, by name");

    let one = v1::GetEventTypeRequest { name: "message".to_owned() };
    let one = catalog.get_event_type(one).await.expect("an event type").into_inner();
    let schema: Value = serde_json::from_slice(&one.publish_schema).expect("a schema is JSON");
    assert_eq!(schema["additionalProperties"], false);
    assert!(!one.examples.is_empty());
    let none = v1::GetEventTypeRequest { name: "no.such".to_owned() };
    let refused = catalog.get_event_type(none).await.expect_err("there is none");
    assert_eq!(reason(&refused), "UNKNOWN_EVENT_TYPE");

    let yaml = v1::GetAsyncApiRequest { format: v1::DocumentFormat::Yaml.into() };
    let yaml = catalog.get_async_api(yaml).await.expect("a document").into_inner();
    assert!(yaml.document.starts_with(b"asyncapi:") && yaml.revision.starts_with(&first.revision));

    let mut blind = CatalogClient::new(hub.rpc_with(&blind.secret).await.authenticated());
    let refused = blind.list_event_types(v1::ListEventTypesRequest::default()).await;
    assert_eq!(refused.expect_err("no scope").code(), tonic::Code::PermissionDenied);
}
