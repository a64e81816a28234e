//! Where a client's token, or a ticket for one, may stand in a request (contract section 3).
//!
//! Finding it is all that happens here; whether it is true is for [`TokenVerifier`](crate::TokenVerifier). A first
//! frame with a token is the WebSocket bridge's own affair.

use crate::cookie;
use crate::origin::{self, RequestOrigin};
use crate::subprotocol::Subprotocols;
use fanline_core::{Reason, Refusal};
use http::header::AUTHORIZATION;
use http::{HeaderMap, Uri};
use std::fmt;

/// The cookie that may hold a token.
const COOKIE: &str = "fanline_token";
/// The query parameter that may hold a token, where the configuration says so.
const QUERY: &str = "access_token";

/// The query parameter that may hold a ticket.
const TICKET: &str = "ticket";

/// The token of a request, or the ticket that stands for one.
#[derive(Clone, Eq, PartialEq)]
pub struct Credential {
    text: String,
    place: CredentialPlace,
}

/// Where a credential stood, which also says what it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CredentialPlace {
    /// `Authorization: Bearer`.
    Authorization,
    /// A WebSocket subprotocol `fanline.bearer.<token>`.
    Subprotocol,
    /// The cookie `fanline_token`.
    Cookie,
    /// The query parameter `access_token`.
    Query,
    /// The query parameter `ticket`: not a token, but what [one was exchanged for](crate::Ticket).
    Ticket,
}

/// The parts of a request in which a token may stand.
#[derive(Clone, Copy, Debug)]
pub struct CredentialSources<'a> {
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its target.
    pub uri: &'a Uri,
    /// The subprotocols it offers; none outside WebSocket.
    pub subprotocols: &'a Subprotocols<'a>,
    /// Where it comes from. A cookie is sent along by any page, so it counts for pages on the list only.
    pub origin: RequestOrigin,
    /// Whether a token may stand in the query, where it ends up in the logs of proxies.
    pub query_token: bool,
}

impl Credential {
    /// The token, not yet verified, or the ticket, not yet redeemed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The same, for keeps.
    #[must_use]
    pub fn into_text(self) -> String {
        self.text
    }

    /// Where it stood.
    #[must_use]
    pub fn place(&self) -> CredentialPlace {
        self.place
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("place", &self.place).finish_non_exhaustive()
    }
}

impl CredentialSources<'_> {
    /// The credential of the request, if it carries one.
    ///
    /// # Errors
    /// [`Reason::InvalidArgument`] for two that differ: which of them counts must not depend on who reads them.
    /// [`Reason::Unauthenticated`] for one that cannot be a token, or another scheme than `Bearer`.
    /// [`Reason::OriginDenied`] when a foreign page brings nothing but the cookie.
    pub fn find(&self) -> Result<Option<Credential>, Refusal> {
        let mut found: Option<Credential> = None;
        for (place, text) in self.all()? {
            let text = token_text(text)?;
            match &found {
                None => found = Some(Credential { text: text.to_owned(), place }),
                Some(first) if first.text == text => {}
                Some(_) => {
                    let message = "the request carries two different credentials; send one";
                    return Err(Refusal::new(Reason::InvalidArgument, message));
                }
            }
        }
        if found.is_none() && self.origin == RequestOrigin::Foreign && self.brings_cookie() {
            return Err(origin::denied());
        }
        Ok(found)
    }

    fn brings_cookie(&self) -> bool {
        cookie::values(self.headers, COOKIE).next().is_some()
    }

    /// Every credential that counts, in the order of the contract.
    fn all(&self) -> Result<Vec<(CredentialPlace, &[u8])>, Refusal> {
        let mut all = Vec::new();
        for header in self.headers.get_all(AUTHORIZATION) {
            all.push((CredentialPlace::Authorization, bearer(header.as_bytes())?));
        }
        all.extend(
            self.subprotocols
                .bearers()
                .map(|token| (CredentialPlace::Subprotocol, token.as_bytes())),
        );
        if self.origin == RequestOrigin::Allowed {
            all.extend(
                cookie::values(self.headers, COOKIE).map(|token| (CredentialPlace::Cookie, token)),
            );
        }
        if self.query_token {
            all.extend(self.parameters(QUERY).map(|token| (CredentialPlace::Query, token)));
        }
        all.extend(self.parameters(TICKET).map(|ticket| (CredentialPlace::Ticket, ticket)));
        Ok(all)
    }

    fn parameters(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let pairs = self.uri.query().unwrap_or_default().split('&');
        let named =
            pairs.filter_map(|pair| pair.split_once('=')).filter(move |pair| pair.0 == name);
        named.map(|(_, value)| value.as_bytes())
    }
}

/// The token of `Bearer <token>`. The scheme's case does not matter (RFC 9110, section 11.1).
fn bearer(header: &[u8]) -> Result<&[u8], Refusal> {
    match header.split_at_checked("Bearer ".len()) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"Bearer ") => Ok(token.trim_ascii()),
        Some(_) | None => Err(unauthenticated("the Authorization header must be `Bearer <token>`")),
    }
}

/// RFC 6750, section 2.1. Nothing in a token needs escaping, in a query neither, so nothing is unescaped.
fn token_text(token: &[u8]) -> Result<&str, Refusal> {
    let possible = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
    std::str::from_utf8(token)
        .ok()
        .filter(|token| !token.is_empty() && token.as_bytes().iter().all(possible))
        .ok_or_else(|| {
            unauthenticated("the credential is empty, or has characters that no token has")
        })
}

fn unauthenticated(message: &'static str) -> Refusal {
    Refusal::new(Reason::Unauthenticated, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use http::header::{COOKIE, HeaderName, SEC_WEBSOCKET_PROTOCOL};
    use proptest::prelude::*;

    fn find_in(
        headers: &[(HeaderName, &[u8])],
        query: &str,
        origin: RequestOrigin,
        query_token: bool,
    ) -> Result<Option<(String, CredentialPlace)>, Reason> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, HeaderValue::from_bytes(value).unwrap());
        }
        let uri = format!("/v1/ws{query}").parse().unwrap();
        let subprotocols = &Subprotocols::offered(&map).unwrap();
        let sources =
            CredentialSources { headers: &map, uri: &uri, subprotocols, origin, query_token };
        let found = sources.find().map_err(|refusal| refusal.reason())?;
        Ok(found.map(|credential| (credential.text, credential.place)))
    }

    /// From a page on the list, the query allowed.
    fn find(
        headers: &[(HeaderName, &[u8])],
        query: &str,
    ) -> Result<Option<(String, CredentialPlace)>, Reason> {
        find_in(headers, query, RequestOrigin::Allowed, true)
    }

    fn at(place: CredentialPlace) -> Result<Option<(String, CredentialPlace)>, Reason> {
        Ok(Some(("a.b.c".to_owned(), place)))
    }

    #[test]
    fn a_token_is_found_in_each_of_its_places() {
        assert_eq!(find(&[], ""), Ok(None));
        assert_eq!(
            find(&[(AUTHORIZATION, b"Bearer a.b.c")], ""),
            at(CredentialPlace::Authorization)
        );
        assert_eq!(
            find(&[(AUTHORIZATION, b"bEARER   a.b.c ")], ""),
            at(CredentialPlace::Authorization)
        );
        let offer = b"fanline.v1, fanline.bearer.a.b.c".as_slice();
        assert_eq!(find(&[(SEC_WEBSOCKET_PROTOCOL, offer)], ""), at(CredentialPlace::Subprotocol));
        assert_eq!(find(&[(COOKIE, b"x=1; fanline_token=a.b.c")], ""), at(CredentialPlace::Cookie));
        assert_eq!(find(&[], "?x=1&access_token=a.b.c"), at(CredentialPlace::Query));
        assert_eq!(find(&[], "?ticket=a.b.c&x=1"), at(CredentialPlace::Ticket));
    }

    #[test]
    fn a_cookie_counts_only_for_a_page_on_the_list() {
        let cookie = [(COOKIE, b"fanline_token=a.b.c".as_slice())];
        assert_eq!(find_in(&cookie, "", RequestOrigin::Unnamed, true), Ok(None));
        let foreign = find_in(&cookie, "", RequestOrigin::Foreign, true);
        assert_eq!(foreign, Err(Reason::OriginDenied), "its own server could not send it");
        let bearer = (AUTHORIZATION, b"Bearer a.b.d".as_slice());
        let brought = find_in(&[bearer, cookie[0].clone()], "", RequestOrigin::Foreign, true);
        let expected = ("a.b.d".to_owned(), CredentialPlace::Authorization);
        assert_eq!(brought, Ok(Some(expected)), "the cookie that came along does not count");
    }

    #[test]
    fn a_token_in_the_query_counts_only_if_configured_and_a_ticket_always() {
        assert_eq!(find_in(&[], "?access_token=a.b.c", RequestOrigin::Allowed, false), Ok(None));
        let ticket = find_in(&[], "?ticket=a.b.c", RequestOrigin::Unnamed, false);
        assert_eq!(ticket, at(CredentialPlace::Ticket));
    }

    #[test]
    fn the_same_token_twice_is_one_and_the_first_place_wins() {
        let headers =
            [(AUTHORIZATION, b"Bearer a.b.c".as_slice()), (COOKIE, b"fanline_token=a.b.c")];
        assert_eq!(find(&headers, "?access_token=a.b.c"), at(CredentialPlace::Authorization));
    }

    #[test]
    fn two_different_tokens_are_refused_wherever_they_stand() {
        let bearer = (AUTHORIZATION, b"Bearer a.b.c".as_slice());
        let others: [(HeaderName, &[u8]); 4] = [
            (AUTHORIZATION, b"Bearer a.b.d"),
            (SEC_WEBSOCKET_PROTOCOL, b"fanline.bearer.a.b.d"),
            (COOKIE, b"fanline_token=a.b.d"),
            (COOKIE, b"fanline_token=a.b.c; fanline_token=a.b.d"),
        ];
        for other in others {
            assert_eq!(
                find(&[bearer.clone(), other.clone()], ""),
                Err(Reason::InvalidArgument),
                "{other:?}"
            );
        }
        assert_eq!(
            find(std::slice::from_ref(&bearer), "?access_token=a.b.d"),
            Err(Reason::InvalidArgument)
        );
        assert_eq!(find(&[bearer], "?ticket=t"), Err(Reason::InvalidArgument));
        assert_eq!(find(&[], "?ticket=t&ticket=u"), Err(Reason::InvalidArgument));
        assert_eq!(find(&[], "?access_token=a&access_token=b"), Err(Reason::InvalidArgument));
    }

    #[test]
    fn what_cannot_be_a_token_is_refused_and_never_skipped() {
        let table: [&[u8]; 8] = [
            b"",
            b"Bearer",
            b"Bearer ",
            b"Basic YTpi",
            b"a.b.c",
            b"Bearer a b",
            b"Bearer \xc3\xa4",
            b"Bearer,a",
        ];
        for header in table {
            assert_eq!(
                find(&[(AUTHORIZATION, header)], ""),
                Err(Reason::Unauthenticated),
                "{header:?}"
            );
        }
        assert_eq!(find(&[(COOKIE, b"fanline_token=")], ""), Err(Reason::Unauthenticated));
        assert_eq!(find(&[], "?access_token=a%2Eb"), Err(Reason::Unauthenticated));
    }

    #[test]
    fn debug_output_hides_the_token() {
        let credential = Credential { text: "topsecret".into(), place: CredentialPlace::Cookie };
        assert!(!format!("{credential:?}").contains("topsecret"));
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(bytes in proptest::collection::vec(32_u8..=255, 0..64)) {
            if HeaderValue::from_bytes(&bytes).is_ok() {
                let _ = find(&[(AUTHORIZATION, &bytes), (COOKIE, &bytes)], "");
            }
        }
    }
}
