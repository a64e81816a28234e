//! All servers, and which of them a channel lives on. The modes differ here, in [`Placing`] and in
//! [`Finder`], and nowhere else.

use crate::address::Address;
use crate::call::{Call, Failure};
use crate::place::{Finder, Place};
use crate::placing::Placing;
use crate::scripts::Script;
use crate::server::{Common, Lane, Server};
use crate::session::Session;
use crate::settings::{CheckedSettings, Mode};
use crate::subscriptions::Live;
use fanline_core::channel::ChannelName;
use redis::{Cmd, Value};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Longest wait for the answer to a call, its repetitions included.
pub(crate) const CALL: Duration = Duration::from_secs(2);
/// Before a call is repeated that Redis could not do just now.
pub(crate) const PAUSE: Duration = Duration::from_millis(25);

/// The servers.
#[derive(Debug)]
pub(crate) struct Servers {
    pub(crate) common: Common,
    map: RwLock<Arc<Map>>,
    /// Held while channels begin or end to be wanted, or move.
    wishes: Mutex<()>,
    /// Why no server is known, as long as none is.
    unknown: Mutex<&'static str>,
}

/// A channel that is wanted.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) server: Arc<Server>,
    /// Answered when Redis has confirmed, dropped when it turns out to be away.
    pub(crate) confirmed: oneshot::Receiver<()>,
}

/// The servers of the moment. In a cluster a new map takes the place of the old one.
#[derive(Debug)]
pub(crate) struct Map {
    pub(crate) servers: Vec<Arc<Server>>,
    pub(crate) placing: Placing,
}

impl Servers {
    /// Starts to connect to all servers; those of a cluster are yet to be [found](crate::cluster).
    pub(crate) fn start(
        checked: &CheckedSettings,
        common: Common,
        stop: &CancellationToken,
    ) -> Self {
        let addresses = &checked.addresses;
        let place = |finder, dialer: usize| Place {
            dialer: checked.dialers[dialer].clone(),
            finder,
            durability: checked.durability,
            clustered: false,
        };
        let fixed = || {
            let finders = addresses.iter().cloned().map(Finder::Fixed);
            finders.enumerate().map(|(index, finder)| place(finder, index)).collect()
        };
        let (places, placing): (Vec<Place>, _) = match (checked.mode, &checked.sentinels) {
            (Mode::Cluster, _) => (Vec::new(), Placing::Slots([].into())),
            (Mode::Sentinel, Some(sentinels)) => {
                let finder = Finder::Sentinels(addresses.as_slice().into(), sentinels.clone());
                (vec![place(finder, 0)], Placing::One)
            }
            (Mode::Shards, _) => {
                let names = addresses.iter().map(Address::to_string).collect();
                (fixed(), Placing::Rendezvous(names))
            }
            (Mode::Standalone | Mode::Sentinel, _) => (fixed(), Placing::One),
        };
        let probe = common.keys.probe(&common.node, 0);
        let start =
            |place| Arc::new(Server::start(place, &common, probe.clone(), stop.child_token()));
        let map = Map { servers: places.into_iter().map(start).collect(), placing };
        Servers {
            common,
            map: RwLock::new(Arc::new(map)),
            wishes: Mutex::default(),
            unknown: Mutex::new("no server of the Redis Cluster is known yet"),
        }
    }

    /// The map of the moment.
    pub(crate) fn map(&self) -> Arc<Map> {
        Arc::clone(&self.map.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A new map takes over.
    pub(crate) fn replace(&self, map: Arc<Map>) {
        *self.map.write().unwrap_or_else(PoisonError::into_inner) = map;
    }

    /// As long as this is held, what is wanted stays what it is: a channel on its way from one server to another would miss
    /// that it is no longer wanted.
    pub(crate) fn hold_wishes(&self) -> MutexGuard<'_, ()> {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wants to hear a channel, where it lives.
    pub(crate) fn want(&self, channel: &ChannelName) -> Result<Wanted, Failure> {
        let _held = self.hold_wishes();
        let server = self.map().home(&self.common.keys.tag(channel)).ok_or(Failure::NotNow)?;
        let confirmed = server.ear.subscriptions.want(self.live(channel), channel);
        Ok(Wanted { server, confirmed })
    }

    /// No longer wants it, wherever it is heard.
    pub(crate) fn forget(&self, channel: &ChannelName) {
        let live = self.live(channel);
        let _held = self.hold_wishes();
        for server in &self.map().servers {
            server.ear.subscriptions.forget(Arc::clone(&live));
        }
    }

    /// Why no server is known, as long as none is.
    pub(crate) fn unknown(&self) -> &'static str {
        *self.unknown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says why, and answers whether that is new.
    pub(crate) fn blame(&self, advice: &'static str) -> bool {
        let mut unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *unknown, advice) != advice
    }

    /// Sorts things by the server of their tags; none: nobody has the slot.
    pub(crate) fn by_home<T>(
        &self,
        things: impl IntoIterator<Item = T>,
        tag: impl Fn(&T) -> String,
    ) -> Vec<(Option<Arc<Server>>, Vec<T>)> {
        let map = self.map();
        let mut homes: HashMap<Option<usize>, Vec<T>> = HashMap::new();
        for thing in things {
            homes.entry(map.placing.server(&tag(&thing))).or_default().push(thing);
        }
        let server = |index: Option<usize>| map.servers.get(index?).cloned();
        homes.into_iter().map(|(index, things)| (server(index), things)).collect()
    }

    /// The name of a channel's live messages.
    pub(crate) fn live(&self, channel: &ChannelName) -> Live {
        self.common.keys.live(channel).as_bytes().into()
    }

    /// Runs a script where the channel lives. What did nothing is repeated while there is time.
    pub(crate) async fn call(
        &self,
        channel: &ChannelName,
        lane: Lane,
        call: &Call<'_>,
    ) -> Result<Value, Failure> {
        self.call_at(&self.common.keys.tag(channel), lane, call).await
    }

    /// Runs a script where the keys of a tag live. One with an [order](Script::is_ordered) that a server forgot is not
    /// repeated.
    pub(crate) async fn call_at(
        &self,
        tag: &str,
        lane: Lane,
        call: &Call<'_>,
    ) -> Result<Value, Failure> {
        let deadline = Instant::now() + CALL;
        let mut asked = None;
        loop {
            let server = match &asked {
                None => self.map().home(tag).ok_or(Failure::NotNow),
                Some(address) => self.map().at(address).ok_or(Failure::Moved),
            };
            let answer = match server {
                Ok(server) => {
                    server
                        .attempt(lane, deadline, async |session: &Session| {
                            session.run(call, asked.is_some()).await
                        })
                        .await
                }
                Err(failure) => Err(failure),
            };
            let failure = match answer {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            if !matches!(failure, Failure::Ask(_)) {
                // In a cluster the map may be to blame, also for a server that is away.
                self.common.stale.notify_one();
            }
            let must_be_loaded = failure == Failure::Forgotten && call.script.is_ordered();
            let may_be_repeated = failure.may_be_repeated() && !must_be_loaded;
            if !may_be_repeated || Instant::now() + PAUSE >= deadline {
                return Err(failure);
            }
            asked = match failure {
                // The slot is on its way: this one call goes ahead of it, at once.
                Failure::Ask(address) => Some(address),
                Failure::NotNow
                | Failure::Moved
                | Failure::Forgotten
                | Failure::Away
                | Failure::TooFewReplicas
                | Failure::Full
                | Failure::Foreign
                | Failure::Refused => {
                    tokio::time::sleep(PAUSE).await;
                    None
                }
            };
        }
    }
}

impl Map {
    /// Whether every channel lives where it does by the other one.
    pub(crate) fn says_the_same_as(&self, other: &Map) -> bool {
        let mut pairs = self.servers.iter().zip(&other.servers);
        self.servers.len() == other.servers.len()
            && pairs.all(|(one, other)| Arc::ptr_eq(one, other))
            && self.placing == other.placing
    }

    pub(crate) fn home(&self, tag: &str) -> Option<Arc<Server>> {
        self.servers.get(self.placing.server(tag)?).cloned()
    }

    fn at(&self, address: &Address) -> Option<Arc<Server>> {
        self.servers.iter().find(|server| server.place.fixed() == Some(address)).cloned()
    }
}

impl Server {
    /// Does something with the connection of the moment, up to a deadline.
    pub(crate) async fn attempt<T>(
        &self,
        lane: Lane,
        deadline: Instant,
        act: impl AsyncFnOnce(&Session) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let session = self.link(lane).session(deadline).await?;
        match tokio::time::timeout_at(deadline, act(&session)).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(Failure::Away),
        }
    }

    /// Runs several calls of one script in one round trip, in no order that matters, each with its own answer.
    pub(crate) async fn run_each(
        &self,
        lane: Lane,
        script: Script,
        calls: &[Call<'_>],
    ) -> Result<Vec<Result<Value, Failure>>, Failure> {
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        let deadline = Instant::now() + CALL;
        let act = async |session: &Session| session.run_each(script, calls).await;
        self.attempt(lane, deadline, act).await
    }

    /// Runs a plain command.
    pub(crate) async fn command(&self, lane: Lane, command: &Cmd) -> Result<Value, Failure> {
        let deadline = Instant::now() + CALL;
        self.attempt(lane, deadline, async |session: &Session| session.command(command).await).await
    }
}
