//! What a connection has once its token is verified: who it is, and the channels it is in.

use crate::message;
use crate::outbox::Outbox;
use crate::work::Entry;
use fanline_core::feed::{Feed, Joined};
use fanline_core::presence::Membership;
use fanline_core::{ChannelName, Hub, Reason, Refusal};
use fanline_edge::{Client, Identity, OperationBudget};

/// An authenticated connection.
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) feed: Feed,
    pub(crate) budget: OperationBudget,
    /// As long as these are held, the connection is a member of its channels.
    memberships: Vec<Membership>,
    /// Those of its channels that the server put it into: a newer token does not decide about them.
    moved: Vec<ChannelName>,
}

impl Session {
    pub(crate) fn new(hub: Hub, client: Client, budget: OperationBudget) -> Self {
        let feed = Feed::new(hub, Some(client.connection()));
        Session { client, feed, budget, memberships: Vec::new(), moved: Vec::new() }
    }

    /// Whether another channel may be joined.
    pub(crate) fn admits(&self, channel: &ChannelName, channels_max: usize) -> Result<(), Refusal> {
        if self.feed.contains(channel) {
            let message =
                "this connection is in the channel already; leave it first to start elsewhere";
            return Err(Refusal::new(Reason::AlreadyJoined, message).with_field("channel"));
        }
        if self.feed.len() >= channels_max {
            let message =
                format!("a connection is in at most {channels_max} channels; leave one first");
            return Err(Refusal::new(Reason::LimitExceeded, message).with_field("channel"));
        }
        Ok(())
    }

    /// Takes a channel in, if it still may: while it was opened, a reply or the client itself may have been faster.
    pub(crate) fn take_in(
        &mut self,
        (opened, membership): Entry,
        channels_max: usize,
    ) -> Result<(ChannelName, Joined), Refusal> {
        let channel = opened.channel().clone();
        if let Err(refusal) = self.admits(&channel, channels_max) {
            if refusal.reason() == Reason::AlreadyJoined {
                membership.forget();
            }
            return Err(refusal);
        }
        self.memberships.push(membership);
        Ok((channel, self.feed.insert(opened)))
    }

    /// Takes a channel in because the server says so, if it still may.
    pub(crate) fn move_into(
        &mut self,
        entry: Entry,
        channels_max: usize,
    ) -> Result<(ChannelName, Joined), Refusal> {
        let (channel, joined) = self.take_in(entry, channels_max)?;
        self.moved.push(channel.clone());
        Ok((channel, joined))
    }

    /// Leaves a channel. The membership is the caller's to end.
    pub(crate) fn leave(&mut self, channel: &ChannelName) -> Result<Membership, Refusal> {
        self.feed.leave(channel);
        self.moved.retain(|moved| moved != channel);
        let mut left =
            self.memberships.extract_if(.., |membership| membership.channel() == channel);
        left.next().ok_or_else(|| {
            let refusal = Refusal::new(Reason::NotJoined, "this connection is not in the channel");
            refusal.with_field("channel")
        })
    }

    /// Goes on with a newer token of the same user. Channels that it no longer grants are left, and the client told.
    pub(crate) fn refresh(
        &mut self,
        identity: Identity,
        outbox: &mut Outbox,
    ) -> Result<(), Refusal> {
        if identity.user != self.client.identity().user {
            let message = "the token belongs to another user; open a connection for each";
            return Err(Refusal::new(Reason::PermissionDenied, message).with_field("token"));
        }
        self.client = self.client.refreshed(identity);
        let lost: Vec<_> = self
            .feed
            .channels()
            .filter(|channel| {
                !self.moved.contains(channel) && self.client.may_join(channel).is_err()
            })
            .cloned()
            .collect();
        for channel in lost {
            let _was_in_it = self.leave(&channel);
            outbox.push(message::left(&channel, Reason::PermissionDenied));
        }
        Ok(())
    }
}
