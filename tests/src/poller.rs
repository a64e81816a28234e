//! A client of long-polling that believes no answer: it holds each to where it stands itself.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::Value;

use crate::position::{Position, position_of};
use crate::raw_http::{HttpAnswer, try_get};

/// The client. It may ask any node, through any line, for any channels.
#[derive(Debug)]
pub struct Poller {
    bearer: String,
    batch_max: usize,
    cursor: Option<String>,
    /// Where it stands in each channel of its last answer.
    places: BTreeMap<String, Position>,
}

/// What became of a poll.
#[derive(Debug)]
pub enum Polled {
    /// These events came, each the next of its channel.
    Batch(Vec<Value>),
    /// History does not reach back to where the client stood; it goes on from what is left.
    Reset(Value),
    /// The hub refused.
    Refused(HttpAnswer),
    /// The answer did not arrive whole. The client stands where it stood.
    Lost,
}

impl Poller {
    /// A client that has seen nothing, and takes so many events at a time.
    pub fn new(token: &str, batch_max: usize) -> Self {
        let mut poller =
            Self { bearer: String::new(), batch_max, cursor: None, places: BTreeMap::new() };
        poller.show(token);
        poller
    }

    /// Uses another token from now on.
    pub fn show(&mut self, token: &str) {
        self.bearer = format!("Bearer {token}");
    }

    /// Asks, and takes in what is answered.
    pub async fn poll(&mut self, address: SocketAddr, channels: &[&str], wait: u32) -> Polled {
        let answer = self.ask(address, channels, wait).await;
        self.take(channels, answer)
    }

    /// Asks, and leaves the answer to the test. None: it did not arrive whole.
    pub async fn ask(
        &self,
        address: SocketAddr,
        channels: &[&str],
        wait: u32,
    ) -> Option<HttpAnswer> {
        let mut path = format!("/v1/poll?wait={wait}&max={}", self.batch_max);
        for channel in channels {
            path.push_str(&format!("&channel={channel}"));
        }
        if let Some(cursor) = &self.cursor {
            path.push_str(&format!("&cursor={cursor}"));
        }
        try_get(address, &path, &[("authorization", &self.bearer)]).await
    }

    /// Takes in an answer about these channels. Each event has to be the next of its channel.
    pub fn take(&mut self, channels: &[&str], answer: Option<HttpAnswer>) -> Polled {
        let Some(answer) = answer else { return Polled::Lost };
        match answer.status {
            200 => {
                let batch = answer.json();
                assert_eq!(answer.header("fanline-cursor"), batch["cursor"].as_str());
                self.keep(&batch, "cursor");
                Polled::Batch(self.follow(channels, &batch))
            }
            410 => {
                let problem = answer.json();
                assert_eq!(problem["reset"], true, "{problem}");
                self.keep(&problem, "oldest");
                self.go_on(channels, &problem);
                Polled::Reset(problem)
            }
            _ => Polled::Refused(answer),
        }
    }

    fn keep(&mut self, body: &Value, cursor: &str) {
        let cursor = body[cursor].as_str().unwrap_or_else(|| panic!("no {cursor} in {body}"));
        self.cursor = Some(cursor.to_owned());
    }

    fn follow(&mut self, channels: &[&str], batch: &Value) -> Vec<Value> {
        let former = std::mem::take(&mut self.places);
        for &channel in channels {
            let start = &batch["channels"][channel];
            let position = position_of(start);
            if let Some(place) = former.get(channel) {
                assert_eq!(&position, place, "{channel} goes on where it was: {batch}");
                assert_eq!(start["recovered"], true, "{batch}");
            }
            self.places.insert(channel.to_owned(), position);
        }
        let events = batch["events"].as_array().unwrap_or_else(|| panic!("no events in {batch}"));
        for event in events {
            let channel = event["channel"].as_str().unwrap_or_else(|| panic!("{event}"));
            let place = self.places.get_mut(channel).unwrap_or_else(|| panic!("{event}"));
            assert_eq!(position_of(event), place.plus(1), "the next of {channel} in {batch}");
            *place = place.plus(1);
        }
        events.clone()
    }

    /// Stands where the hub says that it can go on, which is later wherever something was lost, and nowhere else.
    fn go_on(&mut self, channels: &[&str], problem: &Value) {
        for &channel in channels {
            let start = &problem["channels"][channel];
            let (position, lost) = (position_of(start), start["recovered"] == false);
            if let Some(place) = self.places.insert(channel.to_owned(), position.clone()) {
                let on = position.epoch != place.epoch || position.offset > place.offset;
                assert_eq!(lost, on, "{channel} was at {place}: {problem}");
            }
        }
    }
}
