//! Who may call gRPC, and the services that stand beside `fanline.v1`.

use fanline_proto::v1::channel_selector::Start;
use fanline_proto::v1::{
    ChannelSelector, ChannelStatsRequest, HistoryRequest, ListChannelsRequest, PresenceRequest,
    SubscribeRequest,
};
use fanline_tests::{ApiKey, DEADLINE, Hub, Publication, Rpc, Token, reason, within};
use tonic::{Code, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::{v1, v1alpha};

#[tokio::test]
async fn without_a_known_key_every_call_is_unauthenticated() {
    let hub = Hub::start().await;
    let almost = ApiKey::all().secret;
    let almost = &almost[..almost.len() - 1];
    for credential in [None, Some(""), Some("wrong-key"), Some(almost)] {
        let rpc = Rpc::connect(hub.addresses.grpc, credential).await;
        assert_unauthenticated(&rpc, &format!("{credential:?}")).await;
    }
}

#[tokio::test]
async fn a_key_may_do_what_its_scopes_say_in_the_channels_of_its_patterns() {
    let scopes = ["publish", "subscribe", "presence", "history"];
    for scope in scopes {
        let key = ApiKey::new("narrow").scopes(&[scope]).channels(&["chat:*"]);
        let hub = Hub::builder().api_key(&key).start().await;
        let rpc = hub.rpc_with(&key.secret).await;
        for (call, outcome) in every_call(&rpc, "chat:lobby").await {
            let allowed = match call {
                "Publish" => scope == "publish",
                "Subscribe" => scope == "subscribe",
                "History" => scope == "history",
                _ => scope == "presence",
            };
            let code = outcome.map_or_else(|status| status.code(), |()| Code::Ok);
            let expected = if allowed { Code::Ok } else { Code::PermissionDenied };
            assert_eq!(code, expected, "{call} with the scope {scope}");
        }
        for (call, outcome) in every_call(&rpc, "news:today").await {
            // Listing names no channel: it lists only those that the key covers.
            if call != "List" {
                let status = outcome.expect_err(call);
                assert_eq!(status.code(), Code::PermissionDenied, "{call} outside the patterns");
                assert_eq!(reason(&status), "PERMISSION_DENIED");
            }
        }
    }
}

#[tokio::test]
async fn a_list_shows_only_channels_that_the_key_covers() {
    let key = ApiKey::new("narrow").scopes(&["presence"]).channels(&["news:*"]);
    let hub = Hub::builder().api_key(&key).start().await;
    let mut room = hub.room(&Token::user("ada").everything_in(&["*"])).await;
    room.join("chat:lobby").await;
    room.join("news:today").await;
    let rpc = hub.rpc_with(&key.secret).await;
    let list = rpc.channels().list(ListChannelsRequest::default()).await.expect("a list");
    let names: Vec<_> = list.into_inner().channels.into_iter().map(|info| info.channel).collect();
    assert_eq!(names, ["news:today"]);
}

#[tokio::test]
async fn a_stream_ends_with_the_token_that_opened_it() {
    let hub = Hub::start().await;
    let token = Token::service(&["subscribe"], &["news:*"]).expires_in(2);
    let mut stream = hub.rpc_with(&token.sign()).await.subscribe("news:a", None).await;
    let first = within(DEADLINE, "the first item", stream.message()).await;
    assert!(first.expect("a good token").is_some());
    let end = within(DEADLINE, "the end", stream.message()).await.expect_err("it has expired");
    assert_eq!((end.code(), reason(&end).as_str()), (Code::Unauthenticated, "TOKEN_EXPIRED"));
}

#[tokio::test]
async fn a_clients_token_is_not_for_grpc() {
    let hub = Hub::start().await;
    let token = Token::user("ada")
        .everything_in(&["*"])
        .claim("scopes", ["publish"].as_slice())
        .claim("channels", ["*"].as_slice());
    let publish =
        hub.rpc_with(&token.sign()).await.try_publish(Publication::to("chat:lobby", 1)).await;
    let status = publish.expect_err("refused");
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::PermissionDenied, "PERMISSION_DENIED")
    );
}

#[tokio::test]
async fn health_needs_no_key() {
    let hub = Hub::start().await;
    let rpc = Rpc::connect(hub.addresses.grpc, None).await;
    let mut health = HealthClient::new(rpc.authenticated());
    for service in ["", "fanline.v1.Publisher", "fanline.v1.Subscriber", "fanline.v1.Channels"] {
        let request = HealthCheckRequest { service: service.to_owned() };
        let check = within(DEADLINE, "the health check", health.check(request)).await;
        let status = check.expect("answered").into_inner().status();
        assert_eq!(status, ServingStatus::Serving, "{service:?}");
    }
}

#[tokio::test]
async fn reflection_needs_a_key() {
    let hub = Hub::start().await;
    let rpc = Rpc::connect(hub.addresses.grpc, None).await;
    let request = v1::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(v1::server_reflection_request::MessageRequest::ListServices(
            String::new(),
        )),
    };
    let mut client = v1::server_reflection_client::ServerReflectionClient::new(rpc.authenticated());
    let status =
        client.server_reflection_info(tokio_stream::iter([request])).await.expect_err("refused");
    assert_eq!(status.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn reflection_lists_our_services_in_both_versions() {
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    let expected = [
        "fanline.v1.Publisher",
        "fanline.v1.Subscriber",
        "fanline.v1.Channels",
        "grpc.health.v1.Health",
    ];

    let request = v1::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(v1::server_reflection_request::MessageRequest::ListServices(
            String::new(),
        )),
    };
    let mut client = v1::server_reflection_client::ServerReflectionClient::new(rpc.authenticated());
    let mut stream = client
        .server_reflection_info(tokio_stream::iter([request]))
        .await
        .expect("reflection v1")
        .into_inner();
    let answer = within(DEADLINE, "the list", stream.message())
        .await
        .expect("a message")
        .expect("an answer");
    let Some(v1::server_reflection_response::MessageResponse::ListServicesResponse(list)) =
        answer.message_response
    else {
        panic!("no list: {answer:?}")
    };
    let names: Vec<_> = list.service.iter().map(|service| service.name.as_str()).collect();
    assert!(expected.iter().all(|name| names.contains(name)), "v1: {names:?}");

    let request = v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(v1alpha::server_reflection_request::MessageRequest::ListServices(
            String::new(),
        )),
    };
    let mut client =
        v1alpha::server_reflection_client::ServerReflectionClient::new(rpc.authenticated());
    let mut stream = client
        .server_reflection_info(tokio_stream::iter([request]))
        .await
        .expect("reflection v1alpha")
        .into_inner();
    let answer = within(DEADLINE, "the list", stream.message())
        .await
        .expect("a message")
        .expect("an answer");
    let Some(v1alpha::server_reflection_response::MessageResponse::ListServicesResponse(list)) =
        answer.message_response
    else {
        panic!("no list: {answer:?}")
    };
    let names: Vec<_> = list.service.iter().map(|service| service.name.as_str()).collect();
    assert!(expected.iter().all(|name| names.contains(name)), "v1alpha: {names:?}");
}

async fn assert_unauthenticated(rpc: &Rpc, credential: &str) {
    for (call, outcome) in every_call(rpc, "chat:lobby").await {
        let status = outcome.expect_err(call);
        assert_eq!(status.code(), Code::Unauthenticated, "{call}, {credential}: {status:?}");
        let reason = reason(&status);
        assert!(["UNAUTHENTICATED", "TOKEN_EXPIRED"].contains(&reason.as_str()), "{reason}");
    }
}

/// One call of each kind about a channel, with its outcome.
async fn every_call(rpc: &Rpc, channel: &str) -> Vec<(&'static str, Result<(), Status>)> {
    let channel = channel.to_owned();
    let mut channels = rpc.channels();
    let history = HistoryRequest { channel: channel.clone(), ..HistoryRequest::default() };
    let presence = PresenceRequest { channel: channel.clone() };
    let stats = ChannelStatsRequest { channel: channel.clone() };
    let selector = ChannelSelector { channel: channel.clone(), start: Some(Start::Earliest(true)) };
    vec![
        ("Publish", rpc.try_publish(Publication::to(&channel, 1)).await.map(drop)),
        ("Subscribe", first_of(rpc, SubscribeRequest { channels: vec![selector] }).await),
        ("History", channels.history(history).await.map(drop)),
        ("Presence", channels.presence(presence).await.map(drop)),
        ("Stats", channels.stats(stats).await.map(drop)),
        ("List", channels.list(ListChannelsRequest::default()).await.map(drop)),
    ]
}

/// A refusal may come as the answer or as the first item.
async fn first_of(rpc: &Rpc, request: SubscribeRequest) -> Result<(), Status> {
    let mut stream = rpc.subscriber().subscribe(request).await?.into_inner();
    within(DEADLINE, "the first item", stream.message()).await.map(drop)
}
