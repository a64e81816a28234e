//! One try: a command sent to a handler, and its reply.

use super::failure::Failure;
use crate::convert_command as convert;
use fanline_core::command::Command;
use fanline_core::trace::TRACEPARENT;
use fanline_proto::v1;
use fanline_proto::v1::command_handler_client::CommandHandlerClient;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;
use tonic::{Extensions, Request};
use tower::Service;

/// A command for a handler.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) command: Arc<Command>,
    /// When its client will have been answered in any case.
    pub(super) until: Instant,
}

/// Calls the handler once for each job.
#[derive(Clone, Debug)]
pub(super) struct Attempts {
    client: CommandHandlerClient<Channel>,
    metadata: MetadataMap,
    timeout: Duration,
}

impl Job {
    pub(super) fn has_key(&self) -> bool {
        self.command.draft.idempotency_key.is_some()
    }

    /// Whether its client was answered without the handler. The timer of the client is another one, and may be a little
    /// ahead.
    pub(super) fn is_over(&self) -> bool {
        const AHEAD: Duration = Duration::from_millis(20);
        Instant::now() + AHEAD >= self.until
    }
}

impl Attempts {
    /// Replies may have so many bytes.
    pub(super) fn new(
        channel: Channel,
        metadata: MetadataMap,
        timeout: Duration,
        reply_bytes_max: usize,
    ) -> Self {
        let client = CommandHandlerClient::new(channel).max_decoding_message_size(reply_bytes_max);
        Attempts { client, metadata, timeout }
    }

    fn request(&self, job: &Job) -> Request<v1::Command> {
        let command = convert::command(&job.command);
        let mut metadata = self.metadata.clone();
        if let Ok(trace) = command.traceparent.parse()
            && !command.traceparent.is_empty()
        {
            metadata.insert(TRACEPARENT, trace);
        }
        let mut request = Request::from_parts(metadata, Extensions::default(), command);
        request.set_timeout(self.timeout.min(job.until.saturating_duration_since(Instant::now())));
        request
    }
}

impl Service<Job> for Attempts {
    type Response = v1::CommandReply;
    type Error = Failure;
    type Future = BoxFuture<'static, Result<v1::CommandReply, Failure>>;

    /// The channel is waited for by the call itself, so that the timeout covers that too.
    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, job: Job) -> Self::Future {
        let (mut client, request) = (self.client.clone(), self.request(&job));
        Box::pin(async move {
            client
                .handle(request)
                .await
                .map(tonic::Response::into_inner)
                .map_err(Failure::of_status)
        })
    }
}
