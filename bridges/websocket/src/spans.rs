//! The spans of what a client asks for. A connection has none: it lasts for hours.

use fanline_core::ChannelName;
use fanline_core::spans::TARGET;
use fanline_edge::{Client, ClientCall, ClientEvent};
use tracing::field::Empty;
use tracing::{Span, trace_span};

/// The span of a `publish`, until its answer.
pub(crate) fn of_publish(client: &Client, event: &ClientEvent) -> Span {
    trace_span!(
        target: TARGET,
        "websocket publish",
        "otel.kind" = "server",
        "otel.status_code" = Empty,
        "fanline.connection.id" = display(client.connection()),
        "fanline.channel" = event.channel.as_str(),
        "error.type" = Empty,
    )
}

/// The span of a `call`, until its last answer: a child of the client's, and the parent of what follows from the call.
pub(crate) fn of_call(client: &Client, call: &mut ClientCall) -> Span {
    let span = trace_span!(
        target: TARGET,
        "websocket call",
        "otel.kind" = "server",
        "otel.status_code" = Empty,
        "fanline.connection.id" = display(client.connection()),
        "fanline.channel" = call.channel.as_ref().map(ChannelName::as_str),
        "rpc.system.name" = "fanline",
        "rpc.method" = call.method.as_str(),
        "error.type" = Empty,
    );
    if let Some(parent) = &call.trace {
        client.spans().adopt(&span, parent);
    }
    call.trace = client.spans().context(&span).or(call.trace.take());
    span
}
