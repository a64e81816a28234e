//! What happened to the members of tracked channels and was not told: a stream beside the members of each, written by the
//! scripts that change them.

use crate::call::Argument::{Number, Text};
use crate::call::{Call, Failure};
use crate::channels;
use crate::member;
use crate::scripts::Script;
use crate::server::Lane;
use crate::servers::Servers;
use fanline_core::broker::{Answer, Change, ChangeKind, Changes, ChangesPage, ChannelsQuery};
use fanline_core::channel::ChannelName;
use fanline_core::limits::CHANGES_PAGE;
use std::sync::Arc;

/// The changes.
#[derive(Debug)]
pub(crate) struct RedisChanges {
    pub(crate) servers: Arc<Servers>,
}

impl Changes for RedisChanges {
    fn untold<'a>(&'a self, channel: &'a ChannelName) -> Answer<'a, ChangesPage> {
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
            let (listed, more, lost): (Vec<Listed>, bool, u64) =
                redis::from_redis_value(answer).map_err(|_| Failure::Foreign)?;
            common.outlet.metrics.changes_lost.inc_by(lost);
            let last = listed.last().map(|(id, ..)| id.as_str().into());
            let (found, mut changes) = (listed.len(), Vec::with_capacity(listed.len()));
            changes.extend(listed.into_iter().filter_map(read));
            let foreign = found - changes.len();
            if foreign > 0 {
                common.outlet.metrics.foreign_values.inc_by(foreign as u64);
                tracing::warn!(%channel, foreign, "changes of members are not the hub's and go untold");
            }
            Ok(ChangesPage { changes, last, more })
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

/// Id, kind, members after it, and the member as bytes.
type Listed = (String, Vec<u8>, i64, Vec<u8>);

/// Nothing if it is not what the scripts write.
fn read((id, kind, members, bytes): Listed) -> Option<Change> {
    let kind = match &*kind {
        b"J" => ChangeKind::Joined,
        b"L" => ChangeKind::Left,
        b"D" => ChangeKind::Lost,
        _ => return None,
    };
    let (member, members) = (member::decode(&bytes)?, members.try_into().ok()?);
    Some(Change { id: id.into(), member, kind, members })
}
