//! The address of a server that the hub calls over gRPC.

use http::Uri;
use http::uri::{Authority, PathAndQuery};

use super::checker::Checker;
use super::path::Path;

/// Checks that a text is an address without anything behind it: the rest of the URL is the method's.
pub(super) fn check(
    text: &str,
    path: &Path,
    example: &str,
    checker: &mut Checker<'_>,
) -> Option<Uri> {
    let url = text.parse::<Uri>().ok().filter(|url| {
        // A user before the host would be ignored.
        let is_host = |authority: &Authority| {
            !authority.host().is_empty() && !authority.as_str().contains('@')
        };
        let has_host = url.authority().is_some_and(is_host);
        let rest = url.path_and_query().map_or("/", PathAndQuery::as_str);
        matches!(url.scheme_str(), Some("http" | "https")) && has_host && rest == "/"
    });
    let port = example.rsplit_once(':').map_or("443", |(_, port)| port);
    checker.require(
        url.is_some(),
        path,
        format!("must be an address such as \"{example}\" or \"https://backend.internal:{port}\""),
    );
    url
}
