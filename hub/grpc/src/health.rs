//! `grpc.health.v1`: whether to send calls here. Serving until the node drains.
//!
//! Answered without a credential, as probes have none, and it tells nothing else.

use crate::status;
use futures_util::stream::{self, Stream, StreamExt};
use std::pin::Pin;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::Health;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

/// The health of the node and of each service by name, which is the same for all.
pub(crate) struct NodeHealth {
    /// The names that are asked for; the empty one is the whole node.
    services: &'static [&'static str],
    stop: CancellationToken,
}

impl NodeHealth {
    pub(crate) fn new(services: &'static [&'static str], stop: CancellationToken) -> Self {
        NodeHealth { services, stop }
    }

    /// None: no service has this name.
    fn status(&self, service: &str) -> Option<ServingStatus> {
        let known = service.is_empty() || self.services.contains(&service);
        known.then(|| match self.stop.is_cancelled() {
            true => ServingStatus::NotServing,
            false => ServingStatus::Serving,
        })
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
        let now = self.status(&request.get_ref().service);
        let now = now.unwrap_or(ServingStatus::ServiceUnknown);
        let stopped = self.stop.clone().cancelled_owned();
        let drains = stream::once(stopped).flat_map(move |()| {
            let told =
                (now == ServingStatus::Serving).then(|| Ok(answer(ServingStatus::NotServing)));
            // The end of the stream lets its connection end: nobody's drain waits for a probe.
            let end = Err(status::of(&status::draining()));
            stream::iter(told.into_iter().chain([end]))
        });
        let watch = stream::once(async move { Ok(answer(now)) }).chain(drains);
        Ok(Response::new(Box::pin(watch)))
    }
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Code;

    fn request(service: &str) -> Request<HealthCheckRequest> {
        Request::new(HealthCheckRequest { service: service.to_owned() })
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
        let health = NodeHealth::new(&["fanline.v1.Publisher"], stop.clone());
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
        let health = NodeHealth::new(&[], stop.clone());
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
}
