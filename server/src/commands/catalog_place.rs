//! Where a catalog comes from: a folder, a document in a file, a commit of git, a running hub, or this binary.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use fanline_asyncapi::catalog::{CatalogErrors, Source};
use fanline_asyncapi::limits::DOCUMENT_BYTES;
use fanline_asyncapi::{Catalog, demo};
use http::header::{ACCEPT, CONNECTION, HOST};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

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
        None => Source::folder(Path::new(place)).map_err(CatalogErrors::from)?,
    };
    Ok(Found { catalog: Catalog::load(&source)?, from_document: false })
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
    let uri: Uri = url.parse().with_context(|| format!("`{url}` is no URL"))?;
    ensure!(
        uri.scheme_str() == Some("http"),
        "this command speaks plain HTTP only; instead: curl -o hub.json {url}, and name the file"
    );
    let path = match uri.path() {
        "/" => "/asyncapi.json",
        path => path,
    };
    let authority = uri.authority().context("the URL has no host")?;
    let answer = timeout(FETCH_TIMEOUT, exchange(authority, path)).await;
    let (status, body) = answer
        .with_context(|| format!("{url} did not answer in {FETCH_TIMEOUT:?}"))?
        .with_context(|| format!("{url} cannot be read"))?;
    ensure!(status == StatusCode::OK, "{url} answers {status}; is this a hub's public listener?");
    String::from_utf8(body.into()).context("what the hub answers is not UTF-8")
}

async fn exchange(authority: &http::uri::Authority, path: &str) -> Result<(StatusCode, Bytes)> {
    const HTTP_PORT: u16 = 80;
    let host = authority.host().trim_matches(['[', ']']);
    let stream = TcpStream::connect((host, authority.port_u16().unwrap_or(HTTP_PORT))).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(path)
        .header(HOST, authority.as_str())
        .header(ACCEPT, "application/json, application/yaml")
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())?;
    let answer = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let most = usize::try_from(DOCUMENT_BYTES).unwrap_or(usize::MAX);
        let body = Limited::new(response.into_body(), most).collect().await;
        Ok((status, body.map_err(anyhow::Error::from_boxed)?.to_bytes()))
    };
    let (answer, ()) =
        tokio::try_join!(answer, async { connection.await.map_err(anyhow::Error::from) })?;
    Ok(answer)
}
