//! The OpenAPI document of what this crate serves, at `/openapi.json`.

mod schema;

pub(crate) use self::schema::*;

use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use std::future::{Ready, ready};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

/// The document; its paths are added by the router.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Fanline",
        description = "Long-polling and the uplink of a Fanline hub: publish, call, presence and history over plain HTTP. \
            Errors are problem documents (RFC 9457) whose `reason` is for programs.",
    ),
    tags(
        (name = "poll", description = "Receive events by asking again and again"),
        (name = "uplink", description = "Act on channels, one request each"),
    ),
    security(("bearer" = []), ("cookie" = []), ("ticket" = [])),
    modifiers(&Credentials),
)]
pub(crate) struct Document;

/// Where a token may stand (contract section 3).
struct Credentials;

impl Modify for Credentials {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT");
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer.build()));
        let cookie = ApiKeyValue::with_description(
            "fanline_token",
            "Counts only with an `Origin` that the hub allows",
        );
        components.add_security_scheme("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
        let ticket = ApiKeyValue::with_description(
            "ticket",
            "From `POST /v1/tickets`; good for one request within 30 s",
        );
        components.add_security_scheme("ticket", SecurityScheme::ApiKey(ApiKey::Query(ticket)));
    }
}

/// Serves the document, which is made ready once.
pub(crate) fn serve(
    document: utoipa::openapi::OpenApi,
) -> impl Fn() -> Ready<Response> + Clone + Send + Sync + 'static {
    let text = document.to_json().expect("the document has string keys");
    let text = bytes::Bytes::from(text);
    move || {
        let headers = [
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        ];
        ready((headers, text.clone()).into_response())
    }
}
