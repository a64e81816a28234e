//! An SSE client that is not ours, and what it hands to its application.

use std::collections::{HashMap, VecDeque};
use std::path::Path;

use serde_json::{Value, json};

use crate::process::Process;
use crate::script::Script;

/// A running client of some kind, with the streams that it was started with. Dropping it ends it.
#[derive(Debug)]
pub struct ForeignClient {
    process: Process,
    lines_read: usize,
    /// What came on streams that nobody has asked for yet.
    unread: HashMap<String, VecDeque<Heard>>,
}

/// A stream to open.
#[derive(Clone, Debug)]
pub struct StreamRequest {
    /// By which the test calls it.
    pub name: &'static str,
    /// Where it is.
    pub url: String,
    /// How the client says who it is.
    pub credential: StreamCredential,
}

/// How a client says who it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StreamCredential {
    /// `Authorization: Bearer`.
    Bearer,
    /// The cookie, with an allowed origin.
    Cookie,
}

/// An event as an application gets it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Heard {
    /// Its name; `message` for one without.
    pub name: String,
    /// Its data.
    pub data: String,
    /// The last id that the client knew with it, or none where this client tells only what stands in the block.
    pub id: String,
}

impl Heard {
    /// The data as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

impl ForeignClient {
    /// Starts a client of a kind that `tests/node/sse` knows. It comes from `origin`, which is on a free port of this
    /// machine, and trusts the certificate in the file `authority`.
    pub fn start(
        kind: &str,
        token: &str,
        origin: &str,
        authority: &Path,
        streams: &[StreamRequest],
    ) -> Self {
        let streams: Vec<Value> = streams
            .iter()
            .map(|stream| {
                let credential = match stream.credential {
                    StreamCredential::Bearer => "bearer",
                    StreamCredential::Cookie => "cookie",
                };
                json!({"name": stream.name, "url": stream.url, "credential": credential})
            })
            .collect();
        let process = Script::node("sse/client.mjs")
            .option("kind", kind)
            .option("token", token)
            .option("origin", origin)
            .option("ca", authority.display())
            .option("streams", json!(streams))
            .start();
        Self { process, lines_read: 0, unread: HashMap::new() }
    }

    /// What the application gets next on a stream.
    pub async fn next(&mut self, stream: &str) -> Heard {
        loop {
            if let Some(heard) = self.unread.get_mut(stream).and_then(VecDeque::pop_front) {
                return heard;
            }
            let what = format!("an event on the stream {stream}");
            let line = self.process.stdout_line_at(&what, self.lines_read).await;
            self.lines_read += 1;
            let line: Value = serde_json::from_str(&line)
                .unwrap_or_else(|error| panic!("{error} in {line:?} of a client"));
            let text = |field: &str| line[field].as_str().unwrap_or_default().to_owned();
            let heard = Heard { name: text("name"), data: text("data"), id: text("id") };
            self.unread.entry(text("stream")).or_default().push_back(heard);
        }
    }

    /// The next event, which must have this name.
    pub async fn named(&mut self, stream: &str, name: &str) -> Heard {
        let heard = self.next(stream).await;
        assert_eq!(heard.name, name, "on the stream {stream}: {heard:?}");
        heard
    }

    /// Ends the client, and whatever it started.
    pub async fn stop(mut self) {
        self.process.terminate();
        self.process.exit().await;
    }
}
