//! Reading one cookie out of a request (RFC 6265, section 4.2). Setting cookies is not ours.

use http::HeaderMap;
use http::header::COOKIE;

/// Every value that the request carries under the name. HTTP/2 may spread the pairs over several headers (RFC 9113,
/// section 8.2.3). Cookies of others may hold any bytes, so these are bytes.
pub(crate) fn values<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    headers.get_all(COOKIE).iter().flat_map(move |header| {
        header
            .as_bytes()
            .split(|&byte| byte == b';')
            .filter_map(move |pair| value(pair, name.as_bytes()))
    })
}

fn value<'a>(pair: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let pair = pair.trim_ascii();
    let value = pair.strip_prefix(name)?.strip_prefix(b"=")?;
    let quoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
    Some(quoted.unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn found(cookies: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(COOKIE, HeaderValue::from_bytes(cookie).unwrap());
        }
        values(&headers, "tok").map(<[u8]>::to_vec).collect()
    }

    #[test]
    fn a_cookie_is_found_wherever_it_stands() {
        assert_eq!(found(&[b"tok=a"]), [b"a"]);
        assert_eq!(found(&[b"x=1; tok=a;y=2"]), [b"a"]);
        assert_eq!(found(&[b"x=1", b"tok=\"a\""]), [b"a"]);
        assert_eq!(found(&[b"x=\xff\xfe; tok=a=b"]), [b"a=b"]);
        assert_eq!(found(&[b"tok=a; tok=b"]), [b"a", b"b"]);
        assert_eq!(found(&[b"tok="]), [b""]);
    }

    #[test]
    fn a_cookie_of_another_name_is_not_ours() {
        for cookies in ["", "tok", "token=a", "atok=a", "x=tok=a", "TOK=a"] {
            assert_eq!(found(&[cookies.as_bytes()]), Vec::<Vec<u8>>::new(), "{cookies}");
        }
    }

    proptest! {
        #[test]
        fn it_is_found_among_any_others(before in "[a-s=; \"]{0,20}", after in "[a-s=; \"]{0,20}") {
            prop_assert_eq!(found(&[format!("{before};tok=v;{after}").as_bytes()]), [b"v"]);
        }

        #[test]
        fn no_header_makes_it_panic(bytes in proptest::collection::vec(32_u8..=255, 0..64)) {
            if HeaderValue::from_bytes(&bytes).is_ok() {
                found(&[&bytes]);
            }
        }
    }
}
