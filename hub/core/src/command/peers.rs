//! The workers of other nodes: each node says what its workers answer, and stands in the tables of the others as one more
//! worker for each set of methods.
//!
//! So a command finds its way, waits, is given up and is lost by the same rules wherever its backend is connected. What is
//! left to do here is speaking: telling the other node what its stand-in is told, and passing on what comes back. A message
//! that gets lost costs its command the time until its deadline. Read `Message` for what is said, and `asked.rs` for the
//! other side.

mod asked;
mod message;

use self::asked::Asked;
use self::message::{Answer, Message, offers_of, record_of};
use super::{Order, Registration, Worker};
use crate::control::{Told, Topic};
use crate::hub::Hub;
use crate::ids::{CommandId, NodeId};
use crate::limits::{OFFERS_PER_NODE, PEER_COMMANDS, REPLIES_AHEAD};
use crate::{Reason, Refusal};
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::collections::{BTreeMap, HashMap};
use std::future::poll_fn;
use std::task::{Context, Poll};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Lets the workers of all nodes answer the commands of all nodes, on `tasks`, until `stop`. To be called once.
pub fn start(hub: Hub, tasks: &TaskTracker, stop: CancellationToken) {
    let Some(messages) = hub.listen(Topic::Commands) else {
        return tracing::error!("something else listens for the commands of other nodes");
    };
    let asked = Asked::new(hub.clone(), tasks.clone(), stop.clone());
    let peers = Peers { hub, asked, standing: Vec::new(), telling: FuturesUnordered::new() };
    tasks.spawn(async move {
        let _our_crash_stops_the_process = stop.clone().drop_guard();
        peers.run(messages, stop).await;
    });
}

struct Peers {
    hub: Hub,
    asked: Asked,
    standing: Vec<StandIn>,
    /// What is being told to other nodes.
    telling: FuturesUnordered<BoxFuture<'static, Telling>>,
}

/// What stands for the workers of another node that answer the same methods.
struct StandIn {
    node: NodeId,
    offer: Registration,
    worker: Worker,
    /// Answers that came before their turn: messages keep no order.
    early: HashMap<CommandId, Early>,
}

/// Answers to one command.
#[derive(Default)]
struct Early {
    next: u64,
    waiting: BTreeMap<u64, Answer>,
}

/// What became of telling a node.
struct Telling {
    node: NodeId,
    /// The command that it was asked, if it was.
    asked: Option<CommandId>,
    heard: Result<bool, Refusal>,
}

impl Peers {
    async fn run(mut self, mut messages: mpsc::Receiver<Told>, stop: CancellationToken) {
        let mut nodes = self.hub.nodes_changes();
        let mut offers = self.hub.workers().offers_changes();
        self.announce();
        self.look_around();
        loop {
            let may_tell = self.telling.len() < PEER_COMMANDS;
            tokio::select! {
                () = stop.cancelled() => return,
                Some(told) = messages.recv() => self.hear(told),
                Some(telling) = self.telling.next() => self.on_told(telling),
                (index, order) = poll_fn(|cx| poll_order(&mut self.standing, cx)), if may_tell => {
                    self.pass_on(index, order);
                }
                Ok(()) = offers.changed() => self.announce(),
                Ok(()) = nodes.changed() => self.look_around(),
            }
        }
    }

    /// Tells all nodes what is answered here.
    fn announce(&self) {
        let offers = self.hub.workers().offers();
        if let Err(refusal) = self.hub.announce(record_of(&offers)) {
            tracing::warn!(%refusal, "other nodes cannot be told what is answered here");
        }
    }

    /// Takes in what other nodes answer. A node that is gone loses what it had; one that answers something no longer is
    /// asked no more, and answers what it has.
    fn look_around(&mut self) {
        let (own, nodes) = (self.hub.node(), self.hub.nodes());
        let others = nodes.iter().filter(|record| record.node != own);
        let mut offered: HashMap<NodeId, Vec<Registration>> =
            others.map(|record| (record.node, offers_of(&record.record))).collect();
        self.standing.retain_mut(|standing| {
            let Some(offers) = offered.get_mut(&standing.node) else { return false };
            match offers.iter().position(|offer| offer.methods == standing.offer.methods) {
                Some(place) => {
                    let offer = offers.swap_remove(place);
                    if offer != standing.offer {
                        standing.worker.replace(within_bounds(offer.clone()));
                        standing.offer = offer;
                    }
                    true
                }
                None => {
                    standing.worker.drain();
                    // What it had may be offered again; nothing stands for that now.
                    standing.offer.max_in_flight = 0;
                    standing.worker.outstanding() > 0
                }
            }
        });
        for (node, offers) in offered {
            for offer in offers.into_iter().take(OFFERS_PER_NODE) {
                let worker = self.hub.workers().register_peer(within_bounds(offer.clone()));
                self.standing.push(StandIn { node, offer, worker, early: HashMap::new() });
            }
        }
    }

    /// Tells a node what its stand-in is told.
    fn pass_on(&mut self, index: usize, order: Order) {
        let standing = &mut self.standing[index];
        let (asked, message) = match order {
            Order::Command(command) => {
                standing.early.insert(command.id, Early::default());
                (Some(command.id), Message::ask(&command))
            }
            Order::Cancelled(id) => {
                standing.early.remove(&id);
                (None, Message::GiveUp(id).encode())
            }
        };
        let (hub, node) = (self.hub.clone(), standing.node);
        self.telling.push(Box::pin(async move {
            let heard = hub.tell(node, Topic::Commands, &message).await;
            Telling { node, asked, heard }
        }));
    }

    fn on_told(&mut self, telling: Telling) {
        let Telling { node, asked: Some(id), heard } = telling else { return };
        let Some(standing) = self.find(node, id) else { return };
        match heard {
            Ok(true) => return,
            Ok(false) => standing.worker.give_back(id),
            Err(refusal) if refusal.reason() == Reason::BrokerUnavailable => {
                standing.worker.lose(id)
            }
            Err(refusal) => {
                let _given_up_meanwhile = standing.worker.fail(id, refusal.into());
            }
        }
        standing.early.remove(&id);
    }

    fn hear(&mut self, Told { from, message }: Told) {
        match Message::decode(message) {
            Some(Message::Ask(command)) => self.asked.ask(from, *command),
            Some(Message::GiveUp(id)) => self.asked.give_up(id),
            Some(Message::Answer { id, sequence, answer }) => {
                if let Some(standing) = self.find(from, id) {
                    standing.take(id, sequence, answer);
                }
            }
            None => {
                tracing::debug!(%from, "a node says something that this node does not understand")
            }
        }
        self.asked.forget_ended();
    }

    fn find(&mut self, node: NodeId, id: CommandId) -> Option<&mut StandIn> {
        let has =
            |standing: &&mut StandIn| standing.node == node && standing.early.contains_key(&id);
        self.standing.iter_mut().find(has)
    }
}

impl StandIn {
    /// Passes on what has its turn.
    fn take(&mut self, id: CommandId, sequence: u64, answer: Answer) {
        let Some(early) = self.early.get_mut(&id) else { return };
        if sequence >= early.next && early.waiting.len() < REPLIES_AHEAD {
            early.waiting.insert(sequence, answer);
        }
        while let Some(answer) = early.waiting.remove(&early.next) {
            early.next += 1;
            let over = match answer {
                Answer::Reply(reply) => {
                    let last = !reply.more;
                    self.worker.reply(id, reply).is_err() || last
                }
                Answer::Failed(error) => {
                    let _given_up_meanwhile = self.worker.fail(id, error);
                    true
                }
                Answer::NotTaken => {
                    self.worker.give_back(id);
                    true
                }
                Answer::Lost => {
                    self.worker.lose(id);
                    true
                }
            };
            if over {
                self.early.remove(&id);
                return;
            }
        }
    }
}

/// No more at a time than what a node's queue of messages holds with ease, however many it offers.
fn within_bounds(offer: Registration) -> Registration {
    let max_in_flight = offer.max_in_flight.clamp(1, PEER_COMMANDS);
    Registration { max_in_flight, ..offer }
}

fn poll_order(standing: &mut [StandIn], cx: &mut Context<'_>) -> Poll<(usize, Order)> {
    for (index, standing) in standing.iter_mut().enumerate() {
        if let Poll::Ready(order) = standing.worker.poll_order(cx) {
            return Poll::Ready((index, order));
        }
    }
    Poll::Pending
}
