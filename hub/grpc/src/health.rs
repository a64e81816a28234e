//! `grpc.health.v1`: whether to send calls here. Serving while the node is ready, until it drains.
//!
//! Answered without a credential, as probes have none, and it tells nothing else.

use crate::status;
use futures_util::stream::{self, Stream, StreamExt};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::Health;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

/// Between two looks for a watcher.
const LOOK: Duration = Duration::from_secs(1);

/// Says whether the node can take calls; called often, so it only looks.
pub type IsReady = Arc<dyn Fn() -> bool + Send + Sync>;

/// The health of the node and of each service by name, which is the same for all.
pub(crate) struct NodeHealth {
    /// The names that are asked for; the empty one is the whole node.
    services: &'static [&'static str],
    is_ready: IsReady,
    stop: CancellationToken,
}

impl NodeHealth {
    pub(crate) fn new(
        services: &'static [&'static str],
        is_ready: IsReady,
        stop: CancellationToken,
    ) -> Self {
        NodeHealth { services, is_ready, stop }
    }

    /// None: no service has this name.
    fn status(&self, service: &str) -> Option<ServingStatus> {
        let known = service.is_empty() || self.services.contains(&service);
        known.then(|| serving(&self.is_ready, &self.stop))
    }
}

fn serving(is_ready: &IsReady, stop: &CancellationToken) -> ServingStatus {
    match !stop.is_cancelled() && is_ready() {
        true => ServingStatus::Serving,
        false => ServingStatus::NotServing,
    }
}

#[tonic::async_trait]
impl Health for NodeHealth {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let status = self.status(&request.get_ref().service);
        let status = status.ok_or_else(|| Status::not_found("no such service"))?;
        Ok(Response::new(answer(status)))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let known = self.status(&request.get_ref().service).is_some();
        let (is_ready, stop) = (Arc::clone(&self.is_ready), self.stop.clone());
        let first = if known { serving(&is_ready, &stop) } else { ServingStatus::ServiceUnknown };
        // Until the drain: its end of the stream lets the connection end, and nobody's drain waits for a probe.
        let changes = stream::unfold((first, false), move |(told, ended)| {
            let (is_ready, stop) = (Arc::clone(&is_ready), stop.clone());
            async move {
                if ended {
                    return None;
                }
                loop {
                    let now = if known { serving(&is_ready, &stop) } else { told };
                    if now != told {
                        return Some((Ok(answer(now)), (now, false)));
                    }
                    if stop.is_cancelled() {
                        return Some((Err(status::of(&status::draining())), (told, true)));
                    }
                    let _looked = stop.run_until_cancelled(tokio::time::sleep(LOOK)).await;
                }
            }
        });
        let watch = stream::once(async move { Ok(answer(first)) }).chain(changes);
        Ok(Response::new(Box::pin(watch)))
    }
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use tonic::Code;

    fn request(service: &str) -> Request<HealthCheckRequest> {
        Request::new(HealthCheckRequest { service: service.to_owned() })
    }

    fn always() -> IsReady {
        Arc::new(|| true)
    }

    async fn check(health: &NodeHealth, service: &str) -> Result<ServingStatus, Code> {
        match health.check(request(service)).await {
            Ok(response) => Ok(response.get_ref().status()),
            Err(status) => Err(status.code()),
        }
    }

    #[tokio::test]
    async fn the_node_and_its_services_serve_until_it_drains() {
        let stop = CancellationToken::new();
        let health = NodeHealth::new(&["fanline.v1.Publisher"], always(), stop.clone());
        for service in ["", "fanline.v1.Publisher"] {
            assert_eq!(check(&health, service).await, Ok(ServingStatus::Serving));
        }
        assert_eq!(check(&health, "other").await, Err(Code::NotFound));
        stop.cancel();
        for service in ["", "fanline.v1.Publisher"] {
            assert_eq!(check(&health, service).await, Ok(ServingStatus::NotServing));
        }
    }

    #[tokio::test]
    async fn a_watcher_is_told_of_the_drain_and_let_go() {
        let stop = CancellationToken::new();
        let health = NodeHealth::new(&[], always(), stop.clone());
        let mut watch = health.watch(request("")).await.unwrap().into_inner();
        let mut unknown = health.watch(request("other")).await.unwrap().into_inner();
        let next =
            |item: Option<Result<HealthCheckResponse, Status>>| item.unwrap().unwrap().status();
        assert_eq!(next(watch.next().await), ServingStatus::Serving);
        assert_eq!(next(unknown.next().await), ServingStatus::ServiceUnknown);
        stop.cancel();
        assert_eq!(next(watch.next().await), ServingStatus::NotServing);
        for mut stream in [watch, unknown] {
            let end = stream.next().await.unwrap().unwrap_err();
            assert_eq!(end.code(), Code::Unavailable);
            assert!(stream.next().await.is_none());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_is_not_ready_does_not_serve_and_a_watcher_hears_of_each_change() {
        let ready = Arc::new(AtomicBool::new(true));
        let seen = Arc::clone(&ready);
        let is_ready: IsReady = Arc::new(move || seen.load(Ordering::Relaxed));
        let health = NodeHealth::new(&[], is_ready, CancellationToken::new());
        let mut watch = health.watch(request("")).await.unwrap().into_inner();
        for expected in [true, false, true] {
            ready.store(expected, Ordering::Relaxed);
            let expected =
                if expected { ServingStatus::Serving } else { ServingStatus::NotServing };
            assert_eq!(check(&health, "").await, Ok(expected));
            assert_eq!(watch.next().await.unwrap().unwrap().status(), expected);
        }
    }
}
