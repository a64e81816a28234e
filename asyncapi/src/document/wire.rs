//! What an event looks like on each transport, and lines to paste: templates inside the document, so that the page that
//! shows them reads nothing else.
//!
//! Placeholders in braces are filled in by the page: `{event}` is the event object, `{data}` its data, `{channel}`,
//! `{type}`, `{position}`, `{epoch}`, `{offset}`; `{data_base64}` the data as gRPC's JSON has it; `{channel_query}` the
//! channel escaped for a URL; `{public}`, `{ws}` and `{grpc}` the addresses of the hub; `{plaintext}` what grpcurl needs
//! when the hub speaks no TLS. `{shell:NAME}` is another template, quoted for a shell.

use serde_json::{Value, json};

/// The templates, one entry for each transport.
pub(super) fn templates() -> Value {
    json!([
        {
            "server": "websocket",
            "title": "WebSocket",
            "deliver": r#"{"op":"event","event":{event}}"#,
            "publish": r#"{"op":"publish","id":1,"channel":"{channel}","type":"{type}","data":{data}}"#,
            "join": r#"{"op":"join","id":1,"channel":"{channel}"}"#,
            "note": "One JSON object per text frame. An event needs no answer; a publish is answered by its `id`.",
        },
        {
            "server": "sse",
            "title": "SSE",
            "deliver": "data: {event}\nid: {position}\n\n",
            "note": "With several channels in one stream events carry no `id`; a `fanline.cursor` block follows each \
                     batch. What clients publish goes up by `POST /v1/publish`.",
        },
        {
            "server": "longPoll",
            "title": "Long-poll",
            "deliver": r#"{"events":[{event}],"cursor":"{position}","more":false,"channels":{}}"#,
            "note": "Pass the `cursor` in the next request. What clients publish goes up by `POST /v1/publish`.",
        },
        {
            "server": "uplink",
            "title": "HTTP uplink",
            "publish": "POST /v1/publish HTTP/1.1\nauthorization: Bearer <token>\ncontent-type: application/json\n\n\
                        {body}",
            "body": r#"{"channel":"{channel}","type":"{type}","data":{data}}"#,
        },
        {
            "server": "grpc",
            "title": "gRPC",
            "deliver": "{\"event\":{\"id\":\"{id}\",\"channel\":\"{channel}\",\"type\":\"{type}\",\
                        \"data\":\"{data_base64}\",\"contentType\":\"application/json\",\"time\":\"{time}\",\
                        \"position\":{\"epoch\":\"{epoch}\",\"offset\":\"{offset}\"}}}",
            "publish": r#"{"channel":"{channel}","type":"{type}","data":"{data_base64}"}"#,
            "note": "Shown as the JSON that gRPC tools print, where bytes are base64.",
        },
    ])
}

/// Lines to paste.
pub(super) fn snippets() -> Value {
    json!([
        {
            "tool": "SDK",
            "server": "websocket",
            "action": "subscribe",
            "language": "js",
            "text": "import { connect } from \"@fanline/client\";\n\nconst client = connect(\"{public}\", { token });\n\
                     client.channel(\"{channel}\").on(\"{type}\", (event) => console.log(event.data));\n",
        },
        {
            "tool": "SDK",
            "server": "websocket",
            "action": "publish",
            "language": "js",
            "text": "import { connect } from \"@fanline/client\";\n\nconst client = connect(\"{public}\", { token });\n\
                     await client.channel(\"{channel}\").publish(\"{type}\", {data});\n",
        },
        {
            "tool": "websocat",
            "server": "websocket",
            "action": "subscribe",
            "language": "sh",
            "text": "echo {shell:websocket.join} | websocat -n -H \"authorization: Bearer $TOKEN\" --protocol \
                     fanline.v1 {ws}/v1/ws",
        },
        {
            "tool": "websocat",
            "server": "websocket",
            "action": "publish",
            "language": "sh",
            "text": "echo {shell:websocket.publish} | websocat -n1 -H \"authorization: Bearer $TOKEN\" --protocol \
                     fanline.v1 {ws}/v1/ws",
        },
        {
            "tool": "curl (SSE)",
            "server": "sse",
            "action": "subscribe",
            "language": "sh",
            "text": "curl -N -H \"authorization: Bearer $TOKEN\" '{public}/v1/sse?channel={channel_query}'",
        },
        {
            "tool": "curl (long-poll)",
            "server": "longPoll",
            "action": "subscribe",
            "language": "sh",
            "text": "curl -H \"authorization: Bearer $TOKEN\" '{public}/v1/poll?channel={channel_query}&since=last:20'",
        },
        {
            "tool": "curl",
            "server": "uplink",
            "action": "publish",
            "language": "sh",
            "text": "curl -H \"authorization: Bearer $TOKEN\" -H 'content-type: application/json' \\\n  -d \
                     {shell:uplink.body} {public}/v1/publish",
        },
        {
            "tool": "grpcurl",
            "server": "grpc",
            "action": "publish",
            "language": "sh",
            "text": "grpcurl {plaintext}-H \"authorization: Bearer $API_KEY\" \\\n  -d {shell:grpc.publish} {grpc} \
                     fanline.v1.Publisher/Publish",
        },
        {
            "tool": "grpcurl",
            "server": "grpc",
            "action": "subscribe",
            "language": "sh",
            "text": "grpcurl {plaintext}-H \"authorization: Bearer $API_KEY\" \\\n  -d '{\"channels\":[{\"channel\":\
                     \"{channel}\"}]}' {grpc} fanline.v1.Subscriber/Subscribe",
        },
    ])
}
