//! The commands that other nodes ask this node's workers to answer.

use super::message::{Answer, Message};
use crate::Reason;
use crate::clock::Timestamp;
use crate::command::{Command, CommandError, Received, Replies, Ticket};
use crate::control::Topic;
use crate::hub::Hub;
use crate::ids::{CommandId, NodeId};
use crate::limits::COMMANDS_ASKED;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What the node that asked is given beyond the command's deadline: it gives up by itself, and says so.
const GRACE: Duration = Duration::from_secs(1);

/// The commands of other nodes that workers of this node have, or will have.
pub(super) struct Asked {
    hub: Hub,
    tasks: TaskTracker,
    stop: CancellationToken,
    /// Ends the one that is given up.
    under_way: HashMap<CommandId, UnderWay>,
    ended: (mpsc::Sender<Way>, mpsc::Receiver<Way>),
    ways: u64,
}

/// Which time of asking: a command that was not taken may be asked again before the end of the first time is known here.
type Way = (CommandId, u64);

struct UnderWay {
    way: u64,
    given_up: CancellationToken,
}

impl Asked {
    pub(super) fn new(hub: Hub, tasks: TaskTracker, stop: CancellationToken) -> Self {
        let ended = mpsc::channel(COMMANDS_ASKED);
        Asked { hub, tasks, stop, under_way: HashMap::new(), ended, ways: 0 }
    }

    /// Has a command answered, and the answers sent back.
    pub(super) fn ask(&mut self, from: NodeId, command: Command) {
        self.forget_ended();
        let id = command.id;
        self.ways += 1;
        let way = (id, self.ways);
        let (sink, replies) = self.hub.commands().reply_pair();
        let timeout = command.timeout;
        let given_up = self.stop.child_token();
        let ticket = match self.hub.commands().hold(&command.draft) {
            Some(held) if self.under_way.len() < COMMANDS_ASKED => {
                let given_up = given_up.clone();
                self.under_way.insert(id, UnderWay { way: self.ways, given_up });
                let millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
                let deadline = self.hub.clock().wall().millis().saturating_add(millis);
                let deadline = Timestamp::from_millis(deadline);
                let command = Command { deadline, held: Some(held), ..command };
                self.hub.workers().dispatch_here(Arc::new(command), sink)
            }
            Some(_) | None => {
                sink.fail(CommandError::limit(
                    "the node of the backend has as many commands as it may",
                ));
                Ticket::spent()
            }
        };
        let (hub, ended) = (self.hub.clone(), self.ended.0.clone());
        self.tasks.spawn(async move {
            let answering = answer(&hub, from, id, replies, ticket);
            let in_time = tokio::time::timeout(timeout.saturating_add(GRACE), answering);
            let _given_up_or_late = given_up.run_until_cancelled(in_time).await;
            // As many places as there may be commands.
            let _place_is_there = ended.try_send(way);
        });
    }

    /// Nobody waits for a command any more.
    pub(super) fn give_up(&mut self, id: CommandId) {
        if let Some(under_way) = self.under_way.remove(&id) {
            under_way.given_up.cancel();
        }
    }

    pub(super) fn forget_ended(&mut self) {
        while let Ok((id, way)) = self.ended.1.try_recv() {
            if self.under_way.get(&id).is_some_and(|under_way| under_way.way == way) {
                self.under_way.remove(&id);
            }
        }
    }
}

/// Sends the answers back, one after the other. Holds the ticket until the last.
async fn answer(hub: &Hub, to: NodeId, id: CommandId, mut replies: Replies, _ticket: Ticket) {
    for sequence in 0.. {
        let (answer, last) = match replies.next().await {
            Received::Reply(reply) => {
                let last = !reply.more;
                (Answer::Reply(reply), last)
            }
            Received::Failed(CommandError::Hub(refusal))
                if refusal.reason() == Reason::NoHandler =>
            {
                (Answer::NotTaken, true)
            }
            Received::Failed(error) => (Answer::Failed(error), true),
            Received::Lost => (Answer::Lost, true),
        };
        let message = Message::Answer { id, sequence, answer }.encode();
        if let Err(refusal) = hub.tell(to, Topic::Commands, &message).await {
            // The node that asked says so at the deadline.
            return tracing::warn!(command = %id, node = %to, %refusal, "an answer could not be sent to the node that asked");
        }
        if last {
            return;
        }
    }
}
