//! The WebSocket subprotocols that a client offers: how it speaks, and perhaps its token.
//!
//! A browser cannot set headers on a WebSocket, but it can offer subprotocols; so a token may travel as one.

use fanline_core::Refusal;
use http::HeaderMap;
use http::header::SEC_WEBSOCKET_PROTOCOL;

/// The subprotocol of WebSocket rooms.
pub const FANLINE_V1: &str = "fanline.v1";

/// What stands before a token that is offered as a subprotocol.
const BEARER: &str = "fanline.bearer.";

/// The subprotocols that a client offers.
#[derive(Clone, Debug, Default)]
pub struct Subprotocols<'a> {
    fanline: bool,
    bearers: Vec<Hidden<'a>>,
}

impl<'a> Subprotocols<'a> {
    /// Reads the offer (RFC 6455, section 11.3.4).
    ///
    /// # Errors
    /// An `INVALID_ARGUMENT` when the header is not a list of tokens.
    pub fn offered(headers: &'a HeaderMap) -> Result<Self, Refusal> {
        let mut offer = Subprotocols::default();
        for header in headers.get_all(SEC_WEBSOCKET_PROTOCOL) {
            // An empty element counts for nothing (RFC 9110, section 5.6.1).
            let elements = header.to_str().map_err(|_| malformed())?.split(',').map(str::trim);
            for protocol in elements.filter(|element| !element.is_empty()) {
                if !protocol.bytes().all(is_token_byte) {
                    return Err(malformed());
                }
                match protocol.strip_prefix(BEARER) {
                    Some(token) => offer.bearers.push(Hidden(token)),
                    None => offer.fanline |= protocol == FANLINE_V1,
                }
            }
        }
        Ok(offer)
    }

    /// What to answer: ours when it is offered, else none. Never the one with the token, which would end up in logs.
    #[must_use]
    pub fn answer(&self) -> Option<&'static str> {
        self.fanline.then_some(FANLINE_V1)
    }

    /// The tokens offered as subprotocols.
    pub(crate) fn bearers(&self) -> impl Iterator<Item = &'a str> {
        self.bearers.iter().map(|token| token.0)
    }
}

/// A token, kept out of debug output.
#[derive(Clone)]
struct Hidden<'a>(&'a str);

impl std::fmt::Debug for Hidden<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("hidden")
    }
}

fn malformed() -> Refusal {
    Refusal::invalid(
        "sec-websocket-protocol",
        "the header must be a list of tokens with commas between them",
    )
}

/// RFC 9110, section 5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fanline_core::Reason;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn headers(offers: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for offer in offers {
            headers.append(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_str(offer).unwrap());
        }
        headers
    }

    #[test]
    fn ours_is_answered_when_offered_and_the_token_never() {
        let table: [(&[&str], Option<&str>, &[&str]); 6] = [
            (&[], None, &[]),
            (&["fanline.v1"], Some("fanline.v1"), &[]),
            (&["graphql-ws, fanline.v2"], None, &[]),
            (&["fanline.bearer.a.b.c"], None, &["a.b.c"]),
            (&["fanline.bearer.a.b.c,fanline.v1"], Some("fanline.v1"), &["a.b.c"]),
            (&["fanline.v1", " , fanline.bearer.x,"], Some("fanline.v1"), &["x"]),
        ];
        for (offers, answer, tokens) in table {
            let headers = headers(offers);
            let offer = Subprotocols::offered(&headers).unwrap();
            assert_eq!(offer.answer(), answer, "{offers:?}");
            assert_eq!(offer.bearers().collect::<Vec<_>>(), tokens, "{offers:?}");
        }
    }

    #[test]
    fn what_is_not_a_list_of_tokens_is_refused() {
        for offer in ["fanline v1", "a/b", "\"fanline.v1\"", "a;b"] {
            let headers = headers(&[offer]);
            assert_eq!(
                Subprotocols::offered(&headers).unwrap_err().reason(),
                Reason::InvalidArgument,
                "{offer}"
            );
        }
    }

    #[test]
    fn debug_output_hides_the_token() {
        let headers = headers(&["fanline.bearer.topsecret"]);
        assert!(!format!("{:?}", Subprotocols::offered(&headers).unwrap()).contains("topsecret"));
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(bytes in proptest::collection::vec(32_u8..=255, 0..64)) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let headers = HeaderMap::from_iter([(SEC_WEBSOCKET_PROTOCOL, value)]);
                let _ = Subprotocols::offered(&headers);
            }
        }
    }
}
