//! Where a catalog comes from: a folder, a document in a file, a commit of git, a running hub, or this binary.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use fanline_asyncapi::catalog::{CatalogErrors, Source};
use fanline_asyncapi::{Catalog, demo};
use http::uri::{PathAndQuery, Scheme};
use http::{StatusCode, Uri};
use tokio::time::timeout;

use super::target::ANSWER_BYTES;
use crate::config::{Certificate, trusted_by_this_machine};
use crate::http_client;

/// How long a hub may take to give its document.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);

/// A catalog, and how much of it is known.
pub(super) struct Found {
    pub(super) catalog: Catalog,
    /// It was read from an AsyncAPI document, which speaks of public channels only, and not of the fields of protobuf.
    pub(super) from_document: bool,
}

/// Reads the catalog at a place, as the command line names places.
pub(super) async fn find(place: &str) -> Result<Found> {
    if place.starts_with("http://") || place.starts_with("https://") {
        return of_document(place, &fetch(place).await?);
    }
    let source = match place.strip_prefix("git:") {
        Some(rest) => match from_git(rest)? {
            InGit::Folder(source) => source,
            InGit::File(text) => return of_document(place, &text),
        },
        None if place == "builtin:demo" => demo(),
        None if Path::new(place).is_file() => {
            let text =
                fs::read_to_string(place).with_context(|| format!("{place} cannot be read"))?;
            return of_document(place, &text);
        }
        None => folder(Path::new(place))?,
    };
    Ok(Found { catalog: Catalog::load(&source)?, from_document: false })
}

/// The files of a catalog in a folder.
pub(super) fn folder(path: &Path) -> Result<Source> {
    let name = path.display();
    ensure!(
        path.exists(),
        "there is no folder {name}: name that of a catalog, with catalog.toml in it"
    );
    Ok(Source::folder(path).map_err(CatalogErrors::from)?)
}

fn of_document(place: &str, text: &str) -> Result<Found> {
    Ok(Found { catalog: Catalog::of_document(place, text)?, from_document: true })
}

/// What a path of a commit names.
enum InGit {
    Folder(Source),
    File(String),
}

fn from_git(place: &str) -> Result<InGit> {
    let Some((reference, path)) = place.split_once(':') else {
        bail!("`git:{place}`: write git:REF:path, such as git:main:catalog");
    };
    // A reference that starts with a dash would be an option of git's.
    ensure!(!reference.starts_with('-'), "`{reference}` is no reference");
    let path = path.trim_end_matches('/');
    let object = format!("{reference}:{path}");
    if git(&["cat-file", "-t", &object])?.trim() == "blob" {
        return git(&["show", &object]).map(InGit::File);
    }
    let names = git(&["ls-tree", "-r", "-z", "--name-only", &object])?;
    let mut files = Vec::new();
    for name in names.split('\0').filter(|name| Source::takes(name)) {
        let path = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
        files.push((name.to_owned(), git(&["show", &format!("{reference}:{path}")])?));
    }
    let files = files.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    Ok(InGit::Folder(Source::of(format!("git:{object}"), files)))
}

fn git(arguments: &[&str]) -> Result<String> {
    let output = Command::new("git").args(arguments).output().context("git cannot be run")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "git {}: {}", arguments.join(" "), said.trim());
    String::from_utf8(output.stdout).context("git answers with what is not UTF-8")
}

/// The AsyncAPI document of a hub, by the URL of the document or of the hub itself.
async fn fetch(url: &str) -> Result<String> {
    let mut parts = url.parse::<Uri>().with_context(|| format!("'{url}' is no URL"))?.into_parts();
    if parts.path_and_query.as_ref().is_none_or(|path| path == "/") {
        parts.path_and_query = Some(PathAndQuery::from_static("/asyncapi.json"));
    }
    let is_tls = parts.scheme == Some(Scheme::HTTPS);
    let document = Uri::from_parts(parts).with_context(|| format!("'{url}' has no host"))?;
    let tls = is_tls
        .then(|| Certificate::client(None, trusted_by_this_machine(), http_client::ALPN))
        .transpose()?;
    let exchange = async {
        let answer = http_client::get(&document, tls, "*/*").await?;
        Ok((answer.status(), answer.bytes(ANSWER_BYTES).await?))
    };
    let answer: Result<_> = timeout(FETCH_TIMEOUT, exchange)
        .await
        .with_context(|| format!("{url} did not answer in {FETCH_TIMEOUT:?}"))?;
    let (status, body) = answer.with_context(|| format!("{document} cannot be read"))?;
    ensure!(
        status == StatusCode::OK,
        "{document} answers {status}; is this a hub's public listener?"
    );
    String::from_utf8(body.into()).context("what the hub answers is not UTF-8")
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpListener;

    use super::*;

    /// What is asked of a hub for a URL with this end.
    async fn asked(end: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}{end}", listener.local_addr().unwrap());
        let answering = async {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            let mut line = String::new();
            stream.read_line(&mut line).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
            line.trim_end().to_owned()
        };
        let (fetched, line) = tokio::join!(fetch(&url), answering);
        assert_eq!(fetched.unwrap(), "{}");
        line
    }

    #[tokio::test]
    async fn a_hub_is_asked_for_its_document_and_any_other_url_for_what_it_names() {
        assert_eq!(asked("").await, "GET /asyncapi.json HTTP/1.1");
        assert_eq!(asked("/").await, "GET /asyncapi.json HTTP/1.1");
        assert_eq!(
            asked("/shop/asyncapi.yaml?of=v2").await,
            "GET /shop/asyncapi.yaml?of=v2 HTTP/1.1"
        );
    }
}
