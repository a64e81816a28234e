//! Connections: who is connected, to which node, and what a connection is told to do by others than its client.
//!
//! A bridge keeps an [`Attendance`] for as long as its connection lives, and obeys the [`Order`]s that come out of it; it
//! need not know where they come from. Whoever gives orders, or asks who is there, does so on any node, by way of
//! [`Hub::order`](crate::Hub::order) and [`Hub::connections`](crate::Hub::connections): what is asked goes to the nodes that
//! can have the connection, not to all. Revoked tokens are refused and their connections ended by every node of itself.

mod attendance;
mod order;
mod query;
mod remote;
mod revocations;
mod table;
mod wire;

pub use attendance::Attendance;
pub use order::{Ending, Order, Target};
pub use query::{ConnectionInfo, ConnectionsPage, ConnectionsQuery, Transport};

pub(crate) use remote::{Remote, answer};
pub(crate) use revocations::{Revoked, follow, learn};
pub(crate) use table::Table;
