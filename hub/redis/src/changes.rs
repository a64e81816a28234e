//! What happened to the members of tracked channels and was not told: a stream beside the members of each, written by the
//! scripts that change them.

use crate::call::Argument::{Number, Text};
use crate::call::{Call, Failure};
use crate::channels;
use crate::member;
use crate::scripts::Script;
use crate::server::Lane;
use crate::servers::Servers;
use fanline_core::broker::{Answer, Change, ChangeKind, Changes, ChannelsQuery};
use fanline_core::channel::ChannelName;
use fanline_core::limits::CHANGES_PAGE;
use std::sync::Arc;

/// The changes.
#[derive(Debug)]
pub(crate) struct RedisChanges {
    pub(crate) servers: Arc<Servers>,
}

impl Changes for RedisChanges {
    fn untold<'a>(&'a self, channel: &'a ChannelName) -> Answer<'a, Vec<Change>> {
        Box::pin(async move {
            let common = &self.servers.common;
            let call = Call {
                script: Script::Changes,
                keys: &[common.keys.members(channel), common.keys.changes(channel)],
                arguments: &[
                    Text(common.pubsub.publish()),
                    Text(&common.keys.live(channel)),
                    Number(CHANGES_PAGE as u64),
                ],
                lasting: false,
            };
            let answer = self.servers.call(channel, Lane::Writes, &call).await?;
            let listed: Vec<(String, String, u64, Vec<u8>)> =
                redis::from_redis_value(answer).map_err(|_| Failure::Foreign)?;
            let change = |(id, kind, members, bytes): (String, String, u64, Vec<u8>)| {
                let kind = match kind.as_str() {
                    "J" => ChangeKind::Joined,
                    "L" => ChangeKind::Left,
                    "D" => ChangeKind::Lost,
                    _ => return None,
                };
                Some(Change { id: id.into(), member: member::decode(&bytes)?, kind, members })
            };
            Ok(listed.into_iter().filter_map(change).collect())
        })
    }

    fn forget<'a>(&'a self, channel: &'a ChannelName, last: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            let call = Call {
                script: Script::Forget,
                keys: &[self.servers.common.keys.changes(channel)],
                arguments: &[Text(last)],
                lasting: false,
            };
            self.servers.call(channel, Lane::Writes, &call).await?;
            Ok(())
        })
    }

    fn tracked(&self, query: ChannelsQuery) -> Answer<'_, Vec<ChannelName>> {
        Box::pin(channels::list_by(&self.servers, &["changes"], query))
    }
}
