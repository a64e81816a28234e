//! A client of a hub, for the commands that call one.

use anyhow::{Context, Result};
use fanline_client::{Client, ClientBuilder};

use crate::cli::Hub;

/// What to do without a key.
const NO_KEY: &str = "no API key: set FANLINE_API_KEY or give --api-key; `fanline dev` prints one, `fanline key` makes one";

/// Connects. Only the first connection must succeed here: a lost one is made anew by the next call.
pub(super) async fn connect(hub: Hub) -> Result<Client> {
    Ok(builder(hub)?.connect().await?)
}

/// A client that is still to be told more, and to connect.
pub(super) fn builder(hub: Hub) -> Result<ClientBuilder> {
    let key = hub.api_key.context(NO_KEY)?;
    Ok(Client::builder(hub.url).api_key(key))
}
