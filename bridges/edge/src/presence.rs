//! Presence of clients that come and go between requests: it survives each of them by a grace.
//!
//! A client that polls is in a channel from its first poll until the grace after its last one is over; in between no
//! broker is asked. Read [`Presences::enter`] first.

use crate::client::Client;
use fanline_core::presence::Membership;
use fanline_core::{ChannelName, Hub, Reason, Refusal};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

/// The channels in which one client is present.
pub struct Presences {
    hub: Hub,
    client: Client,
    stays: Mutex<Stays>,
}

#[derive(Default)]
struct Stays {
    by_channel: HashMap<ChannelName, Stay>,
    /// Why the client may be present nowhere any more.
    closed: Option<Reason>,
}

/// A presence that lasts at least as long as this is held, and for its grace thereafter.
#[derive(Debug)]
#[must_use = "the grace begins when this is dropped"]
pub struct Present {
    presences: Arc<Presences>,
    channel: ChannelName,
    grace: Duration,
}

/// The client in one channel.
enum Stay {
    /// It is there, or about to be: whoever asks first enters, and the others wait for that.
    Here {
        membership: Arc<OnceCell<Membership>>,
        /// Requests that hold it.
        holders: usize,
        /// With no holder left, when it ends.
        until: Duration,
    },
    /// It is being taken out. Whoever comes back waits until that is done, so that it does not undo the return.
    Leaving(CancellationToken),
}

impl Presences {
    pub(crate) fn new(hub: Hub, client: Client) -> Self {
        Presences { hub, client, stays: Mutex::default() }
    }

    /// Makes the client present in a channel, unless it is. Whether it may be there is for the caller to ask.
    ///
    /// # Errors
    /// [`Reason::LimitExceeded`] when it is in too many channels, the reason for which its time is over, if it is, or a
    /// broker that is not available.
    ///
    /// # Cancel safety
    /// Dropped before it answers, the client may be present for the grace.
    pub async fn enter(
        self: &Arc<Self>,
        channel: &ChannelName,
        grace: Duration,
    ) -> Result<Present, Refusal> {
        loop {
            match self.arrive(channel)? {
                Stay::Leaving(left) => left.cancelled().await,
                Stay::Here { membership, .. } => {
                    // From here on the arrival is undone with it.
                    let present =
                        Present { presences: Arc::clone(self), channel: channel.clone(), grace };
                    membership.get_or_try_init(|| self.client.enter(channel)).await?;
                    return Ok(present);
                }
            }
        }
    }

    /// Whether the client is in a channel, or about to be.
    pub(crate) fn contains(&self, channel: &ChannelName) -> bool {
        matches!(self.lock().by_channel.get(channel), Some(Stay::Here { .. }))
    }

    /// Whether the client is in no channel.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().by_channel.is_empty()
    }

    /// Takes the client out of the channels whose grace is over: to be awaited.
    pub(crate) fn leave(self: &Arc<Self>, now: Duration) -> Vec<impl Future<Output = ()> + use<>> {
        let mut leaving = Vec::new();
        self.lock().by_channel.retain(|channel, stay| {
            let Stay::Here { membership, holders: 0, until } = stay else { return true };
            if *until > now {
                return true;
            }
            // Nobody holds it, so that this is the only one who knows the membership.
            let membership = std::mem::take(membership);
            let Some(membership) = Arc::into_inner(membership).and_then(OnceCell::into_inner)
            else {
                return false;
            };
            let left = CancellationToken::new();
            *stay = Stay::Leaving(left.clone());
            leaving.push(Arc::clone(self).end(channel.clone(), membership, left));
            true
        });
        leaving
    }

    /// Takes the client out of all channels, whoever holds it there, and lets it into none any more, for this reason.
    pub(crate) fn close(&self, reason: Reason) {
        let left = {
            let mut stays = self.lock();
            stays.closed = Some(reason);
            std::mem::take(&mut stays.by_channel)
        };
        // Dropping the memberships ends them.
        drop(left);
    }

    async fn end(
        self: Arc<Self>,
        channel: ChannelName,
        membership: Membership,
        left: CancellationToken,
    ) {
        // However this ends, nobody waits for it any longer.
        let _left = left.drop_guard();
        membership.end().await;
        self.lock().by_channel.remove(&channel);
    }

    /// Counts one more holder, or says that the client is on its way out.
    fn arrive(&self, channel: &ChannelName) -> Result<Stay, Refusal> {
        let Stays { by_channel: stays, closed } = &mut *self.lock();
        if let Some(reason) = *closed {
            return Err(Refusal::new(reason, reason.about()));
        }
        let channels_max = self.hub.limits().channels_per_connection;
        if stays.len() >= channels_max && !stays.contains_key(channel) {
            let message =
                format!("a client that polls is in at most {channels_max} channels at a time");
            return Err(Refusal::new(Reason::LimitExceeded, message).with_field("channel"));
        }
        let stay = stays.entry(channel.clone()).or_insert_with(|| Stay::Here {
            membership: Arc::default(),
            holders: 0,
            until: Duration::ZERO,
        });
        Ok(match stay {
            Stay::Leaving(left) => Stay::Leaving(left.clone()),
            Stay::Here { membership, holders, until } => {
                *holders += 1;
                Stay::Here { membership: Arc::clone(membership), holders: *holders, until: *until }
            }
        })
    }

    fn lock(&self) -> MutexGuard<'_, Stays> {
        self.stays.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        let ends = self.presences.hub.clock().monotonic() + self.grace;
        if let Some(Stay::Here { holders, until, .. }) =
            self.presences.lock().by_channel.get_mut(&self.channel)
        {
            *holders -= 1;
            *until = ends.max(*until);
        }
    }
}

impl fmt::Debug for Presences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presences")
            .field("channels", &self.lock().by_channel.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::testing::identity;
    use fanline_core::connections::Transport;
    use fanline_core::testing::TestHub;
    use futures_util::future::join_all;

    const GRACE: Duration = Duration::from_secs(15);

    struct Case {
        hub: TestHub,
        presences: Arc<Presences>,
        channel: ChannelName,
    }

    impl Case {
        fn start() -> Self {
            let hub = TestHub::start();
            let connection = hub.connection_id();
            let client = Client::new(hub.clone(), connection, Transport::LongPoll, identity("ada"));
            let presences = Arc::new(Presences::new(hub.clone(), client));
            Case { hub, presences, channel: "room:a".parse().unwrap() }
        }

        async fn enter(&self) -> Present {
            self.presences.enter(&self.channel, GRACE).await.unwrap()
        }

        async fn sweep(&self) {
            join_all(self.presences.leave(self.hub.clock().monotonic())).await;
        }

        async fn members(&self) -> usize {
            self.hub.members(&self.channel).await.unwrap().len()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn presence_lasts_from_one_poll_to_the_next_and_ends_after_the_grace() {
        let case = Case::start();
        let (first, second) = (case.enter().await, case.enter().await);
        case.hub.clock.advance(GRACE * 9);
        drop(first);
        case.hub.clock.advance(GRACE);
        case.sweep().await;
        assert_eq!(case.members().await, 1, "a poll is under way");
        drop(second);
        case.hub.clock.advance(GRACE / 2);
        case.sweep().await;
        drop(case.enter().await);
        case.hub.clock.advance(GRACE / 2);
        case.sweep().await;
        assert_eq!(case.members().await, 1, "the next poll came in time");
        case.hub.clock.advance(GRACE / 2);
        case.sweep().await;
        assert_eq!(case.members().await, 0);
        assert!(case.presences.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_comes_back_while_it_is_taken_out_is_present_afterwards() {
        let case = Case::start();
        drop(case.enter().await);
        case.hub.clock.advance(GRACE);
        let leaving = case.presences.leave(case.hub.clock().monotonic());
        let (present, _) = futures_util::future::join(case.enter(), join_all(leaving)).await;
        assert_eq!(case.members().await, 1);
        drop(present);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_whose_time_is_over_leaves_at_once_and_stays_out() {
        let case = Case::start();
        let present = case.enter().await;
        case.presences.close(Reason::TokenExpired);
        // The members are counted once the tasks that end the memberships have run.
        while case.members().await > 0 {
            tokio::task::yield_now().await;
        }
        let refusal = case.presences.enter(&case.channel, GRACE).await.unwrap_err();
        assert_eq!(refusal.reason(), Reason::TokenExpired, "what it was closed for");
        drop(present);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_is_in_so_many_channels_at_a_time() {
        let case = Case::start();
        let max = case.hub.limits().channels_per_connection;
        for number in 0..max {
            let channel = format!("room:{number}").parse().unwrap();
            drop(case.presences.enter(&channel, GRACE).await.unwrap());
        }
        let refusal = case.presences.enter(&case.channel, GRACE).await.unwrap_err();
        assert_eq!(refusal.reason(), Reason::LimitExceeded);
        let again = "room:0".parse().unwrap();
        assert!(case.presences.enter(&again, GRACE).await.is_ok(), "it is there already");
    }
}
