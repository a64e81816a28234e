//! Whether a client takes an event stream (RFC 9110, section 12.5.1).

use http::HeaderMap;
use http::header::ACCEPT;

/// The media type of event streams.
pub(crate) const EVENT_STREAM: &str = "text/event-stream";

/// Whether the request accepts an event stream. One that does not say what it accepts, accepts all.
pub(crate) fn takes_event_stream(headers: &HeaderMap) -> bool {
    if !headers.contains_key(ACCEPT) {
        return true;
    }
    let texts = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges = texts.flat_map(|text| text.split(',')).filter_map(covering);
    // What is said of the narrowest range counts.
    ranges.min_by_key(|(place, _)| *place).is_some_and(|(_, is_taken)| is_taken)
}

/// Which of the ranges that cover an event stream this is, from the narrowest on, and whether it is taken: a weight of
/// zero excludes what it stands by.
fn covering(range: &str) -> Option<(usize, bool)> {
    let mut parts = range.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    let ranges = [EVENT_STREAM, "text/*", "*/*"];
    let place = ranges.iter().position(|ours| media_type.eq_ignore_ascii_case(ours))?;
    let is_excluded = parts.filter_map(|part| part.split_once('=')).any(|(name, weight)| {
        name.trim().eq_ignore_ascii_case("q") && weight.trim().parse() == Ok(0.0_f32)
    });
    Some((place, !is_excluded))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn takes(accept: &[&'static str]) -> bool {
        let pairs = accept.iter().map(|text| (ACCEPT, HeaderValue::from_static(text)));
        takes_event_stream(&pairs.collect())
    }

    #[test]
    fn an_event_stream_is_sent_to_whoever_takes_one() {
        for accept in
            ["text/event-stream", "Text/Event-Stream;q=0.5", "text/*", "*/*", "a/b, */*;q=0.1"]
        {
            assert!(takes(&[accept]), "{accept}");
        }
        assert!(takes(&[]) && takes(&["application/json", "text/event-stream"]));
        assert!(takes(&["*/*;q=0, text/event-stream"]));
        for accept in [
            "application/json",
            "text/html, image/*",
            "text/event-stream;q=0",
            "text/event-stream;q=0, */*",
            "",
        ] {
            assert!(!takes(&[accept]), "{accept}");
        }
    }
}
