//! What a poll asks for.

use crate::limits::{WAIT, WAIT_JITTER};
use fanline_core::cursor::{Cursor, Since};
use fanline_core::random::Random;
use fanline_core::{ChannelName, Limits, Refusal};
use fanline_edge::Query;
use http::header::IF_NONE_MATCH;
use http::{HeaderMap, Method};
use std::time::Duration;

/// A poll, read and within its limits.
#[derive(Debug)]
pub(crate) struct PollRequest {
    pub(crate) channels: Vec<ChannelName>,
    pub(crate) since: Since,
    /// How long to wait for news.
    pub(crate) wait: Duration,
    /// Most events.
    pub(crate) events_max: usize,
    /// The cursor as it was sent.
    pub(crate) cursor: Option<String>,
    /// The validators of `if-none-match`, where they count: only with `wait=0`.
    known: Vec<String>,
}

impl PollRequest {
    /// Reads a request. Waits and sizes over the limits are cut to them.
    pub(crate) fn read(
        method: &Method,
        query: Query<'_>,
        headers: &HeaderMap,
        limits: &Limits,
    ) -> Result<Self, Refusal> {
        let channels = query.channels(limits)?;
        let cursor = query.one("cursor")?;
        let since = match (&cursor, query.one("since")?) {
            // A client that keeps `since` in its address means it for its first poll.
            (Some(cursor), _) => Since::Cursor(
                cursor
                    .parse::<Cursor>()
                    .map_err(|error| Refusal::invalid("cursor", error.to_string()))?,
            ),
            (None, Some(since)) => {
                let since = Since::from(&*since);
                if since == Since::Invalid {
                    let message = "`since` is `earliest`, `last:20`, or a position or cursor";
                    return Err(Refusal::invalid("since", message));
                }
                since
            }
            (None, None) => Since::Live,
        };
        let asked = query.number("wait")?.map_or(WAIT, Duration::from_secs);
        // Without a cursor a client first of all needs one: what it waited for could not be asked for again.
        let waits = cursor.is_some() && method != Method::HEAD;
        let max = query.number("max")?.and_then(|max| usize::try_from(max).ok());
        let events_max = limits.poll_batch_events;
        Ok(PollRequest {
            channels,
            since,
            wait: if waits { asked.min(limits.poll_wait_max) } else { Duration::ZERO },
            events_max: max.map_or(events_max, |max| max.clamp(1, events_max)),
            cursor: cursor.map(|cursor| cursor.into_owned()),
            known: match asked {
                Duration::ZERO => validators(headers),
                _ => Vec::new(),
            },
        })
    }

    /// How long to wait this time.
    pub(crate) fn jittered_wait(&self, random: &Random) -> Duration {
        self.wait.mul_f64(1.0 - WAIT_JITTER * random.fraction())
    }

    /// Whether the client has this state already, as its validator says.
    pub(crate) fn knows(&self, validator: &str) -> bool {
        self.known.iter().any(|known| known == "*" || known == validator)
    }
}

/// The validators of `if-none-match` (RFC 9110, section 13.1.2).
fn validators(headers: &HeaderMap) -> Vec<String> {
    let texts = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    // Ours hold neither quotes nor commas.
    texts.flat_map(|text| text.split(',')).map(|one| one.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use fanline_core::Reason;

    fn read(query: &str) -> Result<PollRequest, Refusal> {
        let request = http::Request::builder()
            .uri(format!("/v1/poll?channel=a&{query}"))
            .header("if-none-match", "W/\"e-1\", W/\"e-2\"")
            .body(())
            .unwrap();
        let query = Query::of(request.uri());
        PollRequest::read(request.method(), query, request.headers(), &Limits::default())
    }

    #[test]
    fn waits_and_sizes_are_cut_to_the_limits() {
        let waits = |query: &str| read(query).unwrap().wait.as_secs();
        assert_eq!(waits("cursor=e-1"), 25);
        assert_eq!(waits("cursor=e-1&wait=0"), 0);
        assert_eq!(waits("cursor=e-1&wait=7"), 7);
        assert_eq!(waits("cursor=e-1&wait=51"), 50);
        assert_eq!(waits("cursor=e-1&wait=99999999999999999999999"), 50);
        assert_eq!(waits("wait=25"), 0, "without a cursor the answer comes at once");
        let events = |query: &str| read(query).unwrap().events_max;
        assert_eq!(
            (events(""), events("max=7"), events("max=0"), events("max=999")),
            (100, 7, 1, 100)
        );
    }

    #[test]
    fn a_wait_is_at_most_a_tenth_shorter() {
        let (request, random) = (read("cursor=e-1&wait=20").unwrap(), Random::seeded(1));
        for _ in 0..100 {
            let wait = request.jittered_wait(&random).as_secs_f64();
            assert!((18.0..=20.0).contains(&wait), "{wait}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let long = format!("cursor={}", "x".repeat(10_000));
        let table = [
            ("cursor=garbage", "cursor"),
            ("cursor=earliest", "cursor"),
            (long.as_str(), "cursor"),
            ("cursor=e-1&cursor=e-2", "cursor"),
            ("since=yesterday", "since"),
            ("wait=-1", "wait"),
            ("wait=1.5", "wait"),
            ("max=many", "max"),
        ];
        for (query, field) in table {
            let refusal = read(query).unwrap_err();
            assert_eq!((refusal.reason(), refusal.field()), (Reason::InvalidArgument, Some(field)));
        }
    }

    #[test]
    fn validators_count_only_where_nothing_is_waited_for() {
        assert!(read("cursor=e-1&wait=0").unwrap().knows("W/\"e-2\""));
        assert!(!read("cursor=e-1&wait=0").unwrap().knows("W/\"e-3\""));
        assert!(!read("cursor=e-1").unwrap().knows("W/\"e-2\""));
    }
}
