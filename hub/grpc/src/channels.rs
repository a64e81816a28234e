//! `fanline.v1.Channels`.

use crate::caller::Caller;
use crate::convert;
use crate::scope::Scope;
use crate::status;
use fanline_core::broker::ChannelsQuery;
use fanline_core::catchup::Start;
use fanline_core::history::{History, HistoryRequest, Stats};
use fanline_core::limits::CHANNELS_PAGE;
use fanline_core::pattern::Pattern;
use fanline_core::{ChannelName, Hub, Reason, Refusal};
use fanline_proto::v1;
use fanline_proto::v1::history_request;
use futures_util::future;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use tonic::{Request, Response, Status};

/// Events of one page of history, in bytes as they cost in memory, which is about twice what they have on the wire: a
/// page stays below the 4 MiB that clients accept by default.
const HISTORY_PAGE_BYTES: usize = 4 * 1024 * 1024;
/// Channels on a page when the caller names no number.
const LIST_PAGE: usize = 100;
/// Pages of names that are looked through for one page of a list. A caller that covers few of the channels gets short
/// pages rather than one call that reads all names of the hub.
const LIST_LOOKS: usize = 4;
/// Channels of one page that are counted at once.
const COUNTED_AT_ONCE: usize = 16;

/// The service.
pub(crate) struct Channels {
    hub: Hub,
}

impl Channels {
    pub(crate) fn new(hub: Hub) -> Self {
        Channels { hub }
    }

    async fn read_history(
        &self,
        caller: &Caller,
        request: v1::HistoryRequest,
    ) -> Result<v1::HistoryResponse, Refusal> {
        let channel = authorise(caller, Scope::History, &request.channel)?;
        let History { events, top, more, recovery } =
            self.hub.history(&channel, history_page(&request)).await?;
        let (recovered, reason) = convert::recovered(recovery);
        Ok(v1::HistoryResponse {
            next: events.last().map(|event| convert::position(event.position)),
            events: events.iter().map(|event| convert::event(event)).collect(),
            position: Some(convert::position(top)),
            more,
            recovered,
            reason,
        })
    }

    async fn tell_presence(
        &self,
        caller: &Caller,
        request: v1::PresenceRequest,
    ) -> Result<v1::PresenceResponse, Refusal> {
        let channel = authorise(caller, Scope::Presence, &request.channel)?;
        let members = self.hub.members(&channel).await?;
        let members = members.into_iter().map(convert::member).collect();
        Ok(v1::PresenceResponse { members })
    }

    async fn tell_stats(
        &self,
        caller: &Caller,
        request: v1::ChannelStatsRequest,
    ) -> Result<v1::ChannelStatsResponse, Refusal> {
        let channel = authorise(caller, Scope::Presence, &request.channel)?;
        let Stats { members, users, top } = self.hub.stats(&channel).await?;
        Ok(v1::ChannelStatsResponse {
            members: convert::count(members),
            users: convert::count(users),
            position: Some(convert::position(top)),
        })
    }

    async fn list_page(
        &self,
        caller: &Caller,
        request: &v1::ListChannelsRequest,
    ) -> Result<v1::ListChannelsResponse, Refusal> {
        caller.require_scope(Scope::Presence)?;
        let Names { names, next } = self.find(caller, request).await?;
        let channels = stream::iter(names)
            .map(|name| self.count(name))
            .buffered(COUNTED_AT_ONCE)
            .try_filter_map(future::ok)
            .try_collect()
            .await?;
        Ok(v1::ListChannelsResponse {
            channels,
            next_page_token: next.map(|name| name.to_string()).unwrap_or_default(),
        })
    }

    /// Finds the names of a page: those that match and that the caller covers.
    async fn find(
        &self,
        caller: &Caller,
        request: &v1::ListChannelsRequest,
    ) -> Result<Names, Refusal> {
        let (pattern, mut after) = (pattern(&request.pattern)?, page_token(&request.page_token)?);
        let page_size = match request.page_size {
            0 => LIST_PAGE,
            size => usize::try_from(size).map_or(CHANNELS_PAGE, |size| size.min(CHANNELS_PAGE)),
        };
        let mut names: Vec<ChannelName> = Vec::new();
        for _look in 0..LIST_LOOKS {
            let query = ChannelsQuery {
                pattern: pattern.clone(),
                after: after.clone(),
                limit: CHANNELS_PAGE,
            };
            let found = self.hub.channels(query).await?;
            let are_the_last = found.len() < CHANNELS_PAGE;
            for name in found {
                if self.may_see(caller, &name) {
                    if names.len() == page_size {
                        // After what it saw, not after what was passed over since: that is no name for its eyes.
                        return Ok(Names { next: names.last().cloned(), names });
                    }
                    names.push(name.clone());
                }
                after = Some(name);
            }
            if are_the_last {
                return Ok(Names { names, next: None });
            }
        }
        Ok(Names { names, next: after })
    }

    /// Whether a channel is on the caller's list: it covers it, and the hub still serves it.
    fn may_see(&self, caller: &Caller, name: &ChannelName) -> bool {
        caller.covers(name) && self.hub.options(name).is_ok()
    }

    /// Counts who is in a channel. None: its namespace is no longer configured.
    async fn count(&self, channel: ChannelName) -> Result<Option<v1::ChannelInfo>, Refusal> {
        match self.hub.stats(&channel).await {
            Ok(Stats { members, users, .. }) => Ok(Some(v1::ChannelInfo {
                channel: channel.to_string(),
                members: convert::count(members),
                users: convert::count(users),
            })),
            Err(refusal) if refusal.reason() == Reason::UnknownNamespace => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }
}

#[tonic::async_trait]
impl v1::channels_server::Channels for Channels {
    async fn history(
        &self,
        request: Request<v1::HistoryRequest>,
    ) -> Result<Response<v1::HistoryResponse>, Status> {
        let caller = Caller::of(&request)?;
        status::answer(self.read_history(&caller, request.into_inner()).await)
    }

    async fn presence(
        &self,
        request: Request<v1::PresenceRequest>,
    ) -> Result<Response<v1::PresenceResponse>, Status> {
        let caller = Caller::of(&request)?;
        status::answer(self.tell_presence(&caller, request.into_inner()).await)
    }

    async fn list(
        &self,
        request: Request<v1::ListChannelsRequest>,
    ) -> Result<Response<v1::ListChannelsResponse>, Status> {
        let caller = Caller::of(&request)?;
        status::answer(self.list_page(&caller, request.get_ref()).await)
    }

    async fn stats(
        &self,
        request: Request<v1::ChannelStatsRequest>,
    ) -> Result<Response<v1::ChannelStatsResponse>, Status> {
        let caller = Caller::of(&request)?;
        status::answer(self.tell_stats(&caller, request.into_inner()).await)
    }
}

/// Names of a page, and after which the next one starts.
struct Names {
    names: Vec<ChannelName>,
    next: Option<ChannelName>,
}

fn authorise(caller: &Caller, scope: Scope, channel: &str) -> Result<ChannelName, Refusal> {
    let channel = channel.parse()?;
    caller.require(scope, &channel)?;
    Ok(channel)
}

fn pattern(text: &str) -> Result<Pattern, Refusal> {
    match text {
        "" => Ok(Pattern::any()),
        text => text.parse().map_err(|error| Refusal::invalid("pattern", format!("{error}"))),
    }
}

/// The last name of the page before.
fn page_token(text: &str) -> Result<Option<ChannelName>, Refusal> {
    match text {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_no_name| {
            Refusal::invalid("page_token", "no page of this hub ended with this token")
        }),
    }
}

fn history_page(request: &v1::HistoryRequest) -> HistoryRequest {
    let start = match &request.start {
        None | Some(history_request::Start::Earliest(_)) => Start::Earliest,
        Some(history_request::Start::After(position)) => convert::after(position),
        Some(history_request::Start::Last(count)) => convert::last(*count),
    };
    // A limit that does not fit in memory is more than any page holds.
    let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
    let page = HistoryRequest { start, limit, bytes: HISTORY_PAGE_BYTES, reverse: request.reverse };
    match (request.reverse, start) {
        // No event, either way; to the hub a limit of none is as many as a page holds.
        (true, Start::Last(0)) => HistoryRequest { reverse: false, ..page },
        // The newest come first anyway: the number only bounds the page.
        (true, Start::Last(count)) => {
            HistoryRequest { limit: if limit == 0 { count } else { limit.min(count) }, ..page }
        }
        (_, _) => page,
    }
}
