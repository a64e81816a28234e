//! What all bridges share: who a client is, where it comes from, and how much it may ask for.
//!
//! Nothing here speaks a client protocol or opens a socket; a bridge asks these parts and answers in its own words.
//! Read [`TokenVerifier`] first, which turns a token into an [`Identity`], then [`Admission`], which every connection
//! passes before it costs anything.

// Numbers.
pub mod limits;
pub mod metrics;

// Where a request comes from.
pub mod address;
mod forwarded;
pub mod origin;

// Who sends it.
mod cookie;
pub mod credential;
pub mod subprotocol;
mod ticket;
pub mod token;

// How much of it is let through.
pub mod admission;
pub mod rate;

// What is said in it, and how it is answered: in the words that all bridges share, or refused before it became a
// connection.
pub mod answer;
pub mod http_error;
mod object;
pub mod query;
pub mod request;

// What web pages are told about reading the answer.
pub mod cors;

// How it becomes one, and what that may ask for.
pub mod caller;
pub mod client;
mod decision;
pub mod drain;
pub mod edge;
pub mod presence;
pub mod timers;

#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use address::{AddressKey, ClientAddress, TrustedProxies};
pub use admission::{Admission, Admitted};
pub use caller::{Caller, Callers};
pub use client::{Client, ClientCall, ClientEvent};
pub use credential::{Credential, CredentialPlace, CredentialSources};
pub use drain::Drain;
pub use edge::{Edge, EdgeParts};
pub use metrics::EdgeMetrics;
pub use origin::{OriginPolicy, RequestOrigin};
pub use query::Query;
pub use rate::{OperationBudget, RateLimit, Verdict};
pub use subprotocol::Subprotocols;
pub use ticket::Ticket;
pub use token::{Identity, TokenRules, TokenVerifier};
