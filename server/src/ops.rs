//! The listener of operators: `/livez`, `/readyz` and `/metrics`.

use std::fmt;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use fanline_edge::http_error::method_not_allowed;
use http::{StatusCode, header};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde_json::{Map, json};
use tracing::error;

use crate::problem;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Whether the hub can take traffic: every check must pass.
#[derive(Default)]
pub(crate) struct Readiness {
    checks: Vec<(&'static str, Check)>,
}

/// Nothing, or what is wrong.
type Check = Box<dyn Fn() -> Option<&'static str> + Send + Sync>;

impl Readiness {
    /// Adds a check: nothing, or what is wrong.
    pub(crate) fn with(
        mut self,
        name: &'static str,
        check: impl Fn() -> Option<&'static str> + Send + Sync + 'static,
    ) -> Self {
        self.checks.push((name, Box::new(check)));
        self
    }

    /// Whether every check passes.
    pub(crate) fn is_ready(&self) -> bool {
        self.checks.iter().all(|(_, check)| check().is_none())
    }

    fn failures(&self) -> Map<String, serde_json::Value> {
        let failure = |(name, check): &(&'static str, Check)| {
            check().map(|what| ((*name).to_owned(), what.into()))
        };
        self.checks.iter().filter_map(failure).collect()
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.checks.iter().map(|(name, _)| name)).finish()
    }
}

/// The routes of the listener.
pub(crate) fn router(registry: Registry, readiness: Arc<Readiness>) -> Router {
    Router::new()
        .route("/livez", get(live))
        .route("/readyz", get(ready).with_state(readiness))
        .route("/metrics", get(metrics).with_state(Arc::new(registry)))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(problem::not_found)
}

/// That this is answered is the answer: the process turns.
async fn live() -> Response {
    Json(json!({ "live": true })).into_response()
}

async fn ready(State(readiness): State<Arc<Readiness>>) -> Response {
    let failures = readiness.failures();
    if failures.is_empty() {
        return Json(json!({ "ready": true })).into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "ready": false, "failing": failures })))
        .into_response()
}

async fn metrics(State(registry): State<Arc<Registry>>) -> Response {
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(error) => {
            error!(%error, "the metrics cannot be written out");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Body, to_bytes};
    use http::Request;
    use std::sync::atomic::{AtomicBool, Ordering};
    use tower::ServiceExt;

    async fn ask(router: &Router, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = router.clone().oneshot(request).await.unwrap();
        let status = answer.status();
        let body = to_bytes(answer.into_body(), 64 * 1024).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn ready_names_the_checks_that_fail_and_live_does_not_care() {
        let draining = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&draining);
        let drain = move || seen.load(Ordering::Relaxed).then_some("the process is stopping");
        let router =
            router(Registry::default(), Arc::new(Readiness::default().with("drain", drain)));

        assert_eq!(ask(&router, "/readyz").await, (StatusCode::OK, r#"{"ready":true}"#.to_owned()));
        draining.store(true, Ordering::Relaxed);
        let (status, body) = ask(&router, "/readyz").await;
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        let failing = serde_json::json!({ "drain": "the process is stopping" });
        assert_eq!((status, &body["failing"]), (StatusCode::SERVICE_UNAVAILABLE, &failing));
        assert_eq!(body["ready"], false);
        assert_eq!(ask(&router, "/livez").await.0, StatusCode::OK);
    }

    #[tokio::test]
    async fn metrics_are_openmetrics_and_the_rest_is_a_problem() {
        let mut registry = Registry::default();
        let counter = prometheus_client::metrics::counter::Counter::<u64>::default();
        registry.register("fanline_tests", "Tests", counter);
        let router = router(registry, Arc::default());

        let (status, text) = ask(&router, "/metrics").await;
        assert_eq!(status, StatusCode::OK);
        assert!(text.contains("fanline_tests_total 0\n") && text.ends_with("# EOF\n"), "{text}");
        let (status, text) = ask(&router, "/nothing").await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert!(text.contains(r#""status":404"#), "{text}");
    }
}
