//! The name of a channel, and what can be read from the name alone.

use crate::limits::CHANNEL_NAME_BYTES;
use crate::{Reason, Refusal};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The namespace of channels whose name has no colon.
pub const DEFAULT_NAMESPACE: &str = "default";

/// The name of a channel: `namespace:rest`, 1 to 255 bytes of printable ASCII (contract section 9).
///
/// Built only by parsing. Cheap to clone.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ChannelName(Arc<str>);

impl ChannelName {
    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the first colon, or [`DEFAULT_NAMESPACE`].
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.0.split_once(':').map_or(DEFAULT_NAMESPACE, |(namespace, _)| namespace)
    }

    /// Whether it is the hub's own, in which nobody else publishes: those names begin with `$`.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.0.starts_with('$')
    }

    /// Whether the name admits `user`: a channel `x#u1,u2` is limited to the users listed after the `#`.
    ///
    /// An anonymous user (`None`) is on no list.
    #[must_use]
    pub fn admits(&self, user: Option<&str>) -> bool {
        match self.0.split_once('#') {
            None => true,
            Some((_, users)) => {
                user.is_some_and(|user| users.split(',').any(|listed| listed == user))
            }
        }
    }
}

impl FromStr for ChannelName {
    type Err = Refusal;

    fn from_str(name: &str) -> Result<Self, Refusal> {
        let refuse = |message: String| {
            Err(Refusal::new(Reason::InvalidChannel, message).with_field("channel"))
        };
        if name.is_empty() {
            return refuse("a channel name is missing".into());
        }
        if name.len() > CHANNEL_NAME_BYTES {
            return refuse(format!(
                "a channel name has at most {CHANNEL_NAME_BYTES} bytes, this one {}",
                name.len()
            ));
        }
        let mut after_hash = false;
        for byte in name.bytes() {
            match byte {
                b'"' | b'\\' | b'*' | b'{' | b'}' => {
                    return refuse(format!("a channel name has no `{}`", char::from(byte)));
                }
                b',' if !after_hash => {
                    return refuse("a comma stands only after `#`, between users".into());
                }
                b'#' => after_hash = true,
                0x21..=0x7e => {}
                _ => return refuse("a channel name is printable ASCII without spaces".into()),
            }
        }
        Ok(ChannelName(name.into()))
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(name: &str) -> ChannelName {
        name.parse().unwrap()
    }

    #[test]
    fn the_namespace_stands_before_the_first_colon() {
        assert_eq!(channel("chat:lobby:de").namespace(), "chat");
        assert_eq!(channel("news").namespace(), "default");
        assert_eq!(channel(":x").namespace(), "");
    }

    #[test]
    fn a_name_outside_the_rules_is_refused_with_its_fault() {
        for name in
            ["", "a b", "a\"", "a\\", "a*", "{a}", "a,b", "ä", "a\n", "a\u{7f}", &"a".repeat(256)]
        {
            let refusal = name.parse::<ChannelName>().unwrap_err();
            assert_eq!(refusal.reason(), Reason::InvalidChannel, "{name:?}");
            assert_eq!(refusal.field(), Some("channel"));
        }
        channel(&"a".repeat(255));
    }

    #[test]
    fn a_user_limited_channel_admits_the_listed_users_only() {
        let limited = channel("chat:x#ada,bob");
        assert!(limited.admits(Some("ada")) && limited.admits(Some("bob")));
        assert!(!limited.admits(Some("ad")) && !limited.admits(Some("")) && !limited.admits(None));
        assert!(!channel("chat:x#").admits(None));
        assert!(channel("chat:x").admits(None));
    }
}
