//! What web pages are told about reading our answers (Fetch standard, section 3.2; contract section 7).
//!
//! One layer around the HTTP routes of every bridge. It adds headers and answers preflights; whether a request of a
//! foreign page is served is decided where its credential is found, because only a cookie comes along unasked.

use crate::origin::{OriginPolicy, RequestOrigin};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

/// The headers that a page may set.
const ALLOWED_HEADERS: HeaderValue =
    HeaderValue::from_static("authorization, content-type, last-event-id, if-none-match");
/// The headers of an answer that a page may read.
const EXPOSED_HEADERS: HeaderValue = HeaderValue::from_static("fanline-cursor, etag, retry-after");
const ALLOWED_METHODS: HeaderValue = HeaderValue::from_static("GET, POST");
/// Seconds that a browser may go by a preflight: two hours, which is the most that any of them takes.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");

/// For `axum::middleware::from_fn_with_state`.
pub async fn cors(State(origins): State<OriginPolicy>, request: Request, next: Next) -> Response {
    let page = origins.origin(request.headers());
    let origin = request.headers().get(ORIGIN).cloned();
    let preflight = request.method() == Method::OPTIONS
        && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = match preflight {
        true => no_content(),
        false => next.run(request).await,
    };
    let headers = response.headers_mut();
    // Also to those without an origin: a cache must not hand their answer to a page.
    headers.append(VARY, HeaderValue::from_static("origin"));
    match (page, origin) {
        (RequestOrigin::Allowed, Some(origin)) => allow(headers, origin, preflight),
        // Without a header the browser keeps the answer from the page.
        (RequestOrigin::Allowed | RequestOrigin::Unnamed | RequestOrigin::Foreign, _) => {}
    }
    response
}

fn allow(headers: &mut HeaderMap, origin: HeaderValue, preflight: bool) {
    let mut say = |name: HeaderName, value| headers.insert(name, value);
    say(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    say(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    if preflight {
        say(ACCESS_CONTROL_ALLOW_METHODS, ALLOWED_METHODS);
        say(ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
        say(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    } else {
        say(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
    }
}

fn no_content() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use tower::ServiceExt;

    async fn ask(method: Method, origin: Option<&str>, preflight: bool) -> Response {
        let origins = OriginPolicy::new(["https://app.example"]).unwrap();
        let routes = Router::new().route("/", get(async || "answer"));
        let routes = routes.layer(from_fn_with_state(origins, cors));
        let mut request = http::Request::builder().method(method).uri("/");
        if let Some(origin) = origin {
            request = request.header(ORIGIN, origin);
        }
        if preflight {
            request = request.header(ACCESS_CONTROL_REQUEST_METHOD, "POST");
        }
        routes.oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    fn cors_headers(response: &Response) -> Vec<String> {
        let names = response.headers().keys().map(|name| name.as_str().to_owned());
        names.filter(|name| name.starts_with("access-control")).collect()
    }

    #[tokio::test]
    async fn a_page_on_the_list_may_read_the_answer() {
        let response = ask(Method::GET, Some("https://app.example"), false).await;
        assert_eq!(response.status(), 200);
        let headers = response.headers();
        assert_eq!(headers["access-control-allow-origin"], "https://app.example");
        assert_eq!(headers["access-control-allow-credentials"], "true");
        assert_eq!(headers["access-control-expose-headers"], "fanline-cursor, etag, retry-after");
        assert_eq!(headers["vary"], "origin");
    }

    #[tokio::test]
    async fn its_preflight_is_answered_without_asking_the_route() {
        let response = ask(Method::OPTIONS, Some("https://app.example"), true).await;
        assert_eq!(response.status(), 204);
        let headers = response.headers();
        assert_eq!(headers["access-control-allow-origin"], "https://app.example");
        assert_eq!(headers["access-control-allow-methods"], "GET, POST");
        assert_eq!(
            headers["access-control-allow-headers"],
            "authorization, content-type, last-event-id, if-none-match"
        );
        assert_eq!(headers["vary"], "origin");
    }

    #[tokio::test]
    async fn every_other_page_is_told_nothing() {
        for origin in [Some("https://evil.example"), Some("null"), Some("*"), None] {
            for (method, preflight) in [(Method::GET, false), (Method::OPTIONS, true)] {
                let response = ask(method, origin, preflight).await;
                assert_eq!(cors_headers(&response), [""; 0], "{origin:?}");
                assert_eq!(response.headers()["vary"], "origin", "{origin:?}");
            }
        }
    }
}
