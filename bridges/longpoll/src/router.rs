//! What is served, and where.

use crate::{openapi, poll, uplink};
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use axum::{Extension, Router};
use fanline_core::spans;
use fanline_edge::Edge;
use fanline_edge::cors::cors;
use fanline_edge::http_error::method_not_allowed;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Long-polling, the uplink and `GET /openapi.json`. Needs the peer's address as
/// [`ConnectInfo`](axum::extract::ConnectInfo).
///
/// A route is served exactly if it is in the document, because both are made from the same list.
pub fn router(edge: Edge) -> Router {
    let uplink = OpenApiRouter::new()
        .routes(routes!(uplink::publish))
        .routes(routes!(uplink::call::call))
        .routes(routes!(uplink::presence))
        .routes(routes!(uplink::history))
        .routes(routes!(uplink::ticket::issue));
    let uplink = match spans::are_collected() {
        true => uplink.route_layer(from_fn_with_state(edge.clone(), uplink::span::requests)),
        false => uplink,
    };
    let (routes, document) = OpenApiRouter::with_openapi(openapi::Document::openapi())
        .routes(routes!(poll::poll))
        .merge(uplink)
        .split_for_parts();
    routes
        .route("/openapi.json", get(openapi::serve(document)))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(Extension(poll::Slots::default()))
        .layer(from_fn_with_state(edge.origins.clone(), cors))
        .with_state(edge)
}
