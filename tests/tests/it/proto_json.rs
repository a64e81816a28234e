//! Protobuf bodies: what clients read of them is what Python's own protobuf would have written.

use std::path::Path;

use fanline_tests::{ApiKey, Hub, Script};
use serde_json::json;

#[tokio::test]
async fn what_is_delivered_is_what_pythons_protobuf_writes() {
    let checkout =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests lies in the checkout");
    let catalog = checkout.join("asyncapi/tests/every_kind");
    let hub = Hub::builder()
        .set("catalog.path", catalog.to_str().expect("a plain name"))
        .set("namespaces.kinds.history_size", 1000)
        .start()
        .await;
    let seen = Script::python("proto_json.py")
        .option("target", hub.addresses.grpc)
        .option("key", ApiKey::all().secret)
        .option("channel", "kinds:all")
        .run()
        .await;
    assert_eq!(seen["faults"], json!([]), "{seen}");
    assert!(seen["cases"].as_u64().is_some_and(|cases| cases >= 30), "{seen}");
    let transcoded = hub.metrics().await.sum("fanline_events_transcoded_total", "");
    assert_eq!(Some(transcoded as u64), seen["cases"].as_u64());
}
