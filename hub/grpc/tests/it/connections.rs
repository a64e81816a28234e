//! Seeing, moving and ending connections.

use crate::harness::{FULL_KEY, Front, TOKEN_LIFE_MAX, key, why};
use fanline_core::Reason;
use fanline_core::broker::Member;
use fanline_core::connections::{Attendance, Ending, Order, Transport};
use fanline_core::ids::{ConnectionId, UserId};
use fanline_core::presence::Membership;
use fanline_grpc::keys::Scope;
use fanline_proto::v1::{
    DisconnectRequest, JoinRequest, LeaveRequest, ListConnectionsRequest, RevokeRequest,
    disconnect_request, join_request, leave_request, revoke_request,
};
use std::task::{Context, Poll, Waker};
use tonic_types::StatusExt;

/// A connection of a user, with a token of that id.
struct Client {
    id: ConnectionId,
    attendance: Attendance,
}

impl Client {
    fn connect(front: &Front, user: &str, token: &str) -> Self {
        let id = front.hub.connection_id();
        let token = Some(token.into());
        let attendance = front.hub.attend(id, Transport::WebSocket, UserId::new(user), token, None);
        Client { id, attendance }
    }

    async fn enter(&self, front: &Front, channel: &str, user: &str) -> Membership {
        let joined_at = front.hub.clock().wall();
        let member = Member { connection: self.id, user: UserId::new(user), info: None, joined_at };
        front.hub.enter(&channel.parse().unwrap(), member).await.unwrap()
    }

    fn order(&self) -> Option<Order> {
        let mut cx = Context::from_waker(Waker::noop());
        match self.attendance.poll_order(&mut cx, false) {
            Poll::Ready(order) => Some(order),
            Poll::Pending => None,
        }
    }
}

fn disconnect(target: disconnect_request::Target) -> DisconnectRequest {
    DisconnectRequest { target: Some(target), reconnect: true }
}

fn revoke(subject: revoke_request::Subject) -> RevokeRequest {
    RevokeRequest { subject: Some(subject), ..RevokeRequest::default() }
}

#[tokio::test]
async fn connections_are_listed_by_pages_with_what_the_key_covers() {
    let front =
        Front::with_keys(vec![key("narrow", &[Scope::Connections], &["room:a", "a:*"])]).await;
    let clients = ["ada", "bob", "ada", ""].map(|user| Client::connect(&front, user, "t"));
    let _memberships = (
        clients[0].enter(&front, "room:a", "ada").await,
        clients[1].enter(&front, "room:b", "bob").await,
        clients[2].enter(&front, "room:a", "ada").await,
        clients[2].enter(&front, "room:b", "ada").await,
    );
    let list = async |key: &str, user: &str, channel: &str, page_size| {
        let (mut found, mut page_token) = (Vec::new(), String::new());
        loop {
            let (user, channel) = (user.to_owned(), channel.to_owned());
            let request = ListConnectionsRequest { user, channel, page_size, page_token };
            let page = front.connections(key).list(request).await.unwrap().into_inner();
            found.extend(page.connections);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                let place = |id: &str| {
                    clients.iter().position(|client| client.id.to_string() == id).unwrap()
                };
                let brief = found.iter().map(|connection| {
                    (place(&connection.connection), connection.channels.join(" "))
                });
                let mut brief: Vec<_> = brief.collect();
                // Connections of one millisecond are in no order of their coming.
                brief.sort();
                return brief;
            }
        }
    };
    let row = |place, channels: &str| (place, channels.to_owned());
    let all = [row(0, "room:a"), row(1, "room:b"), row(2, "room:a room:b"), row(3, "")];
    assert_eq!(list(FULL_KEY, "", "", 0).await, all);
    assert_eq!(list(FULL_KEY, "", "", 1).await, all);
    assert_eq!(list(FULL_KEY, "ada", "", 1).await, [all[0].clone(), all[2].clone()]);
    assert_eq!(list(FULL_KEY, "ada", "room:b", 0).await, [all[2].clone()]);
    assert_eq!(list(FULL_KEY, "nobody", "", 0).await, []);
    assert_eq!(list("narrow", "", "", 2).await, [row(0, "room:a"), row(2, "room:a")]);

    let request = ListConnectionsRequest { user: "bob".into(), ..Default::default() };
    let page = front.connections(FULL_KEY).list(request).await.unwrap().into_inner();
    let bob = &page.connections[0];
    assert_eq!((&*bob.user, &*bob.token_id, &*bob.transport), ("bob", "t", "websocket"));
    assert_eq!(bob.connected_at.unwrap().seconds, 1_767_225_600);
    assert_eq!(bob.node, front.hub.node().to_string());
}

#[tokio::test]
async fn orders_reach_whom_they_name() {
    let front = Front::start().await;
    let [one, two, other] = [("ada", "t1"), ("ada", "t2"), ("bob", "t3")]
        .map(|(user, token)| Client::connect(&front, user, token));
    let mut connections = front.connections(FULL_KEY);

    let target = Some(join_request::Target::User("ada".into()));
    let request = JoinRequest { target, channel: "a:b".into() };
    assert_eq!(connections.join(request).await.unwrap().into_inner().connections, 2);
    let channel = "a:b".parse().unwrap();
    assert_eq!(
        [&one, &two, &other].map(Client::order),
        [Some(Order::Join(channel)), Some(Order::Join("a:b".parse().unwrap())), None,]
    );

    let target = Some(leave_request::Target::Connection(other.id.to_string()));
    let request = LeaveRequest { target, channel: "a:b".into() };
    assert_eq!(connections.leave(request).await.unwrap().into_inner().connections, 1);
    assert_eq!(other.order(), Some(Order::Leave("a:b".parse().unwrap())));

    let by_token = disconnect(disconnect_request::Target::TokenId("t2".into()));
    assert_eq!(connections.disconnect(by_token).await.unwrap().into_inner().connections, 1);
    let ending = Ending { reason: Reason::Disconnected, reconnect: true };
    assert_eq!((one.order(), two.order()), (None, Some(Order::Disconnect(ending))));
    let nobody = disconnect(disconnect_request::Target::User("nobody".into()));
    assert_eq!(connections.disconnect(nobody).await.unwrap().into_inner().connections, 0);
}

#[tokio::test]
async fn a_revocation_lasts_as_long_as_the_tokens_that_it_is_about() {
    let front = Front::start().await;
    let mut connections = front.connections(FULL_KEY);
    let client = Client::connect(&front, "ada", "t1");
    let other = Client::connect(&front, "bob", "t2");
    let request = revoke(revoke_request::Subject::User("ada".into()));
    let until = connections.revoke(request).await.unwrap().into_inner().until.unwrap();
    let now = front.hub.clock().wall();
    assert_eq!(until.seconds as u64, now.plus(TOKEN_LIFE_MAX).seconds());
    let ending = Ending { reason: Reason::TokenRevoked, reconnect: false };
    assert_eq!((client.order(), other.order()), (Some(Order::Disconnect(ending)), None));
    let refused = |user: &str, token: &str, issued_at| {
        let user = UserId::new(user);
        front.hub.check_revoked(user.as_ref(), Some(token), issued_at).is_err()
    };
    assert!(refused("ada", "any", Some(now)) && !refused("bob", "t2", None));

    // A user who may come back with a new token, and one token alone.
    let issued_before = Some(moment(now.seconds()));
    let bob = Some(revoke_request::Subject::User("bob".into()));
    connections.revoke(RevokeRequest { subject: bob, issued_before, until: None }).await.unwrap();
    assert!(refused("bob", "t2", None) && !refused("bob", "t2", Some(now)));
    connections.revoke(revoke(revoke_request::Subject::TokenId("t7".into()))).await.unwrap();
    assert!(refused("eve", "t7", Some(now)) && !refused("eve", "t8", Some(now)));

    front.hub.clock.advance(TOKEN_LIFE_MAX);
    assert!(!refused("ada", "any", Some(now)));
}

#[tokio::test]
async fn a_wrong_request_is_answered_with_its_field_and_a_narrow_key_with_what_it_lacks() {
    let narrow = key("narrow", &[Scope::Connections], &["a:*"]);
    let front = Front::with_keys(vec![narrow, key("other", &[Scope::Publish], &["*"])]).await;
    let user = || "ada".to_owned();
    let table = [
        ("other", "a:b", "PermissionDenied PERMISSION_DENIED"),
        ("narrow", "room:b", "PermissionDenied PERMISSION_DENIED"),
        ("narrow", "a b", "InvalidArgument INVALID_CHANNEL"),
        (FULL_KEY, "nowhere:b", "NotFound UNKNOWN_NAMESPACE"),
    ];
    for (key, channel, expected) in table {
        let mut connections = front.connections(key);
        let channel = channel.to_owned();
        let request = JoinRequest {
            target: Some(join_request::Target::User(user())),
            channel: channel.clone(),
        };
        assert_eq!(why(&connections.join(request).await.unwrap_err()), expected, "{channel}");
        let request = LeaveRequest {
            target: Some(leave_request::Target::User(user())),
            channel: channel.clone(),
        };
        assert_eq!(why(&connections.leave(request).await.unwrap_err()), expected, "{channel}");
        let request = ListConnectionsRequest { channel: channel.clone(), ..Default::default() };
        assert_eq!(why(&connections.list(request).await.unwrap_err()), expected, "{channel}");
    }
    for key in ["other", "narrow"] {
        let mut connections = front.connections(key);
        let request = disconnect(disconnect_request::Target::User(user()));
        let status = connections.disconnect(request).await.unwrap_err();
        assert_eq!(why(&status), "PermissionDenied PERMISSION_DENIED");
        let request = revoke(revoke_request::Subject::User(user()));
        let status = connections.revoke(request).await.unwrap_err();
        assert_eq!(why(&status), "PermissionDenied PERMISSION_DENIED");
    }
    let wrong = [
        RevokeRequest::default(),
        revoke(revoke_request::Subject::User(String::new())),
        revoke(revoke_request::Subject::TokenId(String::new())),
        revoke(revoke_request::Subject::User("x".repeat(9000))),
        RevokeRequest { until: Some(moment(1)), ..revoke(revoke_request::Subject::User(user())) },
    ];
    let mut connections = front.connections(FULL_KEY);
    for request in wrong {
        let status = connections.revoke(request).await.unwrap_err();
        assert_eq!(why(&status), "InvalidArgument INVALID_ARGUMENT");
    }
    let status = connections.revoke(RevokeRequest::default()).await.unwrap_err();
    let fields = status.get_details_bad_request().unwrap().field_violations;
    assert_eq!(fields[0].field, "subject");
    let wrong = [
        DisconnectRequest::default(),
        disconnect(disconnect_request::Target::Connection("me".into())),
    ];
    for request in wrong {
        let status = connections.disconnect(request).await.unwrap_err();
        assert_eq!(why(&status), "InvalidArgument INVALID_ARGUMENT");
    }
}

fn moment(seconds: u64) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: seconds as i64, nanos: 0 }
}
