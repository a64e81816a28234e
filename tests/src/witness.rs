//! A member that writes down what it gets, over one connection or several.
//!
//! What its [`Record`] is worth is judged by [`Account`](crate::Account).

use std::time::Duration;

use fanline_proto::v1;
use fanline_proto::v1::subscribe_response::Item;
use fanline_test_redis::within;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tonic::Streaming;

use crate::position::{Position, position_of};
use crate::room::Room;

/// Longest wait for what was published before: elections and restarts lie between.
const PATIENCE: Duration = Duration::from_secs(60);

/// The member. It ends with this value.
#[derive(Debug)]
pub struct Witness {
    record: watch::Receiver<Record>,
    _following: JoinSet<()>,
}

/// What a member got, in the order in which it came.
#[derive(Clone, Debug)]
pub struct Record {
    /// Where it joined.
    pub start: Position,
    /// What followed.
    pub steps: Vec<Step>,
    /// Its connection has ended.
    pub ended: bool,
}

/// One thing that a member gets.
#[derive(Clone, Debug)]
pub enum Step {
    /// An event with its data.
    Event(Position, String),
    /// What came after the first position, up to and including the second, is lost.
    Gap(Position, Position),
}

impl Witness {
    /// A member of a room, from `start` on, which is where it joined.
    pub fn in_room(room: Room, start: Position) -> Self {
        Self::follow_room(Record { start, steps: Vec::new(), ended: false }, room)
    }

    /// A backend's subscription to one channel, whose first answer is taken here.
    pub async fn on_stream(mut stream: Streaming<v1::SubscribeResponse>) -> Self {
        let subscribed = subscribed(&mut stream).await;
        let start = subscribed.position.expect("a subscription starts somewhere").into();
        Self::follow_stream(Record { start, steps: Vec::new(), ended: false }, stream)
    }

    /// The member of this record whose connection has ended, on another that has joined where the record ends.
    pub fn back_in_room(record: Record, answer: &Value, room: Room) -> Self {
        assert_eq!(answer["recovered"], true, "{answer}");
        assert_eq!(position_of(answer), *record.end(), "{answer}");
        Self::follow_room(Record { ended: false, ..record }, room)
    }

    /// The subscription of this record whose stream has ended, on another that was asked for from where the record ends.
    pub async fn back_on_stream(
        record: Record,
        mut stream: Streaming<v1::SubscribeResponse>,
    ) -> Self {
        let subscribed = subscribed(&mut stream).await;
        assert_eq!(subscribed.recovered, Some(true), "{subscribed:?}");
        assert_eq!(subscribed.position.map(Position::from).as_ref(), Some(record.end()));
        Self::follow_stream(Record { ended: false, ..record }, stream)
    }

    fn follow_room(record: Record, mut room: Room) -> Self {
        Self::follow(record, async move |record| {
            while let Some(frame) = room.frame().await {
                let position = |key: &str| {
                    let text = frame[key].as_str().unwrap_or_default();
                    text.parse().unwrap_or_else(|error| panic!("{error} in {frame}"))
                };
                match frame["op"].as_str() {
                    Some("event") => {
                        let event = &frame["event"];
                        note(&record, Step::Event(position_of(event), text(&event["data"])));
                    }
                    Some("gap") => note(&record, Step::Gap(position("from"), position("to"))),
                    _ => {}
                }
            }
        })
    }

    fn follow_stream(record: Record, mut stream: Streaming<v1::SubscribeResponse>) -> Self {
        Self::follow(record, async move |record| {
            while let Ok(Some(next)) = stream.message().await {
                let at = |position: Option<v1::Position>| position.expect("a position").into();
                match next.item {
                    Some(Item::Event(event)) => {
                        let data = serde_json::from_slice(&event.data).expect("JSON was published");
                        note(&record, Step::Event(at(event.position), text(&data)));
                    }
                    Some(Item::Gap(gap)) => note(&record, Step::Gap(at(gap.from), at(gap.to))),
                    Some(Item::Subscribed(_)) | None => {}
                }
            }
        })
    }

    fn follow<F: Future<Output = ()> + Send + 'static>(
        record: Record,
        follow: impl FnOnce(watch::Sender<Record>) -> F,
    ) -> Self {
        let (sender, record) = watch::channel(record);
        let mut following = JoinSet::new();
        let end = sender.clone();
        let follow = follow(sender);
        following.spawn(async move {
            follow.await;
            end.send_modify(|record| record.ended = true);
        });
        Self { record, _following: following }
    }

    /// Waits until an event came, or was named as lost, or the connection has ended.
    pub async fn knows_of(&self, position: &Position) {
        let mut record = self.record.clone();
        let known = record.wait_for(|record| record.ended || record.knows_of(position));
        let what = format!("a member to know of {position}");
        within(PATIENCE, &what, known).await.expect("it is followed");
    }

    /// Waits until it was told of a gap.
    pub async fn is_told_of_a_gap(&self) {
        let mut record = self.record.clone();
        let told = record
            .wait_for(|record| record.steps.iter().rev().any(|step| matches!(step, Step::Gap(..))));
        within(PATIENCE, "a gap", told).await.expect("it is followed");
    }

    /// Waits until its connection has ended.
    pub async fn ends(&self) {
        let mut record = self.record.clone();
        let end = record.wait_for(|record| record.ended);
        within(PATIENCE, "the end of a connection", end).await.expect("it is followed");
    }

    /// What it got so far.
    pub fn record(&self) -> Record {
        self.record.borrow().clone()
    }
}

impl Record {
    /// Where the member stands.
    pub fn end(&self) -> &Position {
        self.steps.last().map_or(&self.start, Step::end)
    }

    fn knows_of(&self, position: &Position) -> bool {
        self.steps.iter().rev().any(|step| match step {
            Step::Event(at, _) => at == position,
            // Of an epoch that a gap leaves, nothing more comes.
            Step::Gap(from, _) => step.names(position) || from.epoch == position.epoch,
        })
    }
}

impl Step {
    /// Where the member stands after it.
    pub fn end(&self) -> &Position {
        match self {
            Self::Event(at, _) | Self::Gap(_, at) => at,
        }
    }

    /// Whether it says that what was at a position is lost.
    pub fn names(&self, position: &Position) -> bool {
        match self {
            Self::Event(..) => false,
            Self::Gap(from, to) if from.epoch == to.epoch => {
                position.epoch == from.epoch
                    && (from.offset + 1..=to.offset).contains(&position.offset)
            }
            // The rest of an epoch, and of its successor what is not kept.
            Self::Gap(from, to) => {
                (position.epoch == from.epoch && position.offset > from.offset)
                    || (position.epoch == to.epoch && position.offset <= to.offset)
            }
        }
    }
}

async fn subscribed(stream: &mut Streaming<v1::SubscribeResponse>) -> v1::Subscribed {
    let first = within(PATIENCE, "the subscription", stream.message()).await;
    match first.expect("the stream goes on").expect("it has not ended").item {
        Some(Item::Subscribed(subscribed)) => subscribed,
        other => panic!("first comes {other:?}"),
    }
}

fn note(record: &watch::Sender<Record>, step: Step) {
    record.send_modify(|record| record.steps.push(step));
}

fn text(data: &Value) -> String {
    data.as_str().unwrap_or_else(|| panic!("{data} was not published")).to_owned()
}
