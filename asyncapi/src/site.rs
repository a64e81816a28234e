//! The docs site: plain files that are part of the binary, and how they are put together for a hub or a folder.
//!
//! The page reads the AsyncAPI document and nothing else. Its files are in `asyncapi/site`; there is no build step.

use crate::document::Document;
use aws_lc_rs::digest::{Context, SHA256};
use std::sync::LazyLock;

/// A file of the site.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct File {
    /// Its name inside the folder of the site.
    pub name: &'static str,
    /// Its media type.
    pub content_type: &'static str,
    /// What is in it.
    pub text: &'static str,
}

/// The page itself.
const INDEX: &str = include_str!("../site/index.html");

/// Where the page looks for the document when a hub serves it at `/docs/`.
const SERVED_DOCUMENT: &str = "../asyncapi.json";
/// Where it looks in a folder of its own.
const EXPORTED_DOCUMENT: &str = "asyncapi.json";

/// What the page may do: run its own files, and connect to where it came from. Nothing inline, nothing from elsewhere.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                          base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

macro_rules! files {
    ($($name:literal: $content_type:expr,)+) => {
        [$(File { name: $name, content_type: $content_type, text: include_str!(concat!("../site/", $name)) },)+]
    };
}

/// Every file of the site, the page first.
#[rustfmt::skip]
const FILES: [File; 19] = files![
    "index.html": HTML,
    "app.js": JS,
    "channel-page.js": JS,
    "check.js": JS,
    "code.js": JS,
    "docs.css": CSS,
    "dom.js": JS,
    "fields.js": JS,
    "icon.svg": "image/svg+xml",
    "links.js": JS,
    "live.js": JS,
    "markdown.js": JS,
    "model.js": JS,
    "reference-pages.js": JS,
    "search.js": JS,
    "theme.js": JS,
    "transport-page.js": JS,
    "try-page.js": JS,
    "wire.js": JS,
];

/// The files of the site, as a hub serves them at `/docs/`.
pub fn files() -> impl Iterator<Item = File> {
    FILES.into_iter()
}

/// The hash of all files: it changes exactly when one of them does.
#[must_use]
pub fn revision() -> &'static str {
    static REVISION: LazyLock<String> = LazyLock::new(|| {
        let mut context = Context::new(&SHA256);
        for file in files() {
            context.update(file.text.as_bytes());
        }
        let hash = context.finish();
        hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    });
    &REVISION
}

/// The site as a folder for any web server: its files and the document, by name.
///
/// The page then cannot set headers, so its policy stands in the page; and it has no hub to try things with.
pub fn export(document: &Document) -> impl Iterator<Item = (&'static str, String)> {
    let policy = POLICY.replace("; frame-ancestors 'none'", "");
    let index = INDEX.replace(SERVED_DOCUMENT, EXPORTED_DOCUMENT).replacen(
        "<title>",
        &format!("<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n<title>"),
        1,
    );
    let page = FILES[1..].iter().map(|file| (file.name, file.text.to_owned()));
    [("index.html", index), ("asyncapi.json", document.json()), ("asyncapi.yaml", document.yaml())]
        .into_iter()
        .chain(page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    #[test]
    fn every_file_of_the_folder_is_part_of_the_site() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("site");
        let there: BTreeSet<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let served: BTreeSet<String> = files().map(|file| file.name.to_owned()).collect();
        assert_eq!(served, there);
    }

    #[test]
    fn the_page_names_only_files_of_the_site() {
        let names: BTreeSet<&str> = FILES.iter().map(|file| file.name).collect();
        for part in INDEX.split('"').filter(|part| {
            part.ends_with(".js") || part.ends_with(".css") || part.ends_with(".svg")
        }) {
            assert!(names.contains(part), "{part}");
        }
        for file in FILES.iter().filter(|file| file.content_type == JS) {
            for line in file.text.lines().filter(|line| line.starts_with("import ")) {
                let from = line.rsplit('"').nth(1).unwrap_or_default();
                assert!(names.contains(from.trim_start_matches("./")), "{}: {line}", file.name);
            }
        }
    }

    #[test]
    fn the_policy_allows_nothing_inline_and_the_page_needs_nothing() {
        assert!(!POLICY.contains("unsafe"));
        assert!(
            !INDEX.contains("<style") && !INDEX.contains("style=") && !INDEX.contains(" onclick")
        );
        assert_eq!(INDEX.matches("<script").count(), 1);
        // Writing markup from text is how a description would run something.
        for file in FILES.iter().filter(|file| file.content_type == JS) {
            for banned in
                ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("]
            {
                assert!(!file.text.contains(banned), "{} uses {banned}", file.name);
            }
        }
    }
}
