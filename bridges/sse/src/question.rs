//! What a request asks for: the channels, from where, and in which style.

use fanline_core::{ChannelName, Limits, Refusal, Since};
use fanline_edge::{Identity, Query};
use http::request::Parts;

/// The header that a browser sends when it connects again (HTML standard, section 9.2.4).
const LAST_EVENT_ID: &str = "last-event-id";
/// The query's ways to say the same, and the one that a page writes itself, in the order in which they count. A browser
/// that connects again asks for the same address, so whatever stands in it is older than the header.
const IN_QUERY: [&str; 3] = ["last_event_id", "lastEventId", "since"];

/// What a request asks for.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) channels: Vec<ChannelName>,
    pub(crate) since: Since,
    /// Whether each event is to say its type in a line of its own.
    pub(crate) named: bool,
}

impl Question {
    /// Reads a request. One that names no channel asks for those that its token puts it into.
    ///
    /// # Errors
    /// No channel, a name that is none, too many of them, or a parameter that is none.
    pub(crate) fn read(
        request: &Parts,
        identity: &Identity,
        limits: &Limits,
    ) -> Result<Self, Refusal> {
        let query = Query::of(&request.uri);
        let named = query.flag("named")?.unwrap_or(false);
        let channels = match query.channels(limits) {
            Err(_none) if !query.has("channel") && !identity.join.is_empty() => {
                identity.join.iter().take(limits.channels_per_request).cloned().collect()
            }
            channels => channels?,
        };
        Ok(Question { channels, since: since(request, query)?, named })
    }
}

fn since(request: &Parts, query: Query<'_>) -> Result<Since, Refusal> {
    if let Some(id) = request.headers.get(LAST_EVENT_ID).filter(|id| !id.is_empty()) {
        // Whatever bytes they are, they came from somewhere: an id that is none is told as such, not refused.
        return Ok(id.to_str().map_or(Since::Invalid, Since::from));
    }
    for name in IN_QUERY {
        if let Some(text) = query.one(name)? {
            return Ok(Since::from(&*text));
        }
    }
    Ok(Since::Live)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fanline_core::Reason;
    use fanline_core::clock::Timestamp;
    use fanline_core::permission::Grants;

    fn read(query: &str, header: Option<&str>, join: &[&str]) -> Result<Question, Reason> {
        let mut request = http::Request::get(format!("/v1/sse?{query}"));
        if let Some(id) = header {
            request = request.header(LAST_EVENT_ID, id);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let identity = Identity {
            user: None,
            token_id: None,
            issued_at: None,
            info: None,
            grants: Grants::default(),
            join: join.iter().map(|name| name.parse().unwrap()).collect(),
            methods: None,
            claims: Default::default(),
            expires_at: Timestamp::default(),
        };
        Question::read(&parts, &identity, &Limits::default()).map_err(|refusal| refusal.reason())
    }

    #[test]
    fn the_header_counts_before_the_query_and_the_newer_name_before_the_older() {
        let since = |query: &str, header| read(query, header, &[]).unwrap().since;
        let all = "channel=a&since=e-1&lastEventId=e-2&last_event_id=e-3";
        assert_eq!(since(all, Some("e-4")), Since::from("e-4"));
        assert_eq!(since(all, None), Since::from("e-3"));
        assert_eq!(since(all, Some("")), Since::from("e-3"));
        assert_eq!(since("channel=a&since=e-1&lastEventId=e-2", None), Since::from("e-2"));
        assert_eq!(since("channel=a&since=earliest", None), Since::Earliest);
        assert_eq!(since("channel=a", None), Since::Live);
        assert_eq!(since("channel=a", Some("garbage")), Since::Invalid);
        assert_eq!(since("channel=a", Some("\u{e4}")), Since::Invalid);
    }

    #[test]
    fn without_a_channel_those_of_the_token_are_meant() {
        let channels =
            |query: &str, join| read(query, None, join).map(|question| question.channels);
        let name = |name: &str| name.parse::<ChannelName>().unwrap();
        assert_eq!(channels("", &["user:1"]), Ok(vec![name("user:1")]));
        assert_eq!(channels("channel=a", &["user:1"]), Ok(vec![name("a")]));
        assert_eq!(channels("", &[]), Err(Reason::InvalidArgument));
        assert_eq!(channels("channel=", &["user:1"]), Err(Reason::InvalidChannel));
    }

    #[test]
    fn named_is_true_or_false() {
        let named = |query: &str| read(query, None, &[]).map(|question| question.named);
        assert_eq!(named("channel=a&named=true"), Ok(true));
        assert_eq!(named("channel=a&named=false"), Ok(false));
        assert_eq!(named("channel=a"), Ok(false));
        assert_eq!(named("channel=a&named=1"), Err(Reason::InvalidArgument));
    }
}
