//! Orders to, and questions about, the connections of all nodes.
//!
//! A question goes to the nodes that can have what it is about, this one included without a detour. A node is asked
//! again while it does not answer, because messages between nodes may be lost, and because asking twice does no harm: an
//! order that was obeyed is obeyed already.

use super::order::{Order, Target};
use super::query::{ConnectionsPage, ConnectionsQuery};
use super::wire::Message;
use crate::control::{Told, Topic};
use crate::hub::Hub;
use crate::ids::NodeId;
use crate::reason::Reason;
use crate::refusal::Refusal;
use crate::sync::lock;
use futures_util::future::try_join_all;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Longest wait for a node's answer, and after which part of it the node is asked again.
const ANSWER: Duration = Duration::from_secs(3);
const REPEAT: Duration = Duration::from_millis(500);
/// Questions that may be under way at once; more are refused.
const ASKS: usize = 4096;

/// The questions under way.
#[derive(Debug, Default)]
pub(crate) struct Remote {
    next: AtomicU64,
    pending: Mutex<HashMap<u64, oneshot::Sender<Message>>>,
}

/// A question under way, which is forgotten when this is dropped.
struct Ask<'a> {
    remote: &'a Remote,
    number: u64,
    answer: oneshot::Receiver<Message>,
}

impl Drop for Ask<'_> {
    fn drop(&mut self) {
        lock(&self.remote.pending).remove(&self.number);
    }
}

impl Remote {
    fn ask(&self) -> Result<Ask<'_>, Refusal> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        let mut pending = lock(&self.pending);
        if pending.len() >= ASKS {
            let message = "too many questions about connections are under way";
            let refusal = Refusal::new(Reason::LimitExceeded, message);
            return Err(refusal.with_retry_after(Duration::from_secs(1)));
        }
        pending.insert(number, sender);
        Ok(Ask { remote: self, number, answer })
    }

    fn answered(&self, number: u64, message: Message) {
        if let Some(waiting) = lock(&self.pending).remove(&number) {
            let _no_longer_waits = waiting.send(message);
        }
    }
}

impl Hub {
    /// Gives an order to connections, whichever nodes they are on; says how many got it.
    ///
    /// # Errors
    /// A broker that is not available, or a node that does not answer: the order may have been obeyed, and may be given
    /// again.
    pub async fn order(&self, target: Target, order: Order) -> Result<u64, Refusal> {
        let nodes = match &target {
            Target::Connection(connection) => self.nodes_where(|node| connection.may_be_on(node)),
            Target::User(user) => {
                let holding = self.broker().nodes().of(user).await?;
                // This node knows of itself without asking.
                self.nodes_where(|node| node == self.node() || holding.contains(&node))
            }
            Target::Token(_) => self.nodes_where(|_| true),
        };
        let counts = nodes.into_iter().map(|node| {
            let (target, order) = (&target, &order);
            async move {
                if node == self.node() {
                    return Ok::<_, Refusal>(self.table().order(target, order) as u64);
                }
                let question =
                    |ask| Message::Order { ask, target: target.clone(), order: order.clone() };
                match self.ask(node, question).await? {
                    Some(Message::Ordered { count, .. }) => Ok(count),
                    Some(_) | None => Ok(0),
                }
            }
        });
        Ok(try_join_all(counts).await?.into_iter().sum())
    }

    /// Lists connections of all nodes, by id.
    ///
    /// # Errors
    /// A broker that is not available, or a node that does not answer.
    pub async fn connections(&self, query: ConnectionsQuery) -> Result<ConnectionsPage, Refusal> {
        let nodes = match &query.user {
            Some(user) => {
                let holding = self.broker().nodes().of(user).await?;
                self.nodes_where(|node| node == self.node() || holding.contains(&node))
            }
            None => self.nodes_where(|_| true),
        };
        let pages = nodes.into_iter().map(|node| {
            let query = &query;
            async move {
                if node == self.node() {
                    return Ok(self.table().list(node, query));
                }
                let question = |ask| Message::List { ask, query: query.clone() };
                match self.ask(node, question).await? {
                    Some(Message::Listed { page, .. }) => Ok(page),
                    Some(_) | None => Ok::<_, Refusal>(ConnectionsPage::default()),
                }
            }
        });
        Ok(merge(try_join_all(pages).await?, query.limit))
    }

    fn nodes_where(&self, is_so: impl Fn(NodeId) -> bool) -> Vec<NodeId> {
        self.nodes().iter().map(|record| record.node).filter(|node| is_so(*node)).collect()
    }

    /// Asks a node. None: it is gone.
    async fn ask(
        &self,
        node: NodeId,
        question: impl Fn(u64) -> Message,
    ) -> Result<Option<Message>, Refusal> {
        let mut ask = self.remote().ask()?;
        let message = question(ask.number).encode();
        let asking = async {
            loop {
                let heard = self.tell(node, Topic::Connections, &message).await?;
                if !heard && !self.nodes().iter().any(|record| record.node == node) {
                    return Ok(None);
                }
                if let Ok(answer) = tokio::time::timeout(REPEAT, &mut ask.answer).await {
                    return Ok(answer.ok());
                }
            }
        };
        tokio::time::timeout(ANSWER, asking).await.unwrap_or_else(|_elapsed| {
            let message = "a node does not answer; try again";
            let refusal = Refusal::new(Reason::BrokerUnavailable, message);
            Err(refusal.with_retry_after(Duration::from_secs(1)))
        })
    }

    async fn take_in(&self, Told { from, message }: Told) {
        let answer = match Message::decode(&message) {
            Some(Message::Order { ask, target, order }) => {
                let count = self.table().order(&target, &order) as u64;
                Message::Ordered { ask, count }
            }
            Some(Message::List { ask, query }) => {
                Message::Listed { ask, page: self.table().list(self.node(), &query) }
            }
            Some(answer @ (Message::Ordered { ask, .. } | Message::Listed { ask, .. })) => {
                return self.remote().answered(ask, answer);
            }
            None => return tracing::debug!(%from, "a question is of another version"),
        };
        if let Err(refusal) = self.tell(from, Topic::Connections, &answer.encode()).await {
            tracing::debug!(%from, %refusal, "a question of another node could not be answered");
        }
    }
}

/// One page of those of several nodes. Past the end of a page that has more, the others may lack some.
fn merge(pages: Vec<ConnectionsPage>, limit: usize) -> ConnectionsPage {
    let cut = pages.iter().filter(|page| page.more);
    let cut = cut.filter_map(|page| page.connections.last()).map(|last| last.connection).min();
    let mut merged =
        ConnectionsPage { more: pages.iter().any(|page| page.more), connections: Vec::new() };
    merged.connections.extend(pages.into_iter().flat_map(|page| page.connections));
    merged.connections.sort_unstable_by_key(|info| info.connection);
    if let Some(cut) = cut {
        merged.connections.retain(|info| info.connection <= cut);
    }
    if merged.connections.len() > limit {
        merged.connections.truncate(limit);
        merged.more = true;
    }
    merged
}

/// Answers other nodes, until `stop`.
pub(crate) async fn answer(hub: Hub, mut told: mpsc::Receiver<Told>, stop: CancellationToken) {
    let answering = async {
        while let Some(told) = told.recv().await {
            hub.take_in(told).await;
        }
    };
    stop.run_until_cancelled(answering).await;
}
