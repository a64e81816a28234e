//! A client of a WebSocket room.

use anyhow::{Context, Result, anyhow, bail};
use futures_util::{SinkExt, StreamExt};
use http::HeaderValue;
use http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::transport::{Closed, Transport, lost, text};
use crate::commands::target::Target;

/// The client, in its room.
pub(super) struct WebSocket {
    socket: WebSocketStream<TcpStream>,
    channel: String,
    place: String,
    lost: Option<String>,
}

impl Transport for WebSocket {
    const NAME: &'static str = "WebSocket";

    async fn open(
        target: &Target,
        token: &str,
        channel: &str,
        since: Option<&str>,
    ) -> Result<Self, Closed> {
        let mut socket = upgrade(target, token).await?;
        let mut join = json!({"op": "join", "id": 1, "channel": channel});
        if let Some(since) = since {
            join["since"] = since.into();
        }
        send(&mut socket, &join).await?;
        loop {
            let answer = receive(&mut socket).await?;
            if answer["op"] == "error" {
                return Err(anyhow!("the room is refused: {answer}").into());
            }
            if answer["op"] == "ok" && answer["id"] == 1 {
                let place = text(&answer, "position")?.to_owned();
                let channel = channel.to_owned();
                return Ok(WebSocket { socket, channel, place, lost: lost(&answer) });
            }
        }
    }

    async fn next(&mut self) -> Result<String> {
        loop {
            let frame = receive(&mut self.socket).await?;
            // The token, or a backend, may put the connection into other channels too.
            match frame["op"].as_str() {
                Some("event") if frame["event"]["channel"] == self.channel => {
                    text(&frame["event"], "position")?.clone_into(&mut self.place);
                    return Ok(self.place.clone());
                }
                Some("gap") if frame["channel"] == self.channel => {
                    bail!("instead of the event comes {frame}")
                }
                Some("closing") => bail!("instead of the event comes {frame}"),
                _ => {}
            }
        }
    }

    fn place(&self) -> &str {
        &self.place
    }

    fn lost(&self) -> Option<&str> {
        self.lost.as_deref()
    }
}

async fn upgrade(target: &Target, token: &str) -> Result<WebSocketStream<TcpStream>, Closed> {
    let url = format!("ws://{}/v1/ws", target.authority());
    let mut request = url.into_client_request().context("the URL has letters that none has")?;
    let bearer = HeaderValue::try_from(format!("Bearer {token}"))
        .context("the token has letters that no token has")?;
    request.headers_mut().insert(AUTHORIZATION, bearer);
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("fanline.v1"));
    match client_async(request, target.connect().await?).await {
        Ok((socket, _response)) => Ok(socket),
        Err(tungstenite::Error::Http(response)) => Err(Closed::Refused(response.status())),
        Err(error) => Err(anyhow!(error).context("there is no WebSocket").into()),
    }
}

async fn send(socket: &mut WebSocketStream<TcpStream>, frame: &Value) -> Result<()> {
    socket.send(Message::text(frame.to_string())).await.context("it takes no frame")
}

async fn receive(socket: &mut WebSocketStream<TcpStream>) -> Result<Value> {
    loop {
        match socket.next().await.context("it ends")?.context("it breaks off")? {
            Message::Text(frame) => return serde_json::from_str(&frame).context("no JSON comes"),
            Message::Close(close) => bail!("it is closed: {close:?}"),
            // Reading answers pings.
            Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_) => {}
        }
    }
}
