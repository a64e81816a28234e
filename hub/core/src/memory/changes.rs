//! Changes of members in memory: they are told, or lost with the process and the members themselves.

use super::MemoryBroker;
use crate::broker::{Answer, Change, ChangeKind, Changes, ChangesPage, ChannelsQuery, Member};
use crate::channel::ChannelName;
use crate::limits::{CHANGES, CHANGES_PAGE};
use crate::position::Epoch;
use crate::sync::lock;
use std::collections::VecDeque;

/// The changes of a channel that nobody was told of.
#[derive(Debug)]
pub(super) struct Untold {
    tracked: bool,
    /// Of the channel. A channel that was forgotten and comes back has another one, and counts from the start.
    epoch: Epoch,
    last: u64,
    changes: VecDeque<Change>,
}

impl Untold {
    pub(super) fn new(epoch: Epoch) -> Self {
        Untold { tracked: false, epoch, last: 0, changes: VecDeque::new() }
    }

    /// From now on changes are kept.
    pub(super) fn track(&mut self) {
        self.tracked = true;
    }

    /// Keeps a change, if the channel is tracked. At the bound the oldest goes; false: one went.
    pub(super) fn add(&mut self, member: &Member, kind: ChangeKind, members: usize) -> bool {
        if !self.tracked {
            return true;
        }
        self.last += 1;
        let id = format!("{}-{}", self.epoch, self.last).into();
        let members = members as u64;
        self.changes.push_back(Change { id, member: member.clone(), kind, members });
        let fits = self.changes.len() <= CHANGES;
        if !fits {
            self.changes.pop_front();
        }
        fits
    }

    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

impl Changes for MemoryBroker {
    fn untold<'a>(&'a self, name: &'a ChannelName) -> Answer<'a, ChangesPage> {
        Box::pin(async move {
            Ok(self.with_known(name, |channel| {
                let untold = &channel.untold.changes;
                let changes: Vec<Change> = untold.iter().take(CHANGES_PAGE).cloned().collect();
                let last = changes.last().map(|change| change.id.clone());
                ChangesPage { last, more: changes.len() < untold.len(), changes }
            }))
        })
    }

    fn forget<'a>(&'a self, name: &'a ChannelName, last: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            self.with_known(name, |channel| {
                let changes = &mut channel.untold.changes;
                if let Some(place) = changes.iter().position(|change| &*change.id == last) {
                    changes.drain(..=place);
                }
            });
            Ok(())
        })
    }

    fn tracked(&self, query: ChannelsQuery) -> Answer<'_, Vec<ChannelName>> {
        Box::pin(async move {
            let mut names = Vec::new();
            for shard in &self.0.shards {
                let shard = lock(shard);
                let listed = shard.iter().filter(|(name, channel)| {
                    channel.untold.tracked
                        && query.after.as_ref().is_none_or(|after| *name > after)
                        && query.pattern.matches(name.as_str())
                });
                names.extend(listed.map(|(name, _)| name.clone()));
            }
            names.sort_unstable();
            names.truncate(query.limit);
            Ok(names)
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::broker::{Broker, Changes, Member};
    use crate::clock::Timestamp;
    use crate::ids::ConnectionId;
    use crate::random::Random;
    use crate::testing::{MemoryFixture, channel};
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn a_channel_that_was_forgotten_gives_no_id_a_second_time() {
        let MemoryFixture { broker, clock, notices: _notices } = MemoryFixture::start();
        let name = channel("hall:a");
        let connection = ConnectionId::new(Timestamp::default(), &Random::seeded(1));
        let joined_at = Timestamp::default();
        let member = Member { connection, user: None, info: None, joined_at };
        let come_and_go = async || {
            broker.enter(&name, member.clone(), true).await.unwrap();
            broker.leave(&name, connection).await.unwrap();
            let page = broker.untold(&name).await.unwrap();
            broker.forget(&name, &page.last.unwrap()).await.unwrap();
            page.changes.into_iter().map(|change| change.id).collect::<Vec<_>>()
        };
        let first = come_and_go().await;
        while broker.0.metrics.channels.get() > 0 {
            clock.advance(Duration::from_secs(3600));
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
        let second = come_and_go().await;
        assert!(first.iter().all(|id| !second.contains(id)), "{first:?} {second:?}");
    }
}
