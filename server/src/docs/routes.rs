//! `/asyncapi.json`, `/asyncapi.yaml` and `/docs/`.

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use bytes::Bytes;
use fanline_asyncapi::document::{Perspective, Readers, Settings};
use fanline_asyncapi::site;
use fanline_core::Refusal;
use fanline_core::catalog::DocumentFormat;
use fanline_edge::http_error::problem;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, StatusCode, Uri};
use serde::Deserialize;

use super::served::{Documents, Rendered};
use crate::problem::not_found;

/// The routes of the documents.
pub(crate) fn router(documents: Documents) -> Router {
    Router::new()
        .route("/asyncapi.json", get(json))
        .route("/asyncapi.yaml", get(yaml))
        // The files of the page name each other relative to its folder.
        .route("/docs", get(|| async { Redirect::permanent("/docs/") }))
        .route("/docs/", get(page))
        .route("/docs/{file}", get(file))
        .with_state(documents)
}

/// What may be asked of a document.
#[derive(Deserialize)]
struct Asked {
    /// `hub` or `client`; without it: the hub's.
    view: Option<String>,
}

impl Asked {
    fn perspective(&self) -> Result<Perspective, Refusal> {
        let Some(view) = self.view.as_deref() else { return Ok(Perspective::Hub) };
        let found = Perspective::ALL.into_iter().find(|perspective| perspective.as_str() == view);
        found.ok_or_else(|| Refusal::invalid("view", "the views are `hub` and `client`"))
    }
}

async fn json(
    State(documents): State<Documents>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    document(&documents, &asked, &headers, DocumentFormat::Json)
}

async fn yaml(
    State(documents): State<Documents>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    document(&documents, &asked, &headers, DocumentFormat::Yaml)
}

fn document(
    documents: &Documents,
    asked: &Asked,
    headers: &HeaderMap,
    format: DocumentFormat,
) -> Response {
    let media = match format {
        DocumentFormat::Json => "application/json",
        DocumentFormat::Yaml => "application/yaml",
    };
    match asked.perspective() {
        Ok(perspective) => {
            let settings = Settings { perspective, readers: Readers::Public };
            let Rendered { text, revision } = documents.document_of(settings, format);
            answer(headers, media, &revision, text)
        }
        Err(refusal) => problem(&refusal).map(Body::from),
    }
}

async fn page(headers: HeaderMap) -> Response {
    // The first file is the page.
    site::files().next().map_or_else(
        || StatusCode::NOT_FOUND.into_response(),
        |file| {
            answer(
                &headers,
                file.content_type,
                site::revision(),
                Bytes::from_static(file.text.as_bytes()),
            )
        },
    )
}

async fn file(Path(name): Path<String>, uri: Uri, headers: HeaderMap) -> Response {
    match site::files().find(|file| file.name == name) {
        Some(file) => answer(
            &headers,
            file.content_type,
            site::revision(),
            Bytes::from_static(file.text.as_bytes()),
        ),
        None => not_found(uri, headers).await,
    }
}

/// A text with its revision: whoever has it already is told so (RFC 9110, section 13.1.2).
fn answer(asked: &HeaderMap, content_type: &str, revision: &str, body: Bytes) -> Response {
    let tag = format!("\"{revision}\"");
    let has_it =
        asked.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).any(|list| {
            list.split(',')
                .map(|one| one.trim().trim_start_matches("W/"))
                .any(|one| one == tag || one == "*")
        });
    let headers = [
        (CONTENT_TYPE, content_type),
        (ETAG, &tag),
        // Kept, but asked about each time: the catalog may have changed.
        (CACHE_CONTROL, "no-cache"),
        (CONTENT_SECURITY_POLICY, site::POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    if has_it {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, body).into_response()
}
