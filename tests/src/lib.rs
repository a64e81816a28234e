//! The harness of the end-to-end tests: a real hub process, and the clients that talk to it from outside.
//!
//! Nothing here knows the hub's code: it uses the command line, the sockets and `fanline.v1`, as a stranger would. Waiting
//! is always for an event and always with a deadline; a wait that fails panics and says what was seen instead.
//! Start with [`Hub`]. The tests themselves are in `tests/it`.

mod account;
mod api_key;
mod authority;
mod backend;
mod big_catalog;
mod collector;
mod config;
mod connection;
mod crowd;
mod dev;
mod event_stream;
mod example;
mod flood;
mod foreign_client;
mod frame;
mod grpc_server;
mod handler;
mod http2;
mod hub;
mod issuer;
mod memory;
mod metrics;
mod nodes;
mod poller;
mod position;
mod process;
mod progress;
mod proxy;
mod raw_http;
mod raw_socket;
mod room;
mod rpc;
mod script;
mod seeds;
mod steady;
mod token;
mod upgrade;
mod witness;
mod worker;

pub use account::{Account, Share};
pub use api_key::ApiKey;
pub use authority::{Authority, BACKEND, TlsClient};
pub use backend::{Backend, answer};
pub use big_catalog::big_catalog;
pub use collector::{Collected, Collector};
pub use crowd::{CrowdMember, Tally};
pub use dev::Dev;
pub use event_stream::{Block, EventStream};
pub use example::Example;
pub use fanline_test_redis::{
    ClusterSetup, DEADLINE, RedisServer, SentinelSetup, eventually, free_port, until, within,
};
pub use flood::Flood;
pub use foreign_client::{ForeignClient, Heard, StreamCredential, StreamRequest};
pub use frame::Frame;
pub use handler::{Asked, Handler, free_address};
pub use http2::Http2;
pub use hub::{Addresses, Hub, HubBuilder, fanline};
pub use issuer::{Issuer, IssuerKey};
pub use memory::resident_bytes;
pub use metrics::Metrics;
pub use nodes::Shared;
pub use poller::{Polled, Poller};
pub use position::{Position, offset_of, position_of};
pub use process::Process;
pub use progress::Progress;
pub use proxy::Proxy;
pub use raw_http::{HttpAnswer, get, get_with, send, try_get};
pub use raw_socket::RawSocket;
pub use room::Room;
pub use rpc::{Authenticated, Publication, Rpc, reason, violated_fields};
pub use script::{Script, python};
pub use seeds::seeds;
pub use steady::{Acknowledged, Ledger, Steady};
pub use token::{AUDIENCE, ISSUER, Signer, Token};
pub use upgrade::{Refusal, Upgrade};
pub use witness::{Record, Step, Witness};
