//! Which web pages may use the hub.
//!
//! An origin is compared whole: scheme, host and port (RFC 6454, section 5). That a page was served from the hub's own
//! name implies nothing; only the list counts.

use fanline_core::{Reason, Refusal};
use http::HeaderMap;
use http::header::ORIGIN;
use std::collections::HashSet;
use std::net::Ipv6Addr;
use std::sync::Arc;

/// The origins that may use the hub. Clones share the list.
#[derive(Clone, Debug, Default)]
pub struct OriginPolicy {
    allowed: Arc<HashSet<Origin>>,
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RequestOrigin {
    /// It names no origin: no web page sent it, or one that reads its own server.
    Unnamed,
    /// A page of an origin on the list.
    Allowed,
    /// Any other page, also one that hides its origin (`null`), and whoever names several.
    Foreign,
}

/// An entry of the list that is not an origin.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "allowed_origins[{index}]: `{entry}` must be scheme://host[:port], without a path or a wildcard"
)]
pub struct OriginPolicyError {
    index: usize,
    entry: String,
}

impl OriginPolicy {
    /// The policy that lets these origins in.
    ///
    /// # Errors
    /// The first entry that is not an origin.
    pub fn new<S: AsRef<str>>(
        allowed: impl IntoIterator<Item = S>,
    ) -> Result<Self, OriginPolicyError> {
        let parse = |(index, entry): (usize, S)| {
            let entry = entry.as_ref();
            Origin::parse(entry).ok_or_else(|| OriginPolicyError { index, entry: entry.to_owned() })
        };
        let allowed = allowed.into_iter().enumerate().map(parse).collect::<Result<_, _>>()?;
        Ok(OriginPolicy { allowed: Arc::new(allowed) })
    }

    /// Where the request comes from.
    #[must_use]
    pub fn origin(&self, headers: &HeaderMap) -> RequestOrigin {
        let mut origins = headers.get_all(ORIGIN).iter();
        let Some(first) = origins.next() else { return RequestOrigin::Unnamed };
        let origin = first.to_str().ok().and_then(Origin::parse);
        if origins.next().is_none() && origin.is_some_and(|origin| self.allowed.contains(&origin)) {
            return RequestOrigin::Allowed;
        }
        RequestOrigin::Foreign
    }

    /// Where the request comes from, if it may come at all: for what a browser does not guard by itself.
    ///
    /// # Errors
    /// [`Reason::OriginDenied`] for a foreign page.
    pub fn check(&self, headers: &HeaderMap) -> Result<RequestOrigin, Refusal> {
        match self.origin(headers) {
            RequestOrigin::Foreign => Err(denied()),
            origin @ (RequestOrigin::Allowed | RequestOrigin::Unnamed) => Ok(origin),
        }
    }
}

/// The refusal of a foreign page.
pub(crate) fn denied() -> Refusal {
    Refusal::new(Reason::OriginDenied, "the page's origin is not in allowed_origins")
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Origin {
    scheme: Box<str>,
    host: Box<str>,
    /// As written, or the scheme's own.
    port: Option<u16>,
}

impl Origin {
    /// `scheme://host[:port]`, nothing more. A host outside ASCII must be in its `xn--` form, as browsers send it.
    fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let (scheme, authority) = text.split_once("://")?;
        let plausible = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        if !scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            || !scheme.bytes().all(plausible)
        {
            return None;
        }
        let (host, port) = split_port(authority)?;
        let host = match host.strip_prefix('[') {
            Some(bracketed) => bracketed.strip_suffix(']')?.parse::<Ipv6Addr>().ok()?.to_string(),
            None => Some(host).filter(|host| is_host_name(host))?.to_owned(),
        };
        let port = match port {
            Some(digits) => Some(digits.parse().ok().filter(|&port| port > 0)?),
            None => default_port(scheme),
        };
        Some(Origin { scheme: scheme.into(), host: host.into(), port })
    }
}

/// Splits at the colon before the port, which is not one inside the brackets of an IPv6 address.
fn split_port(authority: &str) -> Option<(&str, Option<&str>)> {
    let end_of_host = authority.find(']').map_or(0, |bracket| bracket + 1);
    match authority[end_of_host..].split_once(':') {
        None => Some((authority, None)),
        Some((host_rest, port))
            if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            Some((&authority[..end_of_host + host_rest.len()], Some(port)))
        }
        Some(_) => None,
    }
}

fn is_host_name(host: &str) -> bool {
    !host.is_empty()
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "https" | "wss" => Some(443),
        "http" | "ws" => Some(80),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn checked(allowed: &[&str], origins: &[&str]) -> Result<RequestOrigin, Reason> {
        let mut headers = HeaderMap::new();
        for origin in origins {
            headers.append(ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        OriginPolicy::new(allowed).unwrap().check(&headers).map_err(|refusal| refusal.reason())
    }

    #[test]
    fn an_origin_on_the_list_is_let_in_however_it_is_written() {
        let table = [
            ("https://app.example.com", "https://app.example.com"),
            ("https://App.Example.com:443", "https://app.example.com"),
            ("https://app.example.com", "HTTPS://app.example.com:443"),
            ("http://localhost:8080", "http://localhost:8080"),
            ("http://[::1]:3000", "http://[0:0:0:0:0:0:0:1]:3000"),
            ("capacitor://localhost", "capacitor://localhost"),
        ];
        for (allowed, origin) in table {
            assert_eq!(
                checked(&[allowed], &[origin]),
                Ok(RequestOrigin::Allowed),
                "{allowed} and {origin}"
            );
        }
    }

    #[test]
    fn every_other_origin_is_denied() {
        let allowed = ["https://app.example.com", "http://localhost:8080"];
        for origin in [
            "http://app.example.com",
            "https://app.example.com:8443",
            "https://app.example.com.evil.example",
            "https://evil.example/https://app.example.com",
            "https://user@app.example.com",
            "https://app.example.com/",
            "https://sub.app.example.com",
            "http://localhost",
            "app.example.com",
            "null",
            "",
            "*",
        ] {
            assert_eq!(checked(&allowed, &[origin]), Err(Reason::OriginDenied), "{origin:?}");
        }
        assert_eq!(checked(&[], &["https://app.example.com"]), Err(Reason::OriginDenied));
        assert_eq!(checked(&allowed, &[allowed[0], allowed[0]]), Err(Reason::OriginDenied));
    }

    #[test]
    fn a_request_without_origin_comes_from_no_page() {
        assert_eq!(checked(&["https://app.example.com"], &[]), Ok(RequestOrigin::Unnamed));
    }

    #[test]
    fn a_wrong_entry_is_named_with_its_place() {
        for entry in [
            "*",
            "https://*.example.com",
            "https://a.example/",
            "a.example",
            "null",
            "https://",
            "https://a:0",
        ] {
            let error = OriginPolicy::new(["https://good.example", entry]).unwrap_err().to_string();
            assert_eq!(
                error,
                format!(
                    "allowed_origins[1]: `{entry}` must be scheme://host[:port], without a path or a wildcard"
                )
            );
        }
    }

    proptest! {
        #[test]
        fn no_origin_makes_it_panic(text in "[a-z:/\\[\\]@.0-9ä]{0,40}") {
            let _ = Origin::parse(&text);
        }
    }
}
