//! What a backend may not do, on every method that there is.
//!
//! The methods are those of the descriptors, so that a new one without a line in [`cases`] fails here. Each is called with
//! the same request by keys and by service tokens that lack one thing.

use bytes::{Buf, BufMut, Bytes};
use fanline_proto::FILE_DESCRIPTOR_SET;
use fanline_proto::v1::{BroadcastResponse, PublishResponse};
use fanline_tests::{ApiKey, DEADLINE, Hub, HubBuilder, Rpc, Signer, Token, reason, within};
use http::uri::PathAndQuery;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor};
use serde_json::{Value, json};
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Code, Status};

const SCOPES: [&str; 7] =
    ["publish", "subscribe", "presence", "history", "connections", "commands", "catalog"];

/// The channels that a key covers which is for others than these requests.
const ELSEWHERE: &str = "news:*";

/// A method of `fanline.v1`, the scope that it needs, and a request about `chat:lobby`, as JSON.
struct Case {
    method: &'static str,
    scope: &'static str,
    request: Value,
    /// What a refusal names for a caller whose patterns are for something else. None: the method looks at the scope alone,
    /// and answers with what the caller covers.
    outside: Option<&'static str>,
}

fn cases() -> Vec<Case> {
    let case = |method, scope, request, outside| Case { method, scope, request, outside };
    let publish = json!({ "channel": "chat:lobby", "type": "note", "data": "MQ==" });
    let broadcast =
        json!({ "channels": ["chat:lobby"], "event": { "type": "note", "data": "MQ==" } });
    let lobby = json!({ "channel": "chat:lobby" });
    let of_ada = json!({ "user": "ada", "channel": "chat:lobby" });
    let ada = json!({ "user": "ada" });
    let (chat, calls, all) = (Some("`chat:lobby`"), Some("`chat.*`"), Some("all channels"));
    vec![
        case("Publisher/Publish", "publish", publish.clone(), chat),
        case("Publisher/Broadcast", "publish", broadcast, chat),
        case("Publisher/PublishStream", "publish", publish, chat),
        case("Subscriber/Subscribe", "subscribe", json!({ "channels": [lobby] }), chat),
        case("Channels/History", "history", lobby.clone(), chat),
        case("Channels/Presence", "presence", lobby.clone(), chat),
        case("Channels/Stats", "presence", lobby.clone(), chat),
        case("Channels/List", "presence", json!({}), None),
        case("Connections/List", "connections", json!({}), None),
        case("Connections/Disconnect", "connections", ada.clone(), all),
        case("Connections/Join", "connections", of_ada.clone(), chat),
        case("Connections/Leave", "connections", of_ada, chat),
        case("Connections/Revoke", "connections", ada, all),
        case(
            "CommandBus/Serve",
            "commands",
            json!({ "register": { "methods": ["chat.*"] } }),
            calls,
        ),
        case("Catalog/ListEventTypes", "catalog", json!({}), None),
        case("Catalog/GetEventType", "catalog", json!({ "name": "message" }), None),
        case("Catalog/GetAsyncApi", "catalog", json!({}), None),
    ]
}

/// How a backend shows what it may.
#[derive(Clone, Copy, Debug)]
enum Shown {
    Key,
    Token,
}

#[tokio::test]
async fn every_method_says_what_is_missing() {
    let hub = with_keys(Hub::builder()).start().await;
    for (case, method) in cases_of_all_methods() {
        for shown in [Shown::Key, Shown::Token] {
            let what = format!("{} by {shown:?}", case.method);
            let all_else =
                outcome(&hub, credential(shown, Lacks::Scope(case.scope)), &case, &method);
            let refusal = all_else.await.expect_err(&what);
            assert_eq!(refusal.code, Code::PermissionDenied, "{what}: {refusal:?}");
            let missing = format!("lacks the scope `{}`", case.scope);
            assert!(refusal.message.contains(&missing), "{what}: {refusal:?}");

            let elsewhere =
                outcome(&hub, credential(shown, Lacks::Pattern(case.scope)), &case, &method);
            match (elsewhere.await, case.outside) {
                (Ok(()), None) => {}
                (Err(refusal), None) => assert!(!refusal.is_about_rights(), "{what}: {refusal:?}"),
                (Ok(()), Some(_)) => panic!("{what} is let in outside of its patterns"),
                (Err(refusal), Some(named)) => {
                    assert_eq!(refusal.code, Code::PermissionDenied, "{what}: {refusal:?}");
                    assert!(refusal.message.contains(named), "{what}: {refusal:?}");
                }
            }

            let allowed =
                outcome(&hub, credential(shown, Lacks::AllElse(case.scope)), &case, &method);
            if let Err(refusal) = allowed.await {
                assert!(!refusal.is_about_rights(), "{what}: {refusal:?}");
            }
        }
    }
}

#[tokio::test]
async fn every_method_needs_a_credential_that_is_a_backends() {
    let hub = Hub::start().await;
    let service = Token::service(&SCOPES, &["*"]);
    let client = Token::user("ada").everything_in(&["*"]);
    let strangers = [
        (None, Code::Unauthenticated),
        (Some("fk_guessed".to_owned()), Code::Unauthenticated),
        (Some(service.clone().signed_by(Signer::Stranger).sign()), Code::Unauthenticated),
        (Some(service.clone().signed_by(Signer::Nobody).sign()), Code::Unauthenticated),
        (Some(service.clone().expires_in(-60).sign()), Code::Unauthenticated),
        (Some(service.without("aud").sign()), Code::Unauthenticated),
        (Some(client.sign()), Code::PermissionDenied),
    ];
    for (case, method) in cases_of_all_methods() {
        for (credential, code) in &strangers {
            let outcome = outcome(&hub, credential.clone(), &case, &method).await;
            let refusal = outcome.expect_err(case.method);
            assert_eq!(refusal.code, *code, "{} with {credential:?}: {refusal:?}", case.method);
        }
    }
}

/// Every method that the hub answers, with its case.
fn cases_of_all_methods() -> Vec<(Case, MethodDescriptor)> {
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("it was made by the build");
    let mut cases = cases();
    let mut found = Vec::new();
    for service in pool.services().filter(|service| service.package_name() == "fanline.v1") {
        // Backends serve this one, and the hub calls it.
        if service.name() == "CommandHandler" {
            continue;
        }
        for method in service.methods() {
            let name = format!("{}/{}", service.name(), method.name());
            let place = cases.iter().position(|case| case.method == name);
            let place = place.unwrap_or_else(|| panic!("say in `cases` what {name} needs"));
            found.push((cases.swap_remove(place), method));
        }
    }
    let stale: Vec<_> = cases.iter().map(|case| case.method).collect();
    assert!(stale.is_empty(), "there are no such methods: {stale:?}");
    found
}

/// What a credential lacks.
#[derive(Clone, Copy, Debug)]
enum Lacks {
    /// One scope: it has all others, everywhere.
    Scope(&'static str),
    /// The pattern: it has the scope somewhere else.
    Pattern(&'static str),
    /// All but the one scope, everywhere.
    AllElse(&'static str),
}

impl Lacks {
    fn rights(self) -> (Vec<&'static str>, &'static str) {
        match self {
            Lacks::Scope(lacking) => {
                (SCOPES.into_iter().filter(|scope| *scope != lacking).collect(), "*")
            }
            Lacks::Pattern(scope) => (vec![scope], ELSEWHERE),
            Lacks::AllElse(scope) => (vec![scope], "*"),
        }
    }

    fn key(self) -> ApiKey {
        let (scopes, channels) = self.rights();
        let key = ApiKey::new(&format!("{self:?}")).scopes(&scopes).channels(&[channels]);
        if channels == ELSEWHERE { key.methods(&["news.*"]) } else { key }
    }

    fn token(self) -> Token {
        let (scopes, channels) = self.rights();
        let token = Token::service(&scopes, &[channels]);
        if channels == ELSEWHERE { token.claim("methods", ["news.*"].as_slice()) } else { token }
    }
}

fn credential(shown: Shown, lacks: Lacks) -> Option<String> {
    Some(match shown {
        Shown::Key => lacks.key().secret,
        Shown::Token => lacks.token().sign(),
    })
}

fn with_keys(builder: HubBuilder) -> HubBuilder {
    let of = |scope| [Lacks::Scope(scope), Lacks::Pattern(scope), Lacks::AllElse(scope)];
    SCOPES.into_iter().flat_map(of).fold(builder, |builder, lacks| builder.api_key(&lacks.key()))
}

/// A refusal, whether it ended the call or stands in an answer.
#[derive(Debug)]
struct Refused {
    code: Code,
    message: String,
}

impl Refused {
    fn is_about_rights(&self) -> bool {
        [Code::Unauthenticated, Code::PermissionDenied].contains(&self.code)
    }
}

impl From<Status> for Refused {
    fn from(status: Status) -> Self {
        if [Code::Unauthenticated, Code::PermissionDenied].contains(&status.code()) {
            assert!(!reason(&status).is_empty(), "{status:?}");
        }
        Refused { code: status.code(), message: status.message().to_owned() }
    }
}

/// Calls a method, and looks at the first thing that comes back.
async fn outcome(
    hub: &Hub,
    credential: Option<String>,
    case: &Case,
    method: &MethodDescriptor,
) -> Result<(), Refused> {
    let rpc = Rpc::connect(hub.addresses.grpc, credential.as_deref()).await;
    let request = DynamicMessage::deserialize(method.input(), &case.request).expect("a request");
    let path: PathAndQuery = format!("/fanline.v1.{}", case.method).parse().expect("a path");
    let mut client = Grpc::new(rpc.authenticated());
    within(DEADLINE, "the connection", client.ready()).await.expect("the hub listens");
    let request = tokio_stream::iter([Bytes::from(request.encode_to_vec())]);
    let call = client.streaming(tonic::Request::new(request), path, Plain);
    let mut answers = within(DEADLINE, case.method, call).await?.into_inner();
    let Some(answer) = within(DEADLINE, case.method, answers.message()).await? else {
        return Ok(());
    };
    match error_in(case, answer) {
        Some(refused) => Err(refused),
        None => Ok(()),
    }
}

/// The refusal that stands in an answer: of methods that answer for several things apart.
fn error_in(case: &Case, answer: Bytes) -> Option<Refused> {
    let answer = match case.method {
        "Publisher/PublishStream" => PublishResponse::decode(answer).expect("an answer"),
        "Publisher/Broadcast" => {
            let answer = BroadcastResponse::decode(answer).expect("an answer");
            answer.results.into_iter().next()?.response?
        }
        _ => return None,
    };
    let error = answer.error?;
    Some(Refused { code: Code::from_i32(error.code), message: error.message })
}

/// Messages as they are on the wire.
struct Plain;

impl Codec for Plain {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Plain;
    type Decoder = Plain;

    fn encoder(&mut self) -> Plain {
        Plain
    }

    fn decoder(&mut self) -> Plain {
        Plain
    }
}

impl Encoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }
}

impl Decoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
