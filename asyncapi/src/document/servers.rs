//! Where the hub listens, a server for each transport, and how one authenticates there (contract section 3).

use super::facts::{HubFacts, Server};
use serde_json::{Value, json};

/// The servers.
pub(super) fn servers(facts: &HubFacts) -> Value {
    let HubFacts { public, grpc, .. } = facts;
    json!({
        "websocket": server(public, ["ws", "wss"], "WebSocket rooms", &["bearer", "websocketBearer", "cookie", "ticket"]),
        "sse": server(public, ["http", "https"], "Server-sent events", &["bearer", "cookie", "ticket"]),
        "longPoll": server(public, ["http", "https"], "Long-polling", &["bearer", "cookie", "ticket"]),
        "uplink": server(public, ["http", "https"], "HTTP uplink", &["bearer", "cookie", "ticket"]),
        "grpc": server(grpc, ["grpc", "grpcs"], "gRPC for backends", &["apiKey", "serviceToken", "clientCertificate"]),
    })
}

fn server(at: &Server, [plain, tls]: [&str; 2], title: &str, security: &[&str]) -> Value {
    let security: Vec<Value> = security
        .iter()
        .map(|scheme| json!({ "$ref": format!("#/components/securitySchemes/{scheme}") }))
        .collect();
    json!({
        "host": at.host,
        "protocol": if at.tls { tls } else { plain },
        "title": title,
        "security": security,
    })
}

/// The ways to authenticate. Any one of a server's is enough; two different credentials at once are refused.
pub(super) fn security_schemes() -> Value {
    json!({
        "bearer": {
            "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
            "description": "A client's token in `Authorization`.",
        },
        "websocketBearer": {
            "type": "httpApiKey", "in": "header", "name": "Sec-WebSocket-Protocol",
            "description": "For browsers, which cannot set headers on a WebSocket: a second subprotocol, \
                            `fanline.bearer.<jwt>`, beside `fanline.v1`. Without any token the first frame must be \
                            `auth`.",
        },
        "cookie": {
            "type": "httpApiKey", "in": "cookie", "name": "fanline_token",
            "description": "The token in a cookie; only from an allowed origin.",
        },
        "ticket": {
            "type": "httpApiKey", "in": "query", "name": "ticket",
            "description": "A ticket from `POST /v1/tickets`, good once and for half a minute.",
        },
        "apiKey": {
            "type": "http", "scheme": "bearer",
            "description": "A backend's API key in the metadata `authorization`, with scopes and channel patterns.",
        },
        "serviceToken": {
            "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
            "description": "A backend's token in the metadata `authorization`, with `scopes` and `channels` like an API \
                            key's, signed by a key with `use = \"service\"`.",
        },
        "clientCertificate": {
            "type": "X509",
            "description": "A client certificate, where the hub asks for one. One that the hub knows by a name in it needs \
                            no key.",
        },
    })
}
