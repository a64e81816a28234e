//! `[limits]`: what may be changed of [`Limits`], key for key.

use std::time::Duration;

use fanline_core::Limits;
use fanline_core::limits::CURSOR_CHANNELS;

use super::checker::Checker;
use super::path::Path;
use super::section::section;
use super::text::{DurationText, SizeText};

section! {
    /// Limits. What happens to whoever passes one is in the reference of errors.
    LimitsConfig {
        /// Data of an event that a client publishes.
        client_event_bytes: SizeText = SizeText(Limits::default().client_event_bytes);
        /// Data of an event that a backend publishes over gRPC.
        grpc_event_bytes: SizeText = SizeText(Limits::default().grpc_event_bytes);
        /// A WebSocket message, whether in one frame or in fragments.
        frame_bytes: SizeText = SizeText(Limits::default().frame_bytes);
        /// An HTTP request body.
        body_bytes: SizeText = SizeText(Limits::default().body_bytes);
        /// Headers of an event.
        event_headers: usize = Limits::default().event_headers;
        /// Names and values of an event's headers together.
        event_header_bytes: SizeText = SizeText(Limits::default().event_header_bytes);

        /// Channels that one connection may be in.
        channels_per_connection: usize = Limits::default().channels_per_connection;
        /// Channels of one SSE stream or poll. Not more than 128.
        channels_per_request: usize = Limits::default().channels_per_request;
        /// Connections of one user on this node.
        connections_per_user: usize = Limits::default().connections_per_user;
        /// Connections from one address (IPv6: one /64) on this node.
        connections_per_ip: usize = Limits::default().connections_per_ip;
        /// Connections on this node.
        connections: usize = Limits::default().connections;
        /// New connections from one address, per second.
        connect_rate_per_ip: u32 = Limits::default().connect_rate_per_ip;
        /// New connections from one address that may come at once.
        connect_burst_per_ip: u32 = Limits::default().connect_burst_per_ip;
        /// Operations of one connection, or over HTTP of one token, per second.
        operations_per_second: u32 = Limits::default().operations_per_second;
        /// Operations of one connection, or over HTTP of one token, that may come at once.
        operations_burst: u32 = Limits::default().operations_burst;
        /// Refused operations in a row before the connection is closed.
        violations_before_close: u32 = Limits::default().violations_before_close;

        /// Time for a first frame `auth` after an upgrade without a token.
        auth_timeout: DurationText = DurationText(Limits::default().auth_timeout);
        /// Time for a connection's first request, for each request head and for the TLS handshake.
        header_timeout: DurationText = DurationText(Limits::default().header_timeout);
        /// A request head. Not less than 8KiB.
        header_bytes: SizeText = SizeText(Limits::default().header_bytes);
        /// Silence before a WebSocket Ping, give or take a fifth. Not less than 10ms.
        ping_interval: DurationText = DurationText(Limits::default().ping_interval);
        /// Time for the Pong.
        pong_timeout: DurationText = DurationText(Limits::default().pong_timeout);
        /// Silence on an SSE stream before a heartbeat, give or take a fifth. Not less than 10ms.
        heartbeat_interval: DurationText = DurationText(Limits::default().heartbeat_interval);
        /// Longest life of an SSE stream; it ends at a random 80 to 100 % of this.
        stream_max_age: DurationText = DurationText(Limits::default().stream_max_age);
        /// Bytes handed to one socket and not yet taken by it.
        writer_bytes: SizeText = SizeText(Limits::default().writer_bytes);
        /// Time that a socket may take nothing while it has something to take.
        write_timeout: DurationText = DurationText(Limits::default().write_timeout);
        /// Streams of one HTTP/2 connection.
        http2_streams: u32 = Limits::default().http2_streams;

        /// Longest wait of a long-poll; a longer one that is asked for is cut.
        poll_wait_max: DurationText = DurationText(Limits::default().poll_wait_max);
        /// Events of one answer to a long-poll.
        poll_batch_events: usize = Limits::default().poll_batch_events;
        /// Bytes of those events; one is given even if it is larger.
        poll_batch_bytes: SizeText = SizeText(Limits::default().poll_batch_bytes);

        /// Newest events that a node holds ready per channel.
        ring_events: usize = Limits::default().ring_events;
        /// Bytes of those events.
        ring_bytes: SizeText = SizeText(Limits::default().ring_bytes);
        /// Events of one history answer.
        history_page: usize = Limits::default().history_page;
        /// How long an idempotency key is remembered.
        idempotency_window: DurationText = DurationText(Limits::default().idempotency_window);
        /// Longest wait for the broker's answer to a publish.
        publish_timeout: DurationText = DurationText(Limits::default().publish_timeout);
        /// Longest wait for a backend's last reply to a command.
        command_timeout: DurationText = DurationText(Limits::default().command_timeout);
        /// Commands of one connection that are not answered yet.
        commands_in_flight: usize = Limits::default().commands_in_flight;
    }
}

/// Smallest request head: what the HTTP/1.1 reader needs as its buffer.
const HEADER_BYTES_MIN: usize = 8 * 1024;
/// Shortest time between two things that every connection does again and again: else it does nothing but that.
const INTERVAL_MIN: Duration = Duration::from_millis(10);

impl LimitsConfig {
    pub(crate) fn check(&self, checker: &mut Checker<'_>) -> Limits {
        let limits = self.limits();
        let path = Path::of(&["limits"]);
        for (key, duration) in self.durations() {
            checker.require(!duration.0.is_zero(), &path.key(key), "must be more than zero");
        }
        for (key, interval) in
            [("ping_interval", self.ping_interval), ("heartbeat_interval", self.heartbeat_interval)]
        {
            let holds = interval.0 >= INTERVAL_MIN;
            checker.require(holds, &path.key(key), "must be at least \"10ms\"");
        }
        for (key, number) in self.numbers() {
            checker.require(number > 0, &path.key(key), "must be at least 1");
        }
        checker.require(
            limits.header_bytes >= HEADER_BYTES_MIN,
            &path.key("header_bytes"),
            "must be at least \"8KiB\"",
        );
        checker.require(
            limits.channels_per_request <= CURSOR_CHANNELS,
            &path.key("channels_per_request"),
            "must be at most 128, which is what a cursor can name",
        );
        if limits.frame_bytes <= limits.client_event_bytes {
            checker.warn(
                &path.key("frame_bytes"),
                format!(
                    "leaves no room for an event of client_event_bytes ({}) and its envelope",
                    self.client_event_bytes
                ),
            );
        }
        limits
    }

    /// Named one by one, so that a limit that is forgotten here does not compile.
    fn limits(&self) -> Limits {
        let LimitsConfig {
            client_event_bytes: SizeText(client_event_bytes),
            grpc_event_bytes: SizeText(grpc_event_bytes),
            frame_bytes: SizeText(frame_bytes),
            body_bytes: SizeText(body_bytes),
            event_headers,
            event_header_bytes: SizeText(event_header_bytes),
            channels_per_connection,
            channels_per_request,
            connections_per_user,
            connections_per_ip,
            connections,
            connect_rate_per_ip,
            connect_burst_per_ip,
            operations_per_second,
            operations_burst,
            violations_before_close,
            auth_timeout: DurationText(auth_timeout),
            header_timeout: DurationText(header_timeout),
            header_bytes: SizeText(header_bytes),
            ping_interval: DurationText(ping_interval),
            pong_timeout: DurationText(pong_timeout),
            heartbeat_interval: DurationText(heartbeat_interval),
            stream_max_age: DurationText(stream_max_age),
            writer_bytes: SizeText(writer_bytes),
            write_timeout: DurationText(write_timeout),
            http2_streams,
            poll_wait_max: DurationText(poll_wait_max),
            poll_batch_events,
            poll_batch_bytes: SizeText(poll_batch_bytes),
            ring_events,
            ring_bytes: SizeText(ring_bytes),
            history_page,
            idempotency_window: DurationText(idempotency_window),
            publish_timeout: DurationText(publish_timeout),
            command_timeout: DurationText(command_timeout),
            commands_in_flight,
        } = *self;
        Limits {
            client_event_bytes,
            grpc_event_bytes,
            frame_bytes,
            body_bytes,
            event_headers,
            event_header_bytes,
            channels_per_connection,
            channels_per_request,
            connections_per_user,
            connections_per_ip,
            connections,
            connect_rate_per_ip,
            connect_burst_per_ip,
            operations_per_second,
            operations_burst,
            violations_before_close,
            auth_timeout,
            header_timeout,
            header_bytes,
            ping_interval,
            pong_timeout,
            heartbeat_interval,
            stream_max_age,
            writer_bytes,
            write_timeout,
            http2_streams,
            poll_wait_max,
            poll_batch_events,
            poll_batch_bytes,
            ring_events,
            ring_bytes,
            history_page,
            idempotency_window,
            publish_timeout,
            command_timeout,
            commands_in_flight,
        }
    }

    fn durations(&self) -> [(&'static str, DurationText); 9] {
        [
            ("auth_timeout", self.auth_timeout),
            ("header_timeout", self.header_timeout),
            ("pong_timeout", self.pong_timeout),
            ("stream_max_age", self.stream_max_age),
            ("write_timeout", self.write_timeout),
            ("poll_wait_max", self.poll_wait_max),
            ("idempotency_window", self.idempotency_window),
            ("publish_timeout", self.publish_timeout),
            ("command_timeout", self.command_timeout),
        ]
    }

    /// Those without which nothing works at all. Of headers and commands, 0 is a sensible limit.
    fn numbers(&self) -> [(&'static str, usize); 21] {
        [
            ("client_event_bytes", self.client_event_bytes.0),
            ("grpc_event_bytes", self.grpc_event_bytes.0),
            ("frame_bytes", self.frame_bytes.0),
            ("body_bytes", self.body_bytes.0),
            ("channels_per_connection", self.channels_per_connection),
            ("channels_per_request", self.channels_per_request),
            ("connections_per_user", self.connections_per_user),
            ("connections_per_ip", self.connections_per_ip),
            ("connections", self.connections),
            ("connect_rate_per_ip", self.connect_rate_per_ip as usize),
            ("connect_burst_per_ip", self.connect_burst_per_ip as usize),
            ("operations_per_second", self.operations_per_second as usize),
            ("operations_burst", self.operations_burst as usize),
            ("violations_before_close", self.violations_before_close as usize),
            ("writer_bytes", self.writer_bytes.0),
            ("http2_streams", self.http2_streams as usize),
            ("poll_batch_events", self.poll_batch_events),
            ("poll_batch_bytes", self.poll_batch_bytes.0),
            ("ring_events", self.ring_events),
            ("ring_bytes", self.ring_bytes.0),
            ("history_page", self.history_page),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_hub() {
        assert_eq!(LimitsConfig::default().limits(), Limits::default());
    }
}
