//! Answering commands across broken connections.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::call::Handler;
use crate::client::{Client, until};
use crate::failure::Failure;
use crate::limits::{DRAIN_TIMEOUT, MAX_IN_FLIGHT};
use crate::proto::Register;
use crate::session::Session;

impl Client {
    /// Answers the commands whose method matches one of these patterns (`chat.*`; at most 64 of them) with `handler`;
    /// nothing happens before [`run`](Worker::run). The API key needs the scope `commands` for the methods.
    pub fn serve<M: Into<String>>(
        &self,
        methods: impl IntoIterator<Item = M>,
        handler: impl Handler,
    ) -> Worker<impl Handler> {
        Worker {
            client: self.clone(),
            register: Register {
                methods: methods.into_iter().map(Into::into).collect(),
                max_in_flight: MAX_IN_FLIGHT,
            },
            drain_timeout: DRAIN_TIMEOUT,
            on_serving: Box::new(|| {}),
            handler: Arc::new(handler),
        }
    }
}

/// Answers commands.
pub struct Worker<H> {
    client: Client,
    register: Register,
    drain_timeout: Duration,
    on_serving: Box<dyn Fn() + Send + Sync>,
    handler: Arc<H>,
}

impl<H: Handler> Worker<H> {
    /// How many commands may be under way at a time. Default: 64. The hub takes more than 4096 as that.
    #[must_use]
    pub fn max_in_flight(mut self, commands: u32) -> Self {
        self.register.max_in_flight = commands;
        self
    }

    /// How long commands that are under way may still take once `stop` is ready. Default: 10 s.
    #[must_use]
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.drain_timeout = timeout;
        self
    }

    /// Calls this each time that the hub has taken the registration: commands come from now on. For a readiness probe or a
    /// log; it must not block.
    #[must_use]
    pub fn on_serving(mut self, tell: impl Fn() + Send + Sync + 'static) -> Self {
        self.on_serving = Box::new(tell);
        self
    }

    /// Answers commands until `stop` is ready; then it takes no more, answers those that it has, and returns. A hub that
    /// cannot be reached, or that stops, is waited for.
    ///
    /// Commands that are under way when the connection breaks are lost to this worker: the hub gives those with an
    /// idempotency key to another, and answers the others with `HANDLER_TIMEOUT`. Their futures are dropped.
    ///
    /// # Errors
    ///
    /// The hub refuses the worker, as it does without the scope `commands`.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), Failure> {
        let mut stop = pin!(stop);
        let mut backoff = Backoff::default();
        let mut retry_at: Option<Instant> = None;
        loop {
            let open = async {
                until(retry_at).await;
                Session::open(&self.client, &self.register).await
            };
            let opened = tokio::select! {
                () = &mut stop => return Ok(()),
                opened = open => opened,
            };
            let failure = match opened {
                Err(failure) => failure,
                Ok(session) => {
                    backoff.reset();
                    (self.on_serving)();
                    match session.run(&self.handler, stop.as_mut(), self.drain_timeout).await {
                        Ok(()) => return Ok(()),
                        Err(failure) => failure,
                    }
                }
            };
            retry_at = self.client.retry_at(&failure, &mut backoff, None);
            if retry_at.is_none() {
                return Err(failure);
            }
            tracing::info!(%failure, "the hub is away; serving again as soon as it is back");
        }
    }
}
