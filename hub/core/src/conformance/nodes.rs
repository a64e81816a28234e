//! What is promised about nodes.

use super::{Subject, until};
use crate::broker::{BrokerError, NodeRecord, Nodes, Notice};
use crate::ids::{NodeId, UserId};
use crate::limits::{CONTROL_MESSAGE_BYTES, NODE_RECORD_BYTES};
use crate::random::Random;
use bytes::Bytes;

fn user(name: &str) -> UserId {
    UserId::new(name).expect("a name")
}

impl Subject {
    fn nodes(&self) -> &dyn Nodes {
        self.broker.nodes()
    }

    /// Whether exactly these nodes say this of themselves.
    fn lists(&self, expected: &[(NodeId, &'static [u8])]) -> bool {
        let listed = self.nodes().list();
        listed.len() == expected.len()
            && expected.iter().all(|(node, record)| {
                listed.contains(&NodeRecord { node: *node, record: Bytes::from_static(record) })
            })
    }

    async fn control(&mut self) -> (NodeId, Bytes) {
        loop {
            match self.any_notice().await {
                Notice::Control { from, message } => return (from, message),
                Notice::Event(_)
                | Notice::Presence(_)
                | Notice::Suspect(_)
                | Notice::Nodes
                | Notice::Revocations => {}
            }
        }
    }

    async fn noticed_nodes(&mut self) {
        while !matches!(self.any_notice().await, Notice::Nodes) {}
    }

    /// Says something to a node until it is heard: a node that has just started may not hear yet.
    async fn tell_surely(&self, node: NodeId, message: &'static [u8]) {
        until("the node hears", async || {
            self.nodes().tell(node, Bytes::from_static(message)).await == Ok(true)
        })
        .await;
    }
}

pub(super) async fn a_node_is_listed_with_what_it_last_announced(mut subject: Subject) {
    let id = subject.nodes().id();
    assert!(subject.lists(&[(id, b"")]), "from its start");
    for record in [&b"one"[..], b"two \n\x00\xff"] {
        subject.nodes().announce(Bytes::from_static(record)).expect("announced");
        until("the record is listed", async || subject.lists(&[(id, record)])).await;
        subject.noticed_nodes().await;
    }
    let large = vec![0; NODE_RECORD_BYTES + 1].into();
    assert!(matches!(subject.nodes().announce(large), Err(BrokerError::Full(_))));
    assert!(subject.lists(&[(id, b"two \n\x00\xff")]));
}

pub(super) async fn a_message_reaches_the_node_that_it_is_for(mut subject: Subject) {
    let id = subject.nodes().id();
    subject.tell_surely(id, b"one").await;
    assert_eq!(subject.control().await, (id, Bytes::from_static(b"one")));
    let large = Bytes::from(vec![7; CONTROL_MESSAGE_BYTES]);
    assert_eq!(subject.nodes().tell(id, large.clone()).await, Ok(true));
    assert_eq!(subject.control().await, (id, large));
    let too_large = vec![7; CONTROL_MESSAGE_BYTES + 1].into();
    assert!(matches!(subject.nodes().tell(id, too_large).await, Err(BrokerError::Full(_))));
    let nobody = NodeId::random(&Random::seeded(4));
    assert_eq!(subject.nodes().tell(nobody, Bytes::new()).await, Ok(false));
}

pub(super) async fn a_user_is_found_on_the_nodes_where_it_is_attached(subject: Subject) {
    let nodes = subject.nodes();
    let (ada, bob) = (user("ada"), user("b}o{b "));
    nodes.attach(&ada);
    nodes.attach(&ada);
    nodes.attach(&bob);
    nodes.detach(&bob);
    nodes.attach(&bob);
    for user in [&ada, &bob] {
        until("the user is found", async || nodes.of(user).await == Ok(vec![nodes.id()])).await;
    }
    nodes.detach(&ada);
    until("the user is gone", async || nodes.of(&ada).await == Ok(Vec::new())).await;
    assert_eq!(nodes.of(&bob).await, Ok(vec![nodes.id()]));
    assert_eq!(nodes.of(&user("eve")).await, Ok(Vec::new()));
}

pub(super) async fn two_nodes_know_and_reach_each_other(mut one: Subject, mut two: Subject) {
    let (here, there) = (one.nodes().id(), two.nodes().id());
    assert_ne!(here, there);
    two.nodes().announce(Bytes::from_static(b"two")).expect("announced");
    for node in [&one, &two] {
        let both: [(_, &[u8]); 2] = [(here, b""), (there, b"two")];
        until("each lists both", async || node.lists(&both)).await;
    }
    one.noticed_nodes().await;

    one.tell_surely(there, b"to two").await;
    two.tell_surely(here, b"to one").await;
    assert_eq!(one.control().await, (there, Bytes::from_static(b"to one")));
    assert_eq!(two.control().await, (here, Bytes::from_static(b"to two")));

    let ada = user("ada");
    one.nodes().attach(&ada);
    two.nodes().attach(&ada);
    until("both have the user", async || {
        let found = one.nodes().of(&ada).await.unwrap_or_default();
        found.len() == 2 && found.contains(&here) && found.contains(&there)
    })
    .await;
    one.nodes().detach(&ada);
    until("one has the user", async || two.nodes().of(&ada).await == Ok(vec![there])).await;
}
