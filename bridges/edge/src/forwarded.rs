//! The headers in which proxies say for whom they ask. What of it to believe is decided in
//! [`address`](crate::address).

use http::HeaderMap;
use http::header::{FORWARDED, HeaderName};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A stop on the way, as the proxy after it reported it; none where it hid the address or wrote what is not one.
pub(crate) type Hop = Option<IpAddr>;

/// The way of the request by `Forwarded` (RFC 7239), from the client on. Empty without that header.
pub(crate) fn standard(headers: &HeaderMap) -> Vec<Hop> {
    let text = |header: &http::HeaderValue| header.to_str().map(str::to_owned).unwrap_or_default();
    let lines = headers.get_all(FORWARDED).iter().map(text);
    lines
        .flat_map(|line| split_unquoted(&line, ',').map(forwarded_for).collect::<Vec<_>>())
        .collect()
}

/// The same by `X-Forwarded-For`.
pub(crate) fn customary(headers: &HeaderMap) -> Vec<Hop> {
    const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
    let lines =
        headers.get_all(X_FORWARDED_FOR).iter().map(|header| header.to_str().unwrap_or_default());
    lines.flat_map(|line| line.split(',').map(|node| address(node.trim()))).collect()
}

/// The `for` of one element. An element that is malformed anywhere reports nothing: a client may have begun a quote to
/// swallow what the proxy appended.
fn forwarded_for(element: &str) -> Hop {
    let mut reported = None;
    for pair in split_unquoted(element, ';') {
        let (name, value) = pair.trim().split_once('=')?;
        let value = unquote(value)?;
        if name.eq_ignore_ascii_case("for") && reported.replace(value).is_some() {
            return None;
        }
    }
    address(&reported?)
}

/// The value of a token, or of a quoted string without its quotes and escapes (RFC 9110, section 5.6.4).
fn unquote(value: &str) -> Option<String> {
    let Some(quoted) = value.strip_prefix('"') else {
        return (!value.is_empty() && !value.contains(['"', '\\'])).then(|| value.to_owned());
    };
    let mut plain = String::with_capacity(quoted.len());
    let mut rest = quoted.chars();
    loop {
        match rest.next()? {
            '"' => return rest.as_str().is_empty().then_some(plain),
            '\\' => plain.push(rest.next()?),
            other => plain.push(other),
        }
    }
}

/// Splits at a separator that stands outside quoted strings.
fn split_unquoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |character| {
        if escaped {
            escaped = false;
            return false;
        }
        match character {
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        character == separator && !quoted
    })
}

/// An address, alone or with a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn address(node: &str) -> Hop {
    if let Some(bracketed) = node.strip_prefix('[') {
        let (address, port) = bracketed.split_once(']')?;
        return (port.is_empty() || port.starts_with(':'))
            .then(|| address.parse::<Ipv6Addr>().ok())?
            .map(IpAddr::V6);
    }
    if let Ok(address) = node.parse() {
        return Some(address);
    }
    node.split_once(':')?.0.parse::<Ipv4Addr>().ok().map(IpAddr::V4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn headers(name: &'static str, lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name, HeaderValue::from_str(line).unwrap());
        }
        headers
    }

    fn addresses(hops: &[Hop]) -> Vec<String> {
        hops.iter().map(|hop| hop.map_or("?".into(), |address| address.to_string())).collect()
    }

    #[test]
    fn the_examples_of_rfc_7239_are_read() {
        let table: [(&[&str], &[&str]); 8] = [
            (&["for=\"_gazonk\""], &["?"]),
            (&["For=\"[2001:db8:cafe::17]:4711\""], &["2001:db8:cafe::17"]),
            (&["for=192.0.2.60;proto=http;by=203.0.113.43"], &["192.0.2.60"]),
            (&["for=192.0.2.43, for=198.51.100.17"], &["192.0.2.43", "198.51.100.17"]),
            (
                &["for=192.0.2.43", "for=198.51.100.17;by=203.0.113.60"],
                &["192.0.2.43", "198.51.100.17"],
            ),
            (
                &["for=192.0.2.43, for=\"[2001:db8:cafe::17]\", for=unknown"],
                &["192.0.2.43", "2001:db8:cafe::17", "?"],
            ),
            (&["host=\"a,b;for=x\";for=\"192.0.2.4\\3:80\""], &["192.0.2.43"]),
            (&[], &[]),
        ];
        for (lines, expected) in table {
            assert_eq!(addresses(&standard(&headers("forwarded", lines))), expected, "{lines:?}");
        }
    }

    #[test]
    fn an_element_that_is_malformed_anywhere_reports_nothing() {
        for element in [
            "",
            "for",
            "for=",
            "proto=http",
            "for=192.0.2.1;x",
            "for=192.0.2.1;for=192.0.2.2",
            "for=\"192.0.2.1",
            "for=\"192.0.2.1\"x",
            "for=192.0.2.1;a=\", for=192.0.2.2",
            "for=192.0.2.1;a=\", for=\"[2001:db8::1]\"",
        ] {
            assert_eq!(addresses(&standard(&headers("forwarded", &[element]))), ["?"], "{element}");
        }
    }

    #[test]
    fn the_customary_header_is_a_list_of_addresses() {
        let line = "192.0.2.1, 192.0.2.2:80,2001:db8::1 , [2001:db8::2]:80, unknown,, [::1]x";
        let expected = ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "?", "?", "?"];
        assert_eq!(addresses(&customary(&headers("x-forwarded-for", &[line]))), expected);
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(bytes in proptest::collection::vec(32_u8..=255, 0..64)) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let name = HeaderName::from_static("x-forwarded-for");
                let headers = HeaderMap::from_iter([(FORWARDED, value.clone()), (name, value)]);
                prop_assert!(!standard(&headers).is_empty() && !customary(&headers).is_empty());
            }
        }

        #[test]
        fn an_appended_element_is_the_last_or_nothing_is(before in "[a-z=;,\"\\\\ ]{0,40}") {
            let line = format!("{before}, for=192.0.2.1");
            let hops = standard(&headers("forwarded", &[&line]));
            prop_assert!(matches!(hops.last(), Some(None) | Some(Some(_))));
            let last = hops.last().copied().flatten();
            prop_assert!(last.is_none() || last == Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))));
        }
    }
}
