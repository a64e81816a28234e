//! Who may do what: the token's grants and what namespaces add to them.

use fanline_tests::{Hub, Publication, Room, Token};
use serde_json::{Value, json};

#[tokio::test]
async fn nothing_is_allowed_that_the_token_does_not_grant() {
    let hub = Hub::start().await;
    let mut room = hub.room(&Token::user("ada")).await;
    for operation in operations_in("chat:lobby") {
        assert_eq!(room.refused(operation.clone()).await, "PERMISSION_DENIED", "{operation}");
    }
}

#[tokio::test]
async fn each_grant_allows_its_own_operation_only() {
    let hub = Hub::start().await;
    for (granted, grant) in ["subscribe", "publish", "history", "presence"].iter().enumerate() {
        let mut room = hub.room(&Token::user("ada").grant(grant, &["chat:*"])).await;
        for (asked, operation) in operations_in("chat:lobby").into_iter().enumerate() {
            let answer = room.request(operation.clone()).await;
            let expected = if asked == granted { "ok" } else { "error" };
            assert_eq!(answer["op"], expected, "{operation} with {grant}: {answer}");
        }
    }
}

#[tokio::test]
async fn patterns_cover_what_they_spell_and_nothing_else() {
    let hub = Hub::start().await;
    let token = Token::user("ada").grant("subscribe", &["chat:a*z", "news:today"]);
    let mut room = hub.room(&token).await;
    for (channel, allowed) in [
        ("chat:az", true),
        ("chat:a-b:c-z", true),
        ("chat:a", false),
        ("chat:az2", false),
        ("news:today", true),
        ("news:today2", false),
        ("news:toda", false),
    ] {
        assert_eq!(may_join(&mut room, channel).await, allowed, "{channel}");
    }
}

#[tokio::test]
async fn a_namespace_may_be_open_to_anyone_or_to_users_or_to_nobody() {
    let hub = Hub::start().await;
    let mut user = hub.room(&Token::user("ada")).await;
    let mut nobody = hub.room(&Token::anonymous()).await;
    let mut king = hub.room(&Token::user("king").everything_in(&["*"])).await;
    assert!(may_join(&mut nobody, "plaza:a").await);
    assert!(!may_join(&mut nobody, "club:a").await);
    assert!(may_join(&mut user, "plaza:a").await);
    assert!(may_join(&mut user, "club:a").await);
    assert!(!may_join(&mut user, "vault:a").await);
    assert!(!may_join(&mut king, "vault:a").await);
}

#[tokio::test]
async fn an_anonymous_connection_has_its_tokens_grants_and_no_user() {
    let hub = Hub::start().await;
    for token in [Token::anonymous(), Token::user("")] {
        let mut room = hub.room(&token.everything_in(&["chat:*"])).await;
        let user = room.welcome.get("user").and_then(Value::as_str);
        assert!(user.unwrap_or_default().is_empty(), "{}", room.welcome);
        room.join("chat:lobby").await;
        room.publish("chat:lobby", json!("who am I")).await;
        let event = room.event().await;
        assert!(event.get("user").is_none(), "{event}");
    }
}

#[tokio::test]
async fn a_channel_for_named_users_is_closed_to_others_whatever_their_token() {
    let hub = Hub::start().await;
    let channel = "chat:pair#ada,bob";
    let all = |user: &str| Token::user(user).everything_in(&["*"]);
    for user in ["ada", "bob"] {
        let mut room = hub.room(&all(user)).await;
        room.join(channel).await;
        room.publish(channel, json!(user)).await;
    }
    for outsider in
        [all("eve"), all("ad"), all("ada,bob"), Token::anonymous().everything_in(&["*"])]
    {
        let mut room = hub.room(&outsider).await;
        for operation in operations_in(channel) {
            assert_eq!(room.refused(operation.clone()).await, "PERMISSION_DENIED", "{operation}");
        }
    }
}

#[tokio::test]
async fn a_forbidden_channel_answers_the_same_whether_it_exists_or_not() {
    let hub = Hub::start().await;
    let mut member = hub.room(&Token::user("ada").everything_in(&["chat:*"])).await;
    member.join("chat:secret").await;
    hub.publish(Publication::to("chat:secret", "there is something")).await;

    let mut outsider = hub.room(&Token::user("eve")).await;
    let mut answer = async |channel: &str| {
        let mut answer = outsider.request(json!({"op": "join", "channel": channel})).await;
        let text = answer["message"].take().to_string().replace(channel, "…");
        (answer["reason"].take(), text)
    };
    let existing = answer("chat:secret").await;
    assert_eq!(existing, answer("chat:nobody-there").await);
    assert_eq!(existing.0, "PERMISSION_DENIED");
}

#[tokio::test]
async fn a_namespace_that_no_section_names_is_unknown() {
    let hub = Hub::start().await;
    let mut room = hub.room(&Token::user("ada").everything_in(&["*"])).await;
    for channel in ["unheard:of", "without-a-colon"] {
        let join = json!({"op": "join", "channel": channel});
        assert_eq!(room.refused(join).await, "UNKNOWN_NAMESPACE", "{channel}");
    }
}

/// The four operations, in the order of the grants that they need: subscribe, publish, history, presence.
fn operations_in(channel: &str) -> [Value; 4] {
    [
        json!({"op": "join", "channel": channel}),
        json!({"op": "publish", "channel": channel, "type": "note", "data": 1}),
        json!({"op": "history", "channel": channel}),
        json!({"op": "presence", "channel": channel}),
    ]
}

async fn may_join(room: &mut Room, channel: &str) -> bool {
    let answer = room.request(json!({"op": "join", "channel": channel})).await;
    if answer["op"] == "error" {
        assert_eq!(answer["reason"], "PERMISSION_DENIED", "{channel}: {answer}");
    }
    answer["op"] == "ok"
}
