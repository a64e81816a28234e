//! SIGHUP, and a changed file in `dev`: keys, namespaces and the catalog are replaced, or nothing is.

use std::path::Path;

use fanline_proto::v1::subscribe_response::Item;
use fanline_proto::v1::{RevokeRequest, SubscribeResponse, revoke_request};
use fanline_tests::{
    ApiKey, Backend, DEADLINE, Dev, Hub, Process, Publication, Token, get, reason, until, within,
};
use serde_json::{Value, json};
use tonic::{Code, Status, Streaming};

async fn reloads(hub: &Hub, outcome: &str) -> f64 {
    hub.metrics().await.sum("fanline_reloads_total", &format!("outcome=\"{outcome}\""))
}

/// Sends SIGHUP and waits until it has been dealt with.
async fn hang_up(hub: &Hub, outcome: &str) {
    let before = reloads(hub, outcome).await;
    hub.process.signal("HUP");
    until("the reload", async || reloads(hub, outcome).await > before).await;
}

#[tokio::test]
async fn keys_and_namespaces_are_replaced_while_connections_stay() {
    let (old, new) = (key("old"), key("new"));
    let builder = Hub::builder();
    let fresh =
        Hub::builder().unset("tokens.keys").api_key(&new).set("namespaces.fresh.lifecycle", true);
    let hub = builder.api_key(&old).start().await;
    let token = Token::user("ada").everything_in(&["chat:*"]);
    let mut room = hub.room(&token).await;
    room.join("chat:lobby").await;
    assert!(
        hub.rpc_with(&new.secret)
            .await
            .try_publish(Publication::to("chat:lobby", 0))
            .await
            .is_err()
    );
    hub.rpc_with(&old.secret).await.publish(Publication::to("chat:lobby", 1)).await;

    hub.write("fanline.toml", &fresh.text());
    hang_up(&hub, "applied").await;

    let refused =
        hub.rpc_with(&old.secret).await.try_publish(Publication::to("chat:lobby", 0)).await;
    assert_eq!(reason(&refused.expect_err("an old key")), "UNAUTHENTICATED");
    let rpc = hub.rpc_with(&new.secret).await;
    rpc.publish(Publication::to("chat:lobby", 2)).await;
    rpc.publish(Publication::to("fresh:one", 3)).await;
    let document = get(hub.addresses.public, "/asyncapi.json").await.json();
    let told = &document["channels"]["fanline.lifecycle"]["parameters"]["namespace"]["examples"];
    assert_eq!(*told, json!(["fresh"]), "the documents say what is in force");
    assert_eq!(room.data(2).await, [json!(1), json!(2)], "who was let in stays");
    let refusal = hub.upgrade().bearer(&token.sign()).refused().await;
    assert!(refusal.is_invalid_token(), "its key has gone: {refusal:?}");
}

#[tokio::test]
async fn a_hub_on_one_core_reloads_too() {
    let builder = Hub::builder();
    let fresh = Hub::builder().set("namespaces.fresh.lifecycle", true);
    let hub = builder.on_one_core().start().await;
    for _ in 0..2 {
        hub.write("fanline.toml", &fresh.text());
        hang_up(&hub, "applied").await;
        hub.publish(Publication::to("fresh:one", 1)).await;
    }
}

#[tokio::test]
async fn streams_end_with_the_key_that_opened_them_and_those_of_others_go_on() {
    let (gone, changed) = (key("gone").scopes(&["subscribe", "commands"]), key("changed"));
    let changed = changed.scopes(&["subscribe"]);
    let hub = Hub::builder().api_key(&gone).api_key(&changed).start().await;
    let rpc = hub.rpc_with(&gone.secret).await;
    let mut following = rpc.subscribe("news:a", None).await;
    let mut serving = Backend::serve(&rpc, &["chat.*"], 1).await;
    let mut of_the_changed = hub.rpc_with(&changed.secret).await.subscribe("news:a", None).await;
    let mut of_another = hub.rpc().await.subscribe("news:a", None).await;

    let narrowed = changed.clone().channels(&["chat:*"]);
    hub.write("fanline.toml", &Hub::builder().api_key(&narrowed).text());
    hang_up(&hub, "applied").await;

    assert_eq!(reason(&end(&mut following).await), "UNAUTHENTICATED");
    assert_eq!(reason(&serving.end().await.expect_err("its key is gone")), "UNAUTHENTICATED");
    let to_be_opened_again = end(&mut of_the_changed).await;
    assert_eq!(to_be_opened_again.code(), Code::Unavailable, "{to_be_opened_again:?}");
    hub.publish(Publication::to("news:a", 1)).await;
    let mut goes_on = async || loop {
        let item = of_another.message().await.expect("it goes on").expect("it has not ended");
        if let Some(Item::Event(event)) = item.item {
            return event;
        }
    };
    assert_eq!(within(DEADLINE, "the event", goes_on()).await.data, "1");
}

#[tokio::test]
async fn a_revocation_lasts_as_long_as_tokens_may_live_by_the_rules_of_now() {
    const DAY: i64 = 24 * 3600;
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    let revoked_until = async || {
        let subject = Some(revoke_request::Subject::User("nobody".to_owned()));
        let request = RevokeRequest { subject, ..RevokeRequest::default() };
        let answer = rpc.connections().revoke(request).await.expect("the key may revoke");
        answer.into_inner().until.expect("it ends").seconds
    };
    let by_the_default_of_a_day = revoked_until().await;
    let good = std::fs::read_to_string(hub.folder().join("fanline.toml")).expect("it is there");
    let mut longer: toml::Table = good.parse().expect("TOML");
    let tokens = longer["tokens"].as_table_mut().expect("a section");
    tokens.insert("max_lifetime".to_owned(), "72h".into());
    hub.write("fanline.toml", &longer.to_string());
    hang_up(&hub, "applied").await;
    assert!(revoked_until().await - by_the_default_of_a_day >= 2 * DAY);
}

#[tokio::test]
async fn a_configuration_with_a_fault_replaces_nothing_and_the_log_says_why() {
    let hub = Hub::start().await;
    let good = std::fs::read_to_string(hub.folder().join("fanline.toml")).expect("it is there");
    hub.write("fanline.toml", &format!("{good}\n[namespaces.other]\nhistory_sise = 1\n"));
    hang_up(&hub, "refused").await;
    let rpc = hub.rpc().await;
    rpc.publish(Publication::to("chat:lobby", 1)).await;
    let stderr = hub.process.stderr() + &hub.process.stdout();
    assert!(stderr.contains("history_sise") && stderr.contains("stays in force"), "{stderr}");
    hub.write("fanline.toml", &good);
    hang_up(&hub, "applied").await;
}

#[tokio::test]
async fn a_catalog_is_replaced_by_a_better_one_and_never_by_a_broken_one() {
    let schema = |kind: &str| {
        json!({ "x-fanline": { "type": "note", "channels": ["room"] }, "type": kind }).to_string()
    };
    let hub = Hub::builder()
        .set("catalog.path", "catalog")
        .file(
            "catalog/catalog.toml",
            "[info]\ntitle = 'T'\n[channels.room]\naddress = 'chat:{room}'\n",
        )
        .file("catalog/jsonschema/note.json", &schema("string"))
        .start()
        .await;
    let rpc = hub.rpc().await;
    let note = |data: Value| {
        let mut publication = Publication::to("chat:lobby", data);
        publication.0.r#type = "note".to_owned();
        publication
    };
    rpc.publish(note("a".into())).await;
    assert!(rpc.try_publish(note(1.into())).await.is_err());

    hub.write("catalog/jsonschema/note.json", &schema("sting"));
    hang_up(&hub, "refused").await;
    rpc.publish(note("a".into())).await;
    let log = hub.process.stderr() + &hub.process.stdout();
    assert!(log.contains("catalog/jsonschema/note.json:"), "{log}");

    hub.write("catalog/jsonschema/note.json", &schema("integer"));
    hang_up(&hub, "applied").await;
    rpc.publish(note(1.into())).await;
    assert!(rpc.try_publish(note("a".into())).await.is_err());
}

#[tokio::test]
async fn dev_holds_events_to_its_demo_catalog() {
    let mut dev = Dev::start();
    let publish = dev.command_with("fanline publish ").await;
    let (good, status) = pasted(&publish).await;
    assert!(status, "{good}");
    let wrong = publish.replace(r#"{"text":"hello"}"#, r#"{"texts":"hello"}"#);
    assert_ne!(publish, wrong, "the line publishes what this test thinks");
    let (output, status) = pasted(&wrong).await;
    assert!(!status && output.contains("the data is not that of a `message`"), "{output}");
}

#[tokio::test]
async fn dev_notices_a_change_of_a_catalogs_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("ours");
        std::fs::write(path, text).expect("ours");
    };
    write("catalog.toml", "[info]\ntitle = 'T'\n[channels.room]\naddress = 'chat:{room}'\n");
    let message = |kind: &str| {
        json!({ "x-fanline": { "type": "message", "channels": ["room"] }, "type": kind })
            .to_string()
    };
    write("jsonschema/message.json", &message("string"));
    let mut dev = Dev::start_with(&[("FANLINE_CATALOG__PATH", path_text(folder.path()))]);
    let publish = dev.command_with("fanline publish ").await;
    let (output, status) = pasted(&publish).await;
    assert!(!status && output.contains("the data is not that of a `message`"), "{output}");
    write("jsonschema/message.json", &message("object"));
    until("the new catalog", async || pasted(&publish).await.1).await;
}

fn path_text(path: &Path) -> &str {
    path.to_str().expect("a temporary folder has a plain name")
}

/// Runs a line as it was printed: what it says, and whether it succeeded.
async fn pasted(line: &str) -> (String, bool) {
    let mut process = Process::pasted(line);
    let status = process.exit().await;
    (process.output(), status.success())
}

/// A key that may publish anywhere.
/// Waits for the status that ends a stream.
async fn end(stream: &mut Streaming<SubscribeResponse>) -> Status {
    loop {
        match within(DEADLINE, "the end", stream.message()).await {
            Ok(item) => assert!(item.is_some(), "it ended well"),
            Err(status) => return status,
        }
    }
}

fn key(name: &str) -> ApiKey {
    ApiKey::new(name).scopes(&["publish"]).channels(&["*"])
}
