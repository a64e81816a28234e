//! Who acts in the checks: a backend that publishes, and a client with its token.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use fanline_client::{Client, Publication};
use fanline_core::ChannelName;
use fanline_core::clock::SystemClock;
use serde_json::Map;

use crate::cli::{Check, Hub};
use crate::commands::client;
use crate::config::Loaded;
use crate::mint::{Mint, grants};

/// The user of a token that is minted for the checks.
const USER: &str = "fanline-check";
/// What the data of the events is.
const JSON: &str = "application/json";
const TOKEN_TTL: Duration = Duration::from_secs(600);

/// Both of them, and what is published.
pub(super) struct Scene {
    hub: Hub,
    publisher: Option<Client>,
    token: String,
    channel: String,
    event_type: String,
    data: String,
}

impl Scene {
    /// Takes what the command line gives.
    ///
    /// # Errors
    /// The channel is none, or there is no token and none can be minted.
    pub(super) fn set(arguments: Check) -> Result<Self> {
        let Check { grpc, api_key, channel, event_type, data, token, config, .. } = arguments;
        channel.parse::<ChannelName>().with_context(|| format!("--channel '{channel}'"))?;
        let token = match (token, config) {
            (Some(token), _) => token,
            (None, Some(file)) => mint(&Loaded::from_file(Some(&file))?, &channel)
                .with_context(|| file.display().to_string())?,
            (None, None) => {
                return Err(anyhow!(
                    "no token: give --config, --token, or set FANLINE_TOKEN; `fanline token` makes one"
                ));
            }
        };
        let hub = Hub { url: grpc, api_key };
        Ok(Scene { hub, publisher: None, token, channel, event_type, data })
    }

    /// Connects to gRPC, and publishes once.
    ///
    /// # Errors
    /// There is no hub, or it refuses.
    pub(super) async fn connect(&mut self) -> Result<()> {
        self.publisher = Some(client::connect(self.hub.clone()).await?);
        self.publish().await.map(drop)
    }

    /// Publishes an event, and returns its position.
    ///
    /// # Errors
    /// The hub refuses.
    pub(super) async fn publish(&self) -> Result<String> {
        let publisher = self.publisher.as_ref().context("gRPC is not connected")?;
        let Scene { channel, event_type, data, .. } = self;
        let event = Publication::bytes(channel, event_type, JSON, data.clone());
        Ok(publisher.publish(event).await?.position.to_string())
    }

    /// Where it is published.
    pub(super) fn channel(&self) -> &str {
        &self.channel
    }

    /// A good token.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// The same token with another signature.
    pub(super) fn forged(&self) -> String {
        let (signed, signature) = self.token.rsplit_once('.').unwrap_or(("", &self.token));
        let first = if signature.starts_with('A') { 'B' } else { 'A' };
        let rest: String = signature.chars().skip(1).collect();
        format!("{signed}.{first}{rest}")
    }
}

/// A token for the channel, by the configuration of the hub.
fn mint(loaded: &Loaded, channel: &str) -> Result<String> {
    let key = loaded.client_key().context(
        "there is no [[tokens.keys]] with a secret for clients; give --token instead of --config",
    )?;
    let channels = [channel.to_owned()];
    let mut claims = Map::new();
    claims.insert("sub".to_owned(), USER.into());
    let actions = ["subscribe", "history"].map(|action| (action, channels.as_slice()));
    claims.insert("channels".to_owned(), grants(&actions));
    Mint::new(key, loaded.folder())?.sign(claims, TOKEN_TTL, &SystemClock::start())
}
