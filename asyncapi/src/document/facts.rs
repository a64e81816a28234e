//! What the documents say of the hub beside its catalog: where it listens, how it refuses, what it allows.
//!
//! Told by the binary, which alone knows every edge, and made there from the enums that the edges themselves use.

use fanline_core::Limits;

/// What the documents say of the hub.
#[derive(Clone, Debug)]
pub struct HubFacts {
    /// The version of the hub.
    pub version: String,
    /// Where browsers connect.
    pub public: Server,
    /// Where backends connect.
    pub grpc: Server,
    /// The limits in force.
    pub limits: Limits,
    /// Every reason of a refusal.
    pub reasons: Vec<ReasonFact>,
    /// Every close code of a WebSocket.
    pub closes: Vec<CloseFact>,
    /// The namespaces in which the hub tells who comes and goes.
    pub lifecycle: Vec<String>,
    /// The services of the gRPC front: an encoded `google.protobuf.FileDescriptorSet`, with comments.
    pub services: Vec<u8>,
    /// What the page may do beside showing.
    pub try_it: TryIt,
    /// Where the page gets a token to start with, as `fanline dev` gives one. None: its reader brings one.
    pub token_path: Option<String>,
}

/// A listener, as clients address it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Server {
    /// Host and, where it is not the usual one, port.
    pub host: String,
    /// Whether it speaks TLS.
    pub tls: bool,
}

/// A reason, and what it is on each transport.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReasonFact {
    /// The name on the wire.
    pub name: &'static str,
    /// What happened and what helps.
    pub about: &'static str,
    /// The name of the gRPC status.
    pub grpc: String,
    /// The HTTP status.
    pub http: u16,
    /// Whether the same request may succeed later.
    pub retryable: bool,
}

/// A close code.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CloseFact {
    /// The number.
    pub code: u16,
    /// What happened.
    pub about: Vec<&'static str>,
    /// What a client does now: `never`, `with_new_token` or `with_back_off`.
    pub reconnect: &'static str,
}

/// What a reader may try on the page.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum TryIt {
    /// Nothing: the page only shows.
    #[default]
    Off,
    /// Watch live events.
    Subscribe,
    /// Watch, and publish.
    Full,
}

impl TryIt {
    /// Its word in the configuration and in the document.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            TryIt::Off => "off",
            TryIt::Subscribe => "subscribe",
            TryIt::Full => "full",
        }
    }
}
