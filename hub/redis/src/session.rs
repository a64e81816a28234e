//! One connection for calls: what was learned when it was made holds for as long as it lasts.

use crate::Durability;
use crate::address::Address;
use crate::advice;
use crate::call::{Call, Failure};
use crate::dial::Dialer;
use crate::identity::{Identity, ServerKind};
use crate::scripts::{self, Loaded, Script};
use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, Pipeline, PushKind, RedisError, RedisResult, Value, cmd};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Between two looks at whether the server is there and still who it was.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Longest wait for an answer to such a look, beside the one for replicas that it may stand behind.
const HEARTBEAT_ANSWER: Duration = Duration::from_secs(1);
/// Longest wait of Redis for its replicas: below the deadline of calls, so that the answer still arrives.
const REPLICAS: Duration = Duration::from_millis(1500);

/// A connection to a primary, with its fence and its scripts. Calls of all tasks share it and its round trips.
#[derive(Debug)]
pub(crate) struct Session {
    connection: MultiplexedConnection,
    identity: Identity,
    fence: String,
    loaded: Loaded,
    durability: Durability,
    broken: CancellationToken,
}

impl Session {
    /// Connects to a server that must be a primary, and may be one of a cluster if that is known.
    pub(crate) async fn open(
        dialer: &Dialer,
        address: &Address,
        durability: Durability,
        clustered: bool,
    ) -> RedisResult<Self> {
        let broken = CancellationToken::new();
        let ends = broken.clone();
        let mut connection = dialer
            .dial(address, move |push| {
                if push.kind == PushKind::Disconnection {
                    ends.cancel();
                }
            })
            .await?;
        let identity = Identity::ask(&mut connection, durability).await?;
        let wrong = match identity.kind() {
            ServerKind::Sentinel => Some(advice::SENTINEL),
            ServerKind::Clustered if !clustered => Some(advice::CLUSTERED),
            ServerKind::Clustered | ServerKind::Single if !identity.is_primary() => {
                Some(advice::REPLICA)
            }
            ServerKind::Clustered | ServerKind::Single => None,
        };
        if let Some(wrong) = wrong {
            return Err(RedisError::from((ErrorKind::InvalidClientConfig, wrong)));
        }
        if durability == Durability::AofAlways && !identity.is_lasting() {
            tracing::warn!(
                %address,
                "durability is aof_always, but the server does not say `appendfsync always`: a restart of it starts new epochs"
            );
        }
        let loaded = scripts::load(&mut connection).await?;
        let fence = identity.fence();
        Ok(Session { connection, identity, fence, loaded, durability, broken })
    }

    /// Runs a script. Loads it anew if the server forgot it, which is safe as nothing was done, unless it has an
    /// [order](Script::is_ordered). That is another server's affair where this one is only asked.
    pub(crate) async fn run(&self, call: &Call<'_>, asking: bool) -> Result<Value, Failure> {
        let mut answer = self.run_once(call, asking).await;
        if matches!(answer, Err(Failure::Forgotten)) && (asking || !call.script.is_ordered()) {
            self.load(call.script).await?;
            answer = self.run_once(call, asking).await;
        }
        answer
    }

    /// Loads a script that the server forgot. Only that one: another may have an [order](Script::is_ordered).
    pub(crate) async fn load(&self, script: Script) -> Result<(), Failure> {
        self.command(&script.loading()).await.map(drop)
    }

    async fn run_once(&self, call: &Call<'_>, asking: bool) -> Result<Value, Failure> {
        let mut pipeline = Pipeline::new();
        if asking {
            pipeline.add_command(cmd("ASKING")).ignore();
        }
        pipeline.add_command(call.command(self.loaded.hash(call.script), &self.fence));
        let replicas = self.replicas(call.lasting);
        if let Some(replicas) = replicas {
            pipeline.add_command(wait(replicas));
        }
        let mut connection = self.connection.clone();
        let count = pipeline.len();
        let answers = connection.send_packed_commands(&pipeline, 0, count).await;
        let mut answers = answers.map_err(|error| self.failure(&error))?.into_iter();
        if asking {
            let _the_answer_to_asking = answers.next();
        }
        let answer = answers.next().unwrap_or(Value::Nil).extract_error();
        let answer = answer.map_err(|error| self.failure(&error))?;
        match too_few(replicas, answers.next()) {
            true => Err(Failure::TooFewReplicas),
            false => Ok(answer),
        }
    }

    /// Runs a plain command.
    pub(crate) async fn command(&self, command: &Cmd) -> Result<Value, Failure> {
        let answer = self.connection.clone().send_packed_command(command).await;
        answer.and_then(Value::extract_error).map_err(|error| self.failure(&error))
    }

    /// Runs several calls in one round trip, each with its own answer. A script that the server forgot is not loaded here:
    /// a later call, which might then overtake these, may be under way already.
    pub(crate) async fn run_all(
        &self,
        calls: &[Call<'_>],
    ) -> Result<Vec<Result<Value, Failure>>, Failure> {
        let mut pipeline = Pipeline::with_capacity(calls.len() + 1);
        for call in calls {
            pipeline.add_command(call.command(self.loaded.hash(call.script), &self.fence));
        }
        let replicas = self.replicas(calls.iter().any(|call| call.lasting));
        if let Some(replicas) = replicas {
            pipeline.add_command(wait(replicas));
        }
        let count = pipeline.len();
        let mut connection = self.connection.clone();
        let answers = connection.send_packed_commands(&pipeline, 0, count).await;
        let mut answers = answers.map_err(|error| self.failure(&error))?;
        let reached = replicas.and_then(|_| answers.pop());
        let mut answers: Vec<_> = answers
            .into_iter()
            .map(|answer| answer.extract_error().map_err(|error| self.failure(&error)))
            .collect();
        if too_few(replicas, reached) {
            for answer in answers.iter_mut().filter(|answer| answer.is_ok()) {
                *answer = Err(Failure::TooFewReplicas);
            }
        }
        Ok(answers)
    }

    /// Runs several calls of one script, in no order that matters: those that the server forgot it for have done nothing,
    /// and find it when they are made again.
    pub(crate) async fn run_each(
        &self,
        script: Script,
        calls: &[Call<'_>],
    ) -> Result<Vec<Result<Value, Failure>>, Failure> {
        let answers = self.run_all(calls).await?;
        if answers.contains(&Err(Failure::Forgotten)) {
            // What is known by now is not thrown away for a load that fails: the next call tells of that.
            let _loaded = self.load(script).await;
        }
        Ok(answers)
    }

    /// How many replicas must have what a call did.
    fn replicas(&self, lasting: bool) -> Option<u8> {
        match self.durability {
            Durability::Wait(replicas) if lasting => Some(replicas),
            Durability::Wait(_) | Durability::Volatile | Durability::AofAlways => None,
        }
    }

    /// The history of Redis that it writes.
    pub(crate) fn fence(&self) -> &str {
        &self.fence
    }

    /// Says that the connection seems dead, or leads to the wrong server. The next calls get another one.
    pub(crate) fn doubt(&self) {
        self.broken.cancel();
    }

    /// Waits until the connection is of no use any more: closed, silent, or its server is no longer who it was.
    pub(crate) async fn end(&self) {
        self.broken.run_until_cancelled(self.watch()).await;
        // Calls that were late for the news are told, too.
        self.broken.cancel();
    }

    async fn watch(&self) {
        let replicas = match self.durability {
            Durability::Wait(_) => REPLICAS,
            Durability::Volatile | Durability::AofAlways => Duration::ZERO,
        };
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            let mut connection = self.connection.clone();
            let asked = Identity::ask(&mut connection, self.durability);
            match tokio::time::timeout(HEARTBEAT_ANSWER + replicas, asked).await {
                Ok(Ok(identity)) if identity == self.identity => {}
                Ok(Ok(_)) => return tracing::info!("a Redis server is no longer who it was"),
                Ok(Err(error)) => {
                    return tracing::info!(%error, "a Redis server does not answer well");
                }
                Err(_elapsed) => return tracing::info!("a Redis server does not answer"),
            }
        }
    }

    fn failure(&self, error: &RedisError) -> Failure {
        let failure = Failure::of(error);
        if matches!(failure, Failure::Away) {
            self.doubt();
        }
        failure
    }
}

fn wait(replicas: u8) -> Cmd {
    let millis = REPLICAS.as_millis() as u64;
    cmd("WAIT").arg(replicas).arg(millis).take()
}

/// Whether `WAIT` says that fewer replicas than asked for have what was done.
fn too_few(replicas: Option<u8>, reached: Option<Value>) -> bool {
    matches!((replicas, reached), (Some(replicas), Some(Value::Int(reached))) if reached < i64::from(replicas))
}
