//! The query of a request, as every HTTP bridge reads it.

use fanline_core::{ChannelName, Limits, Reason, Refusal};
use http::Uri;
use std::borrow::Cow;

/// The parameters of a query, not yet unescaped.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    /// The query of a request's target; without one it is empty.
    #[must_use]
    pub fn of(uri: &'a Uri) -> Self {
        Query(uri.query().unwrap_or_default())
    }

    /// The value of a parameter. An empty one counts as absent.
    ///
    /// # Errors
    /// An [`INVALID_ARGUMENT`](Reason::InvalidArgument) of it when it stands there twice: which one counts must not
    /// depend on who reads it.
    pub fn one(self, name: &'static str) -> Result<Option<Cow<'a, str>>, Refusal> {
        let mut values = self.all(name);
        let first = values.next();
        if values.next().is_some() {
            return Err(Refusal::invalid(name, "the parameter stands in the query twice"));
        }
        Ok(first.filter(|value| !value.is_empty()))
    }

    /// The value of a parameter that is a whole number. One that is too large to be read is larger than any limit.
    ///
    /// # Errors
    /// It is something else, or stands there twice.
    pub fn number(self, name: &'static str) -> Result<Option<u64>, Refusal> {
        let Some(text) = self.one(name)? else { return Ok(None) };
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Refusal::invalid(name, format!("`{name}` is a whole number")));
        }
        Ok(Some(text.parse().unwrap_or(u64::MAX)))
    }

    /// The value of a parameter that is `true` or `false`.
    ///
    /// # Errors
    /// It is something else, or stands there twice.
    pub fn flag(self, name: &'static str) -> Result<Option<bool>, Refusal> {
        let Some(text) = self.one(name)? else { return Ok(None) };
        let refuse = |_| Refusal::invalid(name, format!("`{name}` is `true` or `false`"));
        text.parse().map(Some).map_err(refuse)
    }

    /// The channels that it names as `channel=a&channel=b`, each once.
    ///
    /// # Errors
    /// None at all, a name that is none, or more than `channels_per_request`.
    pub fn channels(self, limits: &Limits) -> Result<Vec<ChannelName>, Refusal> {
        let max = limits.channels_per_request;
        let mut channels: Vec<ChannelName> = Vec::new();
        for name in self.all("channel") {
            let refuse = |refusal: Refusal| refusal.with_channel(&name);
            let channel = name.parse().map_err(refuse)?;
            if channels.contains(&channel) {
                continue;
            }
            if channels.len() == max {
                let message = format!("a request names at most {max} channels");
                return Err(Refusal::new(Reason::LimitExceeded, message).with_field("channel"));
            }
            channels.push(channel);
        }
        match channels.is_empty() {
            false => Ok(channels),
            true => Err(Refusal::invalid("channel", "name at least one, as `?channel=…`")),
        }
    }

    /// Whether it names a parameter at all.
    #[must_use]
    pub fn has(self, name: &'static str) -> bool {
        self.all(name).next().is_some()
    }

    fn all(self, name: &'static str) -> impl Iterator<Item = Cow<'a, str>> {
        let pairs = form_urlencoded::parse(self.0.as_bytes());
        pairs.filter(move |(found, _)| found == name).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(query: &str) -> Uri {
        format!("/v1/sse?{query}").parse().unwrap()
    }

    fn channels(query: &str) -> Result<Vec<String>, Reason> {
        let limits = Limits { channels_per_request: 2, ..Limits::default() };
        let uri = uri(query);
        let channels = Query::of(&uri).channels(&limits).map_err(|refusal| refusal.reason())?;
        Ok(channels.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn channels_are_read_in_order_and_each_once() {
        assert_eq!(channels("channel=b&x=1&channel=a%3Ab&channel=b").unwrap(), ["b", "a:b"]);
        assert_eq!(channels(""), Err(Reason::InvalidArgument));
        assert_eq!(channels("channel="), Err(Reason::InvalidChannel));
        assert_eq!(channels("channel=%FF"), Err(Reason::InvalidChannel));
        assert_eq!(channels("channel=a&channel=b&channel=c"), Err(Reason::LimitExceeded));
    }

    #[test]
    fn a_name_that_is_none_is_told() {
        let uri = uri("channel=b&channel=a%20b");
        let refusal = Query::of(&uri).channels(&Limits::default()).unwrap_err();
        assert_eq!(refusal.channel(), Some("a b"));
    }

    #[test]
    fn a_parameter_stands_there_once() {
        let uri = uri("since=e-1&wait=&twice=1&twice=1");
        let query = Query::of(&uri);
        assert_eq!(query.one("since").unwrap().as_deref(), Some("e-1"));
        assert_eq!(query.one("wait").unwrap(), None);
        assert_eq!(query.one("absent").unwrap(), None);
        assert_eq!(query.one("twice").unwrap_err().field(), Some("twice"));
    }

    #[test]
    fn numbers_and_flags_are_read_or_named() {
        let number = |text| Query::of(&uri(&format!("n={text}"))).number("n");
        assert_eq!((number("20"), number("")), (Ok(Some(20)), Ok(None)));
        assert_eq!(number("99999999999999999999"), Ok(Some(u64::MAX)));
        for text in ["-1", "%2B1", "1.5", "x"] {
            assert_eq!(number(text).unwrap_err().field(), Some("n"), "{text}");
        }
        let flag = |text| Query::of(&uri(&format!("f={text}"))).flag("f");
        assert_eq!(
            (flag("true"), flag("false"), flag("")),
            (Ok(Some(true)), Ok(Some(false)), Ok(None))
        );
        assert_eq!(flag("1").unwrap_err().field(), Some("f"));
    }
}
