//! The documents of the hub: AsyncAPI, and the site that shows it.
//!
//! What they say and how they look is in the crate `asyncapi`; here is only what the binary adds: what it alone knows of
//! its edges, and the routes.

mod facts;

pub(crate) use facts::facts;
