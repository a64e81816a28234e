//! `fanline.v1.CommandBus`.

use crate::caller::Caller;
use crate::scope::Scope;
use crate::serve_stream::ServeStream;
use crate::status;
use crate::term::WhileValid;
use fanline_core::limits::WORKERS;
use fanline_core::{Hub, Reason, Refusal};
use fanline_proto::v1;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

/// The service.
pub(crate) struct CommandBus {
    hub: Hub,
    stop: CancellationToken,
    /// One for each open stream, whether it registered or not.
    places: Arc<Semaphore>,
}

impl CommandBus {
    pub(crate) fn new(hub: Hub, stop: CancellationToken) -> Self {
        CommandBus { hub, stop, places: Arc::new(Semaphore::new(WORKERS)) }
    }
}

#[tonic::async_trait]
impl v1::command_bus_server::CommandBus for CommandBus {
    type ServeStream = WhileValid<ServeStream<Streaming<v1::ServeRequest>>>;

    async fn serve(
        &self,
        request: Request<Streaming<v1::ServeRequest>>,
    ) -> Result<Response<Self::ServeStream>, Status> {
        let caller = Caller::of(&request)?;
        caller.require_scope(Scope::Commands).map_err(|refusal| status::of(&refusal))?;
        if self.stop.is_cancelled() {
            return Err(status::of(&status::draining()));
        }
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_all_taken| {
            let message = format!("this node serves at most {WORKERS} Serve streams");
            let refusal = Refusal::new(Reason::LimitExceeded, message);
            status::of(&refusal.with_retry_after(Duration::from_secs(1)))
        })?;
        let (hub, stop) = (self.hub.clone(), self.stop.clone());
        let stream = ServeStream::new(hub, caller.clone(), request.into_inner(), stop, place);
        Ok(Response::new(caller.while_valid(&self.hub, stream)))
    }
}
