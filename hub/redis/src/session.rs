//! One connection for calls: what was learned when it was made holds for as long as it lasts.

use crate::Durability;
use crate::address::Address;
use crate::call::{Call, Failure};
use crate::dial::Dialer;
use crate::identity::Identity;
use crate::scripts::{self, Loaded};
use redis::aio::MultiplexedConnection;
use redis::{
    Cmd, ErrorKind, Pipeline, PushKind, RedisError, RedisResult, ServerErrorKind, Value, cmd,
};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Between two looks at whether the server is there and still who it was.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Longest wait for an answer to such a look.
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
    /// Connects to a server that must be a primary.
    pub(crate) async fn open(
        dialer: &Dialer,
        address: &Address,
        durability: Durability,
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
        if !identity.is_primary() {
            return Err(RedisError::from((
                ErrorKind::Server(ServerErrorKind::ReadOnly),
                "the server is a replica",
            )));
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

    /// Runs a script. Loads it anew if the server forgot it, which is safe: nothing was done.
    pub(crate) async fn run(&self, call: &Call<'_>, asking: bool) -> Result<Value, Failure> {
        let mut answer = self.run_once(call, asking).await;
        if matches!(answer, Err(Failure::Forgotten)) {
            scripts::load(&mut self.connection.clone())
                .await
                .map_err(|error| self.failure(&error))?;
            answer = self.run_once(call, asking).await;
        }
        answer
    }

    async fn run_once(&self, call: &Call<'_>, asking: bool) -> Result<Value, Failure> {
        let mut pipeline = Pipeline::new();
        if asking {
            pipeline.add_command(cmd("ASKING")).ignore();
        }
        pipeline.add_command(call.command(self.loaded.hash(call.script), &self.fence));
        let replicas = match self.durability {
            Durability::Wait(replicas) if call.lasting => Some(replicas),
            Durability::Wait(_) | Durability::Volatile | Durability::AofAlways => None,
        };
        if let Some(replicas) = replicas {
            let millis = REPLICAS.as_millis() as u64;
            pipeline.add_command(cmd("WAIT").arg(replicas).arg(millis).take());
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
        match (replicas, answers.next()) {
            (Some(replicas), Some(Value::Int(reached))) if reached < i64::from(replicas) => {
                Err(Failure::TooFewReplicas)
            }
            _ => Ok(answer),
        }
    }

    /// Runs a plain command.
    pub(crate) async fn command(&self, command: &Cmd) -> Result<Value, Failure> {
        let answer = self.connection.clone().send_packed_command(command).await;
        answer.and_then(Value::extract_error).map_err(|error| self.failure(&error))
    }

    /// Runs several calls in one round trip, each with its own answer.
    pub(crate) async fn run_all(
        &self,
        calls: &[Call<'_>],
    ) -> Result<Vec<Result<Value, Failure>>, Failure> {
        let mut pipeline = Pipeline::with_capacity(calls.len());
        for call in calls {
            pipeline.add_command(call.command(self.loaded.hash(call.script), &self.fence));
        }
        let answers = self.connection.clone().send_packed_commands(&pipeline, 0, calls.len()).await;
        let answers = answers.map_err(|error| self.failure(&error))?;
        let each = |answer: Value| answer.extract_error().map_err(|error| self.failure(&error));
        Ok(answers.into_iter().map(each).collect())
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
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            let mut connection = self.connection.clone();
            let asked = Identity::ask(&mut connection, self.durability);
            match tokio::time::timeout(HEARTBEAT_ANSWER, asked).await {
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
