//! A client of a hub, for the commands that call one.

use anyhow::{Context, Result};
use fanline_client::{Client, ClientBuilder};

use crate::cli::Hub;

/// Connects. Only the first connection must succeed here: a lost one is made anew by the next call.
pub(super) async fn connect(hub: Hub) -> Result<Client> {
    Ok(builder(hub)?.connect().await?)
}

/// A client that is still to be told more, and to connect.
pub(super) fn builder(hub: Hub) -> Result<ClientBuilder> {
    let key = hub.api_key.context("no API key: set FANLINE_API_KEY or give --api-key")?;
    Ok(Client::builder(hub.url).api_key(key))
}
