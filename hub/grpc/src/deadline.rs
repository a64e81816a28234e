//! `grpc-timeout`: a call that its client no longer waits for ends.
//!
//! Of a stream only the start is timed: its client ends it by itself. (The gRPC protocol over HTTP/2, section Requests.)

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderValue;
use std::time::Duration;
use tonic::Status;

const HEADER: &str = "grpc-timeout";
/// The protocol allows no more digits.
const DIGITS_MAX: usize = 8;

/// Gives up a call when its time is over.
pub(crate) async fn keep(request: Request, next: Next) -> Response {
    let Some(time) = request.headers().get(HEADER).and_then(parse) else {
        return next.run(request).await;
    };
    match tokio::time::timeout(time, next.run(request)).await {
        Ok(response) => response,
        Err(_elapsed) => {
            Status::deadline_exceeded("the time that the client gave is over").into_http()
        }
    }
}

/// Digits and a unit. Anything else is no deadline, as clients that send none are served too.
fn parse(value: &HeaderValue) -> Option<Duration> {
    let text = value.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > DIGITS_MAX || !digits.bytes().all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_the_protocol_writes_it() {
        let table = [
            ("1H", Some(Duration::from_secs(3600))),
            ("2M", Some(Duration::from_secs(120))),
            ("3S", Some(Duration::from_secs(3))),
            ("400m", Some(Duration::from_millis(400))),
            ("5000u", Some(Duration::from_millis(5))),
            ("60000n", Some(Duration::from_micros(60))),
            ("99999999H", Some(Duration::from_secs(99_999_999 * 3600))),
            ("", None),
            ("S", None),
            ("1", None),
            ("1s", None),
            ("-1S", None),
            ("+1S", None),
            ("123456789S", None),
        ];
        for (text, time) in table {
            assert_eq!(parse(&HeaderValue::from_static(text)), time, "{text:?}");
        }
        assert_eq!(parse(&HeaderValue::from_bytes(b"1\xc3\xa4").unwrap()), None);
    }
}
