//! Being present in a channel.

use crate::Refusal;
use crate::broker::Member;
use crate::channel::ChannelName;
use crate::hub::Hub;
use crate::ids::ConnectionId;

/// A connection's presence in a channel, which ends when this is dropped.
#[derive(Debug)]
pub struct Membership {
    hub: Hub,
    channel: ChannelName,
    connection: ConnectionId,
    /// Whether backends are told of it.
    tracked: bool,
    /// Whether there is nothing left to end.
    ended: bool,
}

impl Hub {
    /// Makes a connection a member of a channel; the other members are told where the namespace says so.
    ///
    /// # Errors
    /// A broker that is not available.
    ///
    /// # Cancel safety
    /// Dropped before it answers, the membership ends again.
    pub async fn enter(
        &self,
        channel: &ChannelName,
        member: Member,
    ) -> Result<Membership, Refusal> {
        let tracked = self.options(channel).is_ok_and(|options| options.lifecycle);
        // Made first, so that a call that is given up half-way is undone too.
        let membership = Membership {
            hub: self.clone(),
            channel: channel.clone(),
            connection: member.connection,
            tracked,
            ended: false,
        };
        self.table().note(member.connection, channel, true);
        self.broker().enter(channel, member, tracked).await?;
        if tracked {
            self.members_changed(channel);
        }
        Ok(membership)
    }

    /// Whether a connection of this node is in a channel, or about to be.
    #[must_use]
    pub fn is_in(&self, connection: ConnectionId, channel: &ChannelName) -> bool {
        self.table().is_in(connection, channel)
    }

    /// The members of a channel on all nodes, in the order of their joining.
    ///
    /// # Errors
    /// An unknown namespace, or a broker that is not available.
    pub async fn members(&self, channel: &ChannelName) -> Result<Vec<Member>, Refusal> {
        self.options(channel)?;
        Ok(self.broker().members(channel).await?)
    }
}

impl Membership {
    /// The channel.
    #[must_use]
    pub fn channel(&self) -> &ChannelName {
        &self.channel
    }

    /// Ends it now: once this answers, the connection can enter again. Dropping it ends it some time later.
    ///
    /// # Cancel safety
    /// Dropped before it answers, the membership ends some time later.
    pub async fn end(mut self) {
        self.hub.table().note(self.connection, &self.channel, false);
        let left = self.hub.broker().leave(&self.channel, self.connection).await;
        self.ended = left.is_ok();
        if self.tracked {
            self.hub.members_changed(&self.channel);
        }
    }

    /// Lets go of it without ending it: of a second membership of one connection in one channel, since a member is known by
    /// its connection, and the end of one would end both.
    pub fn forget(mut self) {
        self.ended = true;
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        self.hub.table().note(self.connection, &self.channel, false);
        let (hub, channel, connection) = (self.hub.clone(), self.channel.clone(), self.connection);
        let tracked = self.tracked;
        self.hub.spawn(async move {
            if let Err(error) = hub.broker().leave(&channel, connection).await {
                tracing::debug!(%channel, %error, "a member could not be taken out");
            }
            if tracked {
                hub.members_changed(&channel);
            }
        });
    }
}
