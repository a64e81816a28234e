//! The documents of the hub: AsyncAPI, and the site that shows it.
//!
//! What they say and how they look is in the crate `asyncapi`; here is only what the binary adds: what it alone knows of
//! its edges, and the routes. Read [`Documents`] first.

mod facts;
mod reader;
mod routes;
mod served;

pub(crate) use facts::{facts, facts_of, origin};
pub(crate) use routes::router;
pub(crate) use served::Documents;
