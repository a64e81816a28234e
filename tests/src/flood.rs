//! A publisher at full speed.

use fanline_proto::v1::{PublishRequest, PublishResponse};
use fanline_test_redis::{DEADLINE, within};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use crate::position::Position;
use crate::rpc::{Publication, Rpc};

/// Publishes that may be unanswered at a time.
const IN_FLIGHT: u64 = 32;

/// One `PublishStream` with 32 events unanswered at most.
#[derive(Debug)]
pub struct Flood {
    requests: mpsc::Sender<PublishRequest>,
    answers: Streaming<PublishResponse>,
    sent: u64,
    /// The offset in each answer.
    offsets: Vec<u64>,
    top: Option<Position>,
}

impl Flood {
    /// Opens the stream.
    pub async fn open(rpc: &Rpc) -> Self {
        let (requests, receiver) = mpsc::channel(IN_FLIGHT.try_into().expect("it is small"));
        let mut publisher = rpc.publisher();
        let open = publisher.publish_stream(ReceiverStream::new(receiver));
        let answers = within(DEADLINE, "the stream to open", open)
            .await
            .unwrap_or_else(|status| panic!("no stream: {status:?}"))
            .into_inner();
        Self { requests, answers, sent: 0, offsets: Vec::new(), top: None }
    }

    /// Sends one event, waiting for an answer first when too many are out.
    pub async fn publish(&mut self, publication: Publication) {
        if self.sent - self.answered() == IN_FLIGHT {
            self.take_answer().await;
        }
        let sent = self.requests.send(publication.0).await;
        sent.expect("the stream is open");
        self.sent += 1;
    }

    /// Events published so far, answered or not.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Waits for the answers still out, and returns the highest position among all.
    pub async fn finish(mut self) -> Position {
        self.take_answers().await;
        self.top.expect("a flood of at least one event")
    }

    /// Waits for the answers still out, and returns the offset of each event, in the order of the answers.
    pub async fn offsets(mut self) -> Vec<u64> {
        self.take_answers().await;
        self.offsets
    }

    fn answered(&self) -> u64 {
        self.offsets.len() as u64
    }

    async fn take_answers(&mut self) {
        while self.answered() < self.sent {
            self.take_answer().await;
        }
    }

    async fn take_answer(&mut self) {
        let answer = within(DEADLINE, "an answer on the stream", self.answers.message())
            .await
            .unwrap_or_else(|status| panic!("the stream fails: {status:?}"))
            .expect("the hub answers before it ends the stream");
        assert_eq!(answer.error, None, "an event is not published");
        let position: Position = answer.position.expect("an answer has a position").into();
        self.offsets.push(position.offset);
        if self.top.as_ref().is_none_or(|top| top.offset < position.offset) {
            self.top = Some(position);
        }
    }
}
