//! A configuration that is wrong is refused with words that help.

use fanline_tests::{Hub, Publication, Signer, Token};
use serde_json::json;
use toml::toml;

#[tokio::test]
async fn an_unknown_key_is_named_with_its_line_and_the_nearest_known_key() {
    for (key, wrong, meant) in [
        ("limits.wirte_timeout", "wirte_timeout", "write_timeout"),
        ("namespaces.chat.presense", "presense", "presence"),
        ("pubilc.listen", "pubilc", "public"),
    ] {
        let builder = Hub::builder().set(key, "10s");
        let text = builder.text();
        let line = text.lines().position(|line| line.contains(wrong)).expect("it is there") + 1;
        let complaint = builder.refused().await;
        assert!(complaint.contains(wrong), "{key}: {complaint}");
        assert!(complaint.contains(meant), "{key}: {complaint}");
        let named = [format!("line {line}"), format!(":{line}")];
        assert!(
            named.iter().any(|form| complaint.contains(form)),
            "{key}, line {line}: {complaint}"
        );
    }
}

#[tokio::test]
async fn a_value_that_makes_no_sense_is_named() {
    for (key, value) in [
        ("limits.write_timeout", "10 parsecs"),
        ("limits.frame_bytes", "many"),
        ("public.listen", "somewhere"),
        ("namespaces.chat.subscribe", "everyone"),
        ("broker.kind", "carrier pigeon"),
        ("public.allowed_origins", "https://not-a-list.example"),
    ] {
        let complaint = Hub::builder().set(key, value).refused().await;
        let name = key.rsplit('.').next().expect("a key has a last part");
        assert!(complaint.contains(name), "{key} = {value:?}: {complaint}");
        assert!(!complaint.contains("panicked"), "{complaint}");
    }
}

#[tokio::test]
async fn durations_and_sizes_are_read_in_their_units() {
    let hub = Hub::builder()
        .set("limits.client_event_bytes", "1KiB")
        .set("limits.grpc_event_bytes", 2048)
        .set("limits.write_timeout", "1m 30s")
        .start()
        .await;
    let mut room = hub.room(&Token::user("ada").everything_in(&["chat:*"])).await;
    let publish =
        json!({"op": "publish", "channel": "chat:a", "type": "note", "data": "x".repeat(1024)});
    assert_eq!(room.refused(publish).await, "TOO_LARGE");
    hub.publish(Publication::to("chat:a", "x".repeat(1024))).await;
    let publish = hub.rpc().await.try_publish(Publication::to("chat:a", "x".repeat(2048))).await;
    publish.expect_err("too large");
}

#[tokio::test]
async fn a_secret_under_32_bytes_is_refused_and_not_repeated() {
    let secret = "only-31-bytes-long-0123456789ab";
    assert_eq!(secret.len(), 31);
    let keys = toml! {
        list = [{ kid = "weak", algorithm = "HS256", secret = "only-31-bytes-long-0123456789ab", use = "client" }]
    };
    let complaint = Hub::builder().set("tokens.keys", keys["list"].clone()).refused().await;
    assert!(complaint.contains("secret") && complaint.contains("32"), "{complaint}");
    assert!(complaint.contains("weak"), "which key it is: {complaint}");
    assert!(!complaint.contains(secret), "{complaint}");
}

#[tokio::test]
async fn without_a_way_for_backends_to_authenticate_it_does_not_start() {
    let keys = toml! {
        list = [{ kid = "client", algorithm = "HS256", secret = "a-secret-that-is-long-enough-0123456789", use = "client" }]
    };
    let complaint =
        Hub::builder().unset("api_keys").set("tokens.keys", keys["list"].clone()).refused().await;
    assert!(complaint.contains("api_keys"), "{complaint}");
}

#[tokio::test]
async fn an_origin_with_a_path_is_no_origin() {
    let origins = toml::Value::from(vec!["https://app.example.com/page"]);
    let complaint = Hub::builder().set("public.allowed_origins", origins).refused().await;
    assert!(complaint.contains("allowed_origins"), "{complaint}");
}

#[tokio::test]
async fn the_environment_overrides_the_file() {
    let hub = Hub::builder().env("FANLINE_LIMITS__CHANNELS_PER_CONNECTION", "1").start().await;
    let mut room = hub.room(&Token::user("ada").everything_in(&["chat:*"])).await;
    room.join("chat:a").await;
    let join = json!({"op": "join", "channel": "chat:b"});
    assert_eq!(room.refused(join).await, "LIMIT_EXCEEDED");
}

#[tokio::test]
async fn an_unknown_key_in_the_environment_is_named_too() {
    let complaint = Hub::builder().env("FANLINE_LIMITS__WIRTE_TIMEOUT", "1s").refused().await;
    assert!(complaint.to_lowercase().contains("wirte_timeout"), "{complaint}");
    assert!(complaint.to_lowercase().contains("write_timeout"), "{complaint}");
}

#[tokio::test]
async fn a_secret_may_come_from_the_environment_or_a_file() {
    let secret = "a-secret-of-the-environment-0123456789";
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("secret");
    std::fs::write(&path, format!("{secret}\n")).expect("the folder is ours");
    for reference in ["env:TEST_TOKEN_SECRET".to_owned(), format!("file:{}", path.display())] {
        let mut key = toml! {
            kid = "client"
            algorithm = "HS256"
            use = "client"
        };
        key.insert("secret".to_owned(), reference.clone().into());
        let hub = Hub::builder()
            .set("tokens.keys", vec![toml::Value::from(key)])
            // As a shell may leave it.
            .env("TEST_TOKEN_SECRET", &format!("{secret}\n"))
            .start()
            .await;
        let token = Token::user("ada").signed_by(Signer::Secret(secret)).sign();
        let room = hub.upgrade().bearer(&token).open().await;
        assert_eq!(room.welcome["user"], "ada", "{reference}");
    }
}

#[tokio::test]
async fn a_secret_that_is_not_where_it_should_be_is_named() {
    let key = toml! {
        kid = "client"
        algorithm = "HS256"
        secret = "env:NOT_SET_ANYWHERE"
        use = "client"
    };
    let complaint = Hub::builder().set("tokens.keys", vec![toml::Value::from(key)]).refused().await;
    assert!(complaint.contains("NOT_SET_ANYWHERE"), "{complaint}");
}

#[tokio::test]
async fn the_default_namespace_serves_channels_without_a_colon_and_open_serves_all() {
    let everything = Token::user("ada").everything_in(&["*"]);
    let hub = Hub::builder().set("namespaces.default.history_size", 5).start().await;
    let mut room = hub.room(&everything).await;
    room.join("lobby").await;
    let join = json!({"op": "join", "channel": "unheard:of"});
    assert_eq!(room.refused(join).await, "UNKNOWN_NAMESPACE");

    let hub = Hub::builder().set("namespaces.default.open", true).start().await;
    let mut room = hub.room(&everything).await;
    room.join("lobby").await;
    room.join("unheard:of").await;
}

#[tokio::test]
async fn a_file_that_is_not_there_is_named() {
    let mut command = fanline_tests::fanline();
    command.args(["serve", "--config", "/nowhere/fanline.toml"]);
    let mut process = fanline_tests::Process::spawn("fanline serve", command);
    assert!(!process.exit().await.success());
    assert!(process.stderr().contains("/nowhere/fanline.toml"), "{}", process.output());
}
