//! Every limit of the hub, with its unit and its reason (contract section 9).
//!
//! The numbers that are fixed stand first as constants; [`Limits`] holds those that an operator may change.

use std::time::Duration;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Longest channel name and pattern, in bytes: what peers allow, and short enough for a log line.
pub const CHANNEL_NAME_BYTES: usize = 255;
/// Longest event type, in bytes.
pub const EVENT_TYPE_BYTES: usize = 128;
/// Longest idempotency key, in bytes.
pub const IDEMPOTENCY_KEY_BYTES: usize = 128;
/// Longest content type of an event, in bytes.
pub const CONTENT_TYPE_BYTES: usize = 128;
/// Most connections that one event can be kept from.
pub const EXCLUDED_CONNECTIONS: usize = 32;
/// The sentence of a refusal, in bytes. Over gRPC it travels in a trailer, twice and encoded, and there are clients that
/// take no more than 8 KiB of those.
pub const REFUSAL_TEXT_BYTES: usize = KIB;
/// Violations of a schema that one answer names: enough to mend a body at the second try.
pub const VIOLATIONS: usize = 20;
/// Bytes of the pointer and of the message of one violation. With [`VIOLATIONS`] of them an answer stays under 12 KiB.
pub const VIOLATION_TEXT_BYTES: usize = 256;
/// Most channels of one `Broadcast`.
pub const CHANNELS_PER_CALL: usize = 1000;
/// Most channels of one page of `Channels.List`.
pub const CHANNELS_PAGE: usize = 1000;

/// A message from node to node, in bytes: room for an event of the largest default size and what comes with it.
pub const CONTROL_MESSAGE_BYTES: usize = 2 * MIB;
/// What a node says of itself, in bytes: every other node holds it.
pub const NODE_RECORD_BYTES: usize = 64 * KIB;
/// Longest key of a note, in bytes.
pub const NOTE_KEY_BYTES: usize = 128;
/// A note, in bytes: room for a token with its grants.
pub const NOTE_BYTES: usize = 64 * KIB;
/// Revocations of one page: a fraction of a millisecond of the broker's time.
pub const REVOCATIONS_PAGE: usize = 1000;
/// Revocations that are kept at one time; more are refused. Each costs some 300 bytes in the broker and in each node.
pub const REVOCATIONS: usize = 100_000;
/// Changes of a tracked channel's members that wait to be told; at the bound the oldest are given up.
pub const CHANGES: usize = 100_000;
/// Changes of one page: those are told before the next are read.
pub const CHANGES_PAGE: usize = 128;
/// Longest name of a user or id of a token that is looked for or revoked, in bytes: as long as a token may be.
pub const SUBJECT_BYTES: usize = 8 * KIB;
/// Most channels of one cursor: at some 50 bytes each it still fits a request head.
pub const CURSOR_CHANNELS: usize = 128;
/// Longest method name, in bytes.
pub const METHOD_NAME_BYTES: usize = 128;
/// Bytes around the data of an event when a backend is asked about it: its type, and the names of the fields.
pub const QUESTION_BYTES: usize = KIB;
/// Most patterns that one backend registers.
pub const METHOD_PATTERNS: usize = 64;
/// Most backends that are connected to a node to answer commands: each command looks at all of them.
pub const WORKERS: usize = 1000;
/// Commands that a backend has at a time unless it says otherwise, and the most that it may ask for.
pub const WORKER_COMMANDS: usize = 64;
/// See [`WORKER_COMMANDS`].
pub const WORKER_COMMANDS_MAX: usize = 4096;
/// Commands of a node that wait for a backend with room: what backends answer in about a second.
pub const COMMANDS_WAITING: usize = 4096;
/// Commands that a node has another one answer at a time, for each set of methods: half of what may wait there for its
/// listener, so that answers to two nodes find room.
pub const PEER_COMMANDS: usize = 512;
/// Sets of methods of one node that other nodes know.
pub const OFFERS_PER_NODE: usize = 64;
/// Commands of other nodes that a node has answered at a time.
pub const COMMANDS_ASKED: usize = 16_384;
/// Bytes of all commands that a node has on their way.
pub const COMMAND_BYTES: usize = 256 * MIB;
/// Replies of one command that its client has not taken yet.
pub const REPLIES_AHEAD: usize = 1024;
/// Bytes of those replies. More than one reply of the largest size.
pub const REPLY_BYTES_AHEAD: usize = 4 * MIB;
/// Bytes of all replies of a node that clients have not taken yet.
pub const REPLY_BYTES: usize = 256 * MIB;
/// Longest message of a backend's error, in bytes: it is for people, and stands in one frame.
pub const BACKEND_MESSAGE_BYTES: usize = 4 * KIB;
/// Longest reason of a backend's error, in bytes.
pub const BACKEND_REASON_BYTES: usize = 128;

/// What an operator may change, with the defaults of the contract.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Data of an event that a client publishes, in bytes. Default: 64 KiB.
    pub client_event_bytes: usize,
    /// Data of an event that a backend publishes over gRPC, in bytes. Default: 1 MiB.
    pub grpc_event_bytes: usize,
    /// A WebSocket message, in bytes, whether in one frame or in fragments. Default: 128 KiB.
    pub frame_bytes: usize,
    /// An HTTP request body, in bytes. Default: 128 KiB.
    pub body_bytes: usize,
    /// Headers of an event. Default: 16.
    pub event_headers: usize,
    /// Names and values of an event's headers together, in bytes. Default: 4 KiB.
    pub event_header_bytes: usize,

    /// Channels that one connection may be in. Default: 128.
    pub channels_per_connection: usize,
    /// Channels of one SSE stream or poll. Default: 32; at most [`CURSOR_CHANNELS`].
    pub channels_per_request: usize,
    /// Connections of one user on this node. Default: 32.
    pub connections_per_user: usize,
    /// Connections from one address (IPv6: one /64) on this node. Default: 256.
    pub connections_per_ip: usize,
    /// Connections on this node. Default: 200,000.
    pub connections: usize,
    /// New connections from one address, per second. Default: 20.
    pub connect_rate_per_ip: u32,
    /// New connections from one address that may come at once. Default: 100.
    pub connect_burst_per_ip: u32,
    /// Operations of one connection, or over HTTP of one token, per second. Default: 50.
    pub operations_per_second: u32,
    /// Operations of one connection, or over HTTP of one token, that may come at once. Default: 100.
    pub operations_burst: u32,
    /// Refused operations in a row before the connection is closed. Default: 20.
    pub violations_before_close: u32,

    /// Time for a first frame `auth` after an upgrade without a token. Default: 5 s.
    pub auth_timeout: Duration,
    /// Time for a connection's first request, and for each request head. Default: 5 s.
    pub header_timeout: Duration,
    /// A request head, in bytes. Default: 16 KiB.
    pub header_bytes: usize,
    /// Silence before a WebSocket Ping, ± 20 %. Default: 25 s.
    pub ping_interval: Duration,
    /// Time for the Pong. Default: 10 s.
    pub pong_timeout: Duration,
    /// Silence on an SSE stream before a heartbeat, ± 20 %. Default: 20 s.
    pub heartbeat_interval: Duration,
    /// Longest life of an SSE stream; it ends at a random 80 to 100 % of this. Default: 30 min.
    pub stream_max_age: Duration,
    /// Bytes handed to one socket and not yet taken by it. Default: 256 KiB.
    pub writer_bytes: usize,
    /// Time that a socket may take nothing while it has something to take. Default: 10 s.
    pub write_timeout: Duration,
    /// Streams of one HTTP/2 connection. Default: 256.
    pub http2_streams: u32,

    /// Longest wait of a long-poll; a longer one that is asked for is cut. Default: 50 s.
    pub poll_wait_max: Duration,
    /// Events of one answer to a long-poll. Default: 100.
    pub poll_batch_events: usize,
    /// Bytes of those events; one is given even if it is larger. Default: 256 KiB.
    pub poll_batch_bytes: usize,

    /// Newest events that a node holds ready per channel. Default: 256.
    pub ring_events: usize,
    /// Bytes of those events. Default: 1 MiB.
    pub ring_bytes: usize,
    /// Events of one history answer. Default: 500.
    pub history_page: usize,
    /// How long an idempotency key is remembered. Default: 5 min.
    pub idempotency_window: Duration,
    /// Longest wait for the broker's answer to a publish. Default: 5 s.
    pub publish_timeout: Duration,
    /// Longest wait for a backend's last reply to a command. Default: 10 s.
    pub command_timeout: Duration,
    /// Commands of one connection that are not answered yet. Default: 16.
    pub commands_in_flight: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            client_event_bytes: 64 * KIB,
            grpc_event_bytes: MIB,
            frame_bytes: 128 * KIB,
            body_bytes: 128 * KIB,
            event_headers: 16,
            event_header_bytes: 4 * KIB,

            channels_per_connection: 128,
            channels_per_request: 32,
            connections_per_user: 32,
            connections_per_ip: 256,
            connections: 200_000,
            connect_rate_per_ip: 20,
            connect_burst_per_ip: 100,
            operations_per_second: 50,
            operations_burst: 100,
            violations_before_close: 20,

            auth_timeout: Duration::from_secs(5),
            header_timeout: Duration::from_secs(5),
            header_bytes: 16 * KIB,
            ping_interval: Duration::from_secs(25),
            pong_timeout: Duration::from_secs(10),
            heartbeat_interval: Duration::from_secs(20),
            stream_max_age: Duration::from_secs(30 * 60),
            writer_bytes: 256 * KIB,
            write_timeout: Duration::from_secs(10),
            http2_streams: 256,

            poll_wait_max: Duration::from_secs(50),
            poll_batch_events: 100,
            poll_batch_bytes: 256 * KIB,

            ring_events: 256,
            ring_bytes: MIB,
            history_page: 500,
            idempotency_window: Duration::from_secs(5 * 60),
            publish_timeout: Duration::from_secs(5),
            command_timeout: Duration::from_secs(10),
            commands_in_flight: 16,
        }
    }
}
