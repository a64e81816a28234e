//! A WebSocket client that speaks `fanline.v1` correctly.

use std::collections::VecDeque;

use fanline_test_redis::{DEADLINE, within};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::connection::Connection;

/// How many of the last frames a failure shows.
const FRAMES_SHOWN: usize = 12;

/// One connection to the hub. Frames that nobody asked for yet wait in order.
#[derive(Debug)]
pub struct Room {
    socket: WebSocketStream<Box<dyn Connection>>,
    /// The first frame of the connection; null until it came.
    pub welcome: Value,
    unread: VecDeque<Value>,
    last_id: u64,
    history: VecDeque<String>,
}

impl Room {
    pub(crate) fn new(socket: WebSocketStream<Box<dyn Connection>>) -> Self {
        Self {
            socket,
            welcome: Value::Null,
            unread: VecDeque::new(),
            last_id: 0,
            history: VecDeque::new(),
        }
    }

    /// Takes the welcome, which has to be the first frame.
    pub async fn welcomed(mut self) -> Self {
        let first = self.read("the welcome").await;
        assert_eq!(first["op"], "welcome", "first comes {first}");
        self.welcome = first;
        self
    }

    /// The id of this connection.
    pub fn connection(&self) -> String {
        self.welcome["connection"]
            .as_str()
            .unwrap_or_else(|| panic!("no connection in {}", self.welcome))
            .to_owned()
    }

    /// Sends a request with an id of its own and returns the one answer that carries that id.
    pub async fn request(&mut self, mut frame: Value) -> Value {
        self.last_id += 1;
        let id = self.last_id;
        frame["id"] = json!(id);
        self.send_text(&frame.to_string()).await;
        self.take(&format!("the answer to {frame}"), |answer| answer["id"] == id).await
    }

    /// The answer to a request that the test sent as text with this id.
    pub async fn answer(&mut self, id: &str) -> Value {
        self.take(&format!("the answer to {id:?}"), |answer| answer["id"] == id).await
    }

    /// The next answer to a request that the test sent as text with this number as its id.
    pub async fn next_with_id(&mut self, id: u64) -> Value {
        self.take(&format!("an answer to {id}"), |answer| answer["id"] == id).await
    }

    /// A frame with this `op` that came before one that was taken.
    pub fn take_unread(&mut self, op: &str) -> Value {
        match self.unread.iter().position(|frame| frame["op"] == op) {
            Some(place) => self.unread.remove(place).expect("it was just found there"),
            None => self.fail(&format!("no frame {op:?} came")),
        }
    }

    /// A request that has to succeed.
    pub async fn ok(&mut self, frame: Value) -> Value {
        let answer = self.request(frame.clone()).await;
        assert_eq!(answer["op"], "ok", "{frame} is answered {answer}");
        answer
    }

    /// A request that has to fail: returns the reason.
    pub async fn refused(&mut self, frame: Value) -> String {
        let answer = self.request(frame.clone()).await;
        assert_eq!(answer["op"], "error", "{frame} is answered {answer}");
        reason_in(&answer)
    }

    /// Joins a channel from now on.
    pub async fn join(&mut self, channel: &str) -> Value {
        self.ok(json!({"op": "join", "channel": channel})).await
    }

    /// Joins a channel from a position, `earliest` or `last:N`.
    pub async fn join_since(&mut self, channel: &str, since: impl ToString) -> Value {
        let since = since.to_string();
        self.ok(json!({"op": "join", "channel": channel, "since": since})).await
    }

    /// Publishes an event of the type `note`.
    pub async fn publish(&mut self, channel: &str, data: Value) -> Value {
        self.ok(json!({"op": "publish", "channel": channel, "type": "note", "data": data})).await
    }

    /// The next event not yet taken: the E of `{"op":"event","event":E}`.
    pub async fn event(&mut self) -> Value {
        self.next("event").await["event"].take()
    }

    /// The next `count` events.
    pub async fn events(&mut self, count: usize) -> Vec<Value> {
        let mut events = Vec::with_capacity(count);
        for _ in 0..count {
            events.push(self.event().await);
        }
        events
    }

    /// The `data` of the next `count` events.
    pub async fn data(&mut self, count: usize) -> Vec<Value> {
        let take = |mut event: Value| event["data"].take();
        self.events(count).await.into_iter().map(take).collect()
    }

    /// The next frame with this `op` that is not an answer to a request.
    pub async fn next(&mut self, op: &str) -> Value {
        self.take(&format!("a frame {op:?}"), |frame| {
            frame["op"] == op && frame.get("id").is_none()
        })
        .await
    }

    /// The reason of the next `error` without an id.
    pub async fn error(&mut self) -> String {
        reason_in(&self.next("error").await)
    }

    /// The next frame, however long it takes; none once the connection has ended.
    pub async fn frame(&mut self) -> Option<Value> {
        if let Some(frame) = self.unread.pop_front() {
            return Some(frame);
        }
        loop {
            match self.socket.next().await? {
                Ok(Message::Text(text)) => return Some(self.parse(&text)),
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                Ok(Message::Binary(_) | Message::Close(_) | Message::Frame(_)) | Err(_) => {
                    return None;
                }
            }
        }
    }

    /// The code with which the hub closes, whatever it sends before.
    pub async fn close_code(&mut self) -> u16 {
        loop {
            match self.receive("the close").await {
                Some(Ok(Message::Close(Some(close)))) => {
                    // Reading on sends our answer to the Close and sees the hub end the connection; then we end it too.
                    while let Some(Ok(_)) = self.receive("the end of the connection").await {}
                    let _gone_already = self.socket.get_mut().shutdown().await;
                    return close.code.into();
                }
                Some(Ok(Message::Text(text))) => {
                    let frame = self.parse(&text);
                    self.unread.push_back(frame);
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => self.fail(&format!("no close code but {other:?}")),
            }
        }
    }

    /// Frames that came and that nobody took.
    pub fn unread(&self) -> impl Iterator<Item = &Value> {
        self.unread.iter()
    }

    /// Sends any text.
    pub async fn send_text(&mut self, text: &str) {
        let sent = self.socket.send(Message::text(text)).await;
        if let Err(error) = sent {
            self.fail(&format!("{text:.200} cannot be sent: {error}"));
        }
    }

    /// Ends the connection without a Close, as a lost network would.
    pub fn vanish(self) {
        drop(self.socket);
    }

    /// Closes in good order.
    pub async fn close(mut self) {
        let close = within(DEADLINE, "our close", self.socket.close(None));
        close.await.expect("the connection is open");
    }

    /// Takes the first frame that `wanted` accepts; those before it stay unread.
    async fn take(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(place) = self.unread.iter().position(&wanted) {
            return self.unread.remove(place).expect("it was just found there");
        }
        loop {
            let frame = self.read(what).await;
            if wanted(&frame) {
                return frame;
            }
            self.unread.push_back(frame);
        }
    }

    /// The next frame on the wire.
    async fn read(&mut self, what: &str) -> Value {
        loop {
            match self.receive(what).await {
                Some(Ok(Message::Text(text))) => return self.parse(&text),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => self.fail(&format!("waited for {what}, got {other:?}")),
            }
        }
    }

    async fn receive(&mut self, what: &str) -> Option<Result<Message, Error>> {
        match tokio::time::timeout(DEADLINE, self.socket.next()).await {
            Ok(message) => message,
            Err(_) => self.fail(&format!("waited {DEADLINE:?} in vain for {what}")),
        }
    }

    fn parse(&mut self, text: &str) -> Value {
        if self.history.len() == FRAMES_SHOWN {
            self.history.pop_front();
        }
        self.history.push_back(format!("{text:.300}"));
        match serde_json::from_str(text) {
            Ok(frame) => frame,
            Err(error) => self.fail(&format!("a frame that is not JSON: {error}")),
        }
    }

    fn fail(&self, message: &str) -> ! {
        let frames: Vec<&str> = self.history.iter().map(String::as_str).collect();
        panic!("{message}\nlast frames seen:\n  {}", frames.join("\n  "));
    }
}

fn reason_in(error: &Value) -> String {
    let message = error["message"].as_str().unwrap_or_default();
    assert!(!message.is_empty(), "an error without a message: {error}");
    error["reason"]
        .as_str()
        .unwrap_or_else(|| panic!("an error without a reason: {error}"))
        .to_owned()
}
