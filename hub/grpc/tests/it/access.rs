//! Who is let in, and to what.

use crate::harness::{FULL_KEY, Front, in_time, key, publish_request, subscribe_request, why};
use fanline_grpc::keys::Scope;
use fanline_proto::v1::{
    BroadcastRequest, ChannelStatsRequest, HistoryRequest, ListChannelsRequest, PresenceRequest,
};
use futures_util::stream;
use tonic::{Code, Request, Status};
use tonic_reflection::pb::{v1, v1alpha};

/// Calls every RPC for one channel, and tells how each was answered.
async fn every_rpc(front: &Front, key: &str, channel: &str) -> Vec<(&'static str, Option<String>)> {
    let (mut publisher, mut subscriber) = (front.publisher(key), front.subscriber(key));
    let mut channels = front.channels(key);
    let name = channel.to_owned();
    let broadcast =
        BroadcastRequest { channels: vec![name.clone()], event: Some(publish_request("", "1")) };
    // A failure inside a call counts like a failure of the call.
    let broadcast = match publisher.broadcast(broadcast).await {
        Ok(response) => {
            let result = response.into_inner().results.remove(0).response.unwrap();
            result.error.map_or(Ok(()), |error| Err(Status::new(error.code.into(), error.message)))
        }
        Err(status) => Err(status),
    };
    let streamed = stream::iter([publish_request(channel, "1")]);
    let streamed = match publisher.publish_stream(streamed).await {
        Ok(response) => {
            let answer = in_time(response.into_inner().message()).await.unwrap().unwrap();
            answer.error.map_or(Ok(()), |error| Err(Status::new(error.code.into(), error.message)))
        }
        Err(status) => Err(status),
    };
    let history = HistoryRequest { channel: name.clone(), ..HistoryRequest::default() };
    let answers = [
        ("Publish", publisher.publish(publish_request(channel, "1")).await.map(drop)),
        ("Broadcast", broadcast),
        ("PublishStream", streamed),
        ("Subscribe", subscriber.subscribe(subscribe_request([(channel, None)])).await.map(drop)),
        ("History", channels.history(history).await.map(drop)),
        ("Presence", channels.presence(PresenceRequest { channel: name.clone() }).await.map(drop)),
        ("Stats", channels.stats(ChannelStatsRequest { channel: name }).await.map(drop)),
        ("List", channels.list(ListChannelsRequest::default()).await.map(drop)),
    ];
    answers
        .into_iter()
        .map(|(rpc, answer)| (rpc, answer.err().map(|status| format!("{:?}", status.code()))))
        .collect()
}

#[tokio::test]
async fn without_a_known_key_nothing_is_handled() {
    let front = Front::start().await;
    for key in ["", "fk_other", "fk_ful", "fk_full "] {
        for (rpc, refused) in every_rpc(&front, key, "a:b").await {
            // The last one is trimmed on the way, as header values are (RFC 9110, section 5.5).
            let expected = (key.trim() != FULL_KEY).then(|| "Unauthenticated".to_owned());
            assert_eq!(refused, expected, "{rpc} with `{key}`");
        }
    }
    let mut bare = fanline_proto::v1::publisher_client::PublisherClient::new(front.channel());
    let status = bare.publish(publish_request("a:c", "1")).await.unwrap_err();
    assert_eq!(why(&status), "Unauthenticated UNAUTHENTICATED");
    let top = front.hub.state(&"a:c".parse().unwrap()).await.unwrap().top;
    assert_eq!(top.offset.get(), 0);
}

#[tokio::test]
async fn a_clients_token_is_denied() {
    let front = Front::start().await;
    let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1NDIifQ.c2lnbmF0dXJl";
    for (rpc, refused) in every_rpc(&front, token, "a:b").await {
        assert_eq!(refused.as_deref(), Some("PermissionDenied"), "{rpc}");
    }
}

#[tokio::test]
async fn each_rpc_needs_its_scope_and_its_channel() {
    let needed = [
        ("Publish", Scope::Publish),
        ("Broadcast", Scope::Publish),
        ("PublishStream", Scope::Publish),
        ("Subscribe", Scope::Subscribe),
        ("History", Scope::History),
        ("Presence", Scope::Presence),
        ("Stats", Scope::Presence),
        ("List", Scope::Presence),
    ];
    let keys = Scope::ALL.map(|scope| key(scope.as_str(), &[scope], &["a:*"]));
    let front = Front::with_keys(keys.into()).await;
    let denied = || Some("PermissionDenied".to_owned());
    for scope in Scope::ALL {
        let answers = every_rpc(&front, scope.as_str(), "a:b").await;
        let expected = needed.map(|(rpc, needed)| (rpc, denied().filter(|_| needed != scope)));
        assert_eq!(answers, expected, "with the scope {scope}");
        // A list has no channel to be denied: it leaves out what the caller does not cover.
        let answers = every_rpc(&front, scope.as_str(), "none:b").await;
        let expected = needed
            .map(|(rpc, needed)| (rpc, denied().filter(|_| needed != scope || rpc != "List")));
        assert_eq!(answers, expected, "with the scope {scope}, elsewhere");
    }
}

#[tokio::test]
async fn a_denied_channel_answers_the_same_whether_it_exists() {
    let front = Front::with_keys(vec![key("narrow", &Scope::ALL, &["room:*"])]).await;
    front.publish("a:there", 1).await;
    let mut messages = Vec::new();
    for channel in ["a:there", "a:other", "nowhere:x"] {
        let denied = front.publisher("narrow").publish(publish_request(channel, "1")).await;
        let status = denied.unwrap_err();
        assert_eq!(why(&status), "PermissionDenied PERMISSION_DENIED");
        messages.push(status.message().replace(channel, "CHANNEL"));
    }
    assert!(messages[0].contains("the API key `narrow`"), "{}", messages[0]);
    assert_eq!(messages[0], messages[1]);
    assert_eq!(messages[0], messages[2]);
}

#[tokio::test]
async fn reflection_describes_the_services_to_whoever_has_a_key() {
    let front = Front::start().await;
    let services = [
        "fanline.v1.Channels",
        "fanline.v1.Publisher",
        "fanline.v1.Subscriber",
        "grpc.health.v1.Health",
    ];

    let ask = || v1::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(v1::server_reflection_request::MessageRequest::ListServices(
            String::new(),
        )),
    };
    let bare = v1::server_reflection_client::ServerReflectionClient::new(front.channel())
        .server_reflection_info(stream::iter([ask()]))
        .await;
    assert_eq!(bare.unwrap_err().code(), Code::Unauthenticated);
    let with_key = front.with_key(FULL_KEY);
    let mut answers = v1::server_reflection_client::ServerReflectionClient::new(with_key)
        .server_reflection_info(stream::iter([ask()]))
        .await
        .unwrap()
        .into_inner();
    let answer = in_time(answers.message()).await.unwrap().unwrap().message_response;
    let Some(v1::server_reflection_response::MessageResponse::ListServicesResponse(list)) = answer
    else {
        panic!("{answer:?}");
    };
    let names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
    for service in services {
        assert!(names.iter().any(|name| name == service), "{service} in {names:?}");
    }

    let ask = v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(v1alpha::server_reflection_request::MessageRequest::ListServices(
            String::new(),
        )),
    };
    let mut answers =
        v1alpha::server_reflection_client::ServerReflectionClient::new(front.with_key(FULL_KEY))
            .server_reflection_info(Request::new(stream::iter([ask])))
            .await
            .unwrap()
            .into_inner();
    let answer = in_time(answers.message()).await.unwrap().unwrap().message_response;
    let Some(v1alpha::server_reflection_response::MessageResponse::ListServicesResponse(list)) =
        answer
    else {
        panic!("{answer:?}");
    };
    assert!(list.service.iter().any(|service| service.name == "fanline.v1.Publisher"));
}
