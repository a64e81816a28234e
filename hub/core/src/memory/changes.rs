//! Changes of members in memory: they are told, or lost with the process and the members themselves.

use super::MemoryBroker;
use crate::broker::{Answer, Change, ChangeKind, Changes, ChannelsQuery, Member};
use crate::channel::ChannelName;
use crate::limits::{CHANGES, CHANGES_PAGE};
use crate::sync::lock;
use std::collections::VecDeque;

/// The changes of a channel that nobody was told of.
#[derive(Debug, Default)]
pub(super) struct Untold {
    tracked: bool,
    last: u64,
    changes: VecDeque<Change>,
}

impl Untold {
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
        let (id, members) = (self.last.to_string().into(), members as u64);
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
    fn untold<'a>(&'a self, name: &'a ChannelName) -> Answer<'a, Vec<Change>> {
        Box::pin(async move {
            self.with(name, |channel, _| {
                channel.untold.changes.iter().take(CHANGES_PAGE).cloned().collect()
            })
        })
    }

    fn forget<'a>(&'a self, name: &'a ChannelName, last: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            self.with(name, |channel, _| {
                let changes = &mut channel.untold.changes;
                if let Some(place) = changes.iter().position(|change| &*change.id == last) {
                    changes.drain(..=place);
                }
            })
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
