//! Who may do what in which channel, for clients on a bridge.

use crate::channel::ChannelName;
use crate::ids::UserId;
use crate::namespace::{Audience, NamespaceOptions};
use crate::pattern::Pattern;
use crate::{Reason, Refusal};

/// What a client wants to do in a channel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// Join and receive.
    Subscribe,
    /// Publish.
    Publish,
    /// Ask for the members.
    Presence,
    /// Read pages of history.
    History,
}

/// An action that is not refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use = "a backend may still refuse it"]
pub enum Permission {
    /// It may be done.
    Granted,
    /// A backend decides; it is told whether the token would have granted it.
    UpToHandler {
        /// Whether it would.
        granted: bool,
    },
}

/// What a token grants: patterns per action.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Grants {
    /// Channels to join and receive.
    pub subscribe: Vec<Pattern>,
    /// Channels to publish to.
    pub publish: Vec<Pattern>,
    /// Channels whose members may be asked for.
    pub presence: Vec<Pattern>,
    /// Channels whose history may be read.
    pub history: Vec<Pattern>,
}

impl Grants {
    fn patterns(&self, action: Action) -> &[Pattern] {
        match action {
            Action::Subscribe => &self.subscribe,
            Action::Publish => &self.publish,
            Action::Presence => &self.presence,
            Action::History => &self.history,
        }
    }
}

/// Decides whether a client may act in a channel. The answer is the same whether the channel exists or not.
///
/// # Errors
/// [`Reason::PermissionDenied`].
pub fn authorise(
    action: Action,
    channel: &ChannelName,
    options: &NamespaceOptions,
    user: Option<&UserId>,
    grants: &Grants,
) -> Result<Permission, Refusal> {
    let denied = |message: &'static str| {
        Err(Refusal::new(Reason::PermissionDenied, message).with_field("channel"))
    };
    if !channel.admits(user.map(UserId::as_str)) {
        return denied("the channel is limited to the users in its name");
    }
    if action == Action::Presence && !options.presence {
        return denied("the namespace keeps presence off");
    }
    let audience = match action {
        Action::Subscribe => options.subscribe,
        Action::Publish => options.publish,
        Action::Presence => options.presence_audience,
        Action::History => options.history_audience,
    };
    let granted =
        || grants.patterns(action).iter().any(|pattern| pattern.matches(channel.as_str()));
    let allowed = match audience {
        Audience::Anyone => true,
        Audience::Authenticated => user.is_some() || granted(),
        Audience::Token => granted(),
        Audience::Handler => return Ok(Permission::UpToHandler { granted: granted() }),
        Audience::Nobody => false,
    };
    if allowed { Ok(Permission::Granted) } else { denied("the token does not grant this") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(options: &NamespaceOptions, user: Option<&str>, granted: &str, channel: &str) -> bool {
        let grants = Grants { subscribe: vec![granted.parse().unwrap()], ..Grants::default() };
        let user = user.and_then(UserId::new);
        authorise(Action::Subscribe, &channel.parse().unwrap(), options, user.as_ref(), &grants)
            .is_ok()
    }

    fn open_to(subscribe: Audience) -> NamespaceOptions {
        NamespaceOptions { subscribe, ..NamespaceOptions::default() }
    }

    #[test]
    fn the_audience_widens_or_narrows_what_the_token_grants() {
        let table = [
            (Audience::Token, None, "chat:*", true),
            (Audience::Token, Some("ada"), "news:*", false),
            (Audience::Authenticated, Some("ada"), "news:*", true),
            (Audience::Authenticated, None, "news:*", false),
            (Audience::Authenticated, None, "chat:*", true),
            (Audience::Anyone, None, "news:*", true),
            (Audience::Nobody, Some("ada"), "chat:*", false),
        ];
        for (audience, user, granted, expected) in table {
            assert_eq!(
                may(&open_to(audience), user, granted, "chat:a"),
                expected,
                "{audience:?} {user:?} {granted}"
            );
        }
    }

    #[test]
    fn where_a_handler_decides_it_is_told_what_the_token_says() {
        let asked = |granted: &str, channel: &str| {
            let grants = Grants { subscribe: vec![granted.parse().unwrap()], ..Grants::default() };
            let channel = channel.parse().unwrap();
            authorise(Action::Subscribe, &channel, &open_to(Audience::Handler), None, &grants)
        };
        assert_eq!(asked("chat:*", "chat:a"), Ok(Permission::UpToHandler { granted: true }));
        assert_eq!(asked("news:*", "chat:a"), Ok(Permission::UpToHandler { granted: false }));
        assert!(asked("*", "chat:a#bob").is_err(), "the name of the channel is above all");
    }

    #[test]
    fn a_user_limited_channel_is_closed_to_others_whatever_the_token_says() {
        let anyone = open_to(Audience::Anyone);
        assert!(may(&anyone, Some("ada"), "*", "chat:x#ada,bob"));
        assert!(!may(&anyone, Some("eve"), "*", "chat:x#ada,bob"));
        assert!(!may(&anyone, None, "*", "chat:x#ada,bob"));
    }

    #[test]
    fn presence_that_is_off_is_granted_to_nobody() {
        let options =
            NamespaceOptions { presence_audience: Audience::Anyone, ..NamespaceOptions::default() };
        let channel = "chat:a".parse().unwrap();
        let asked =
            |options| authorise(Action::Presence, &channel, &options, None, &Grants::default());
        assert!(asked(options.clone()).is_err());
        assert!(asked(NamespaceOptions { presence: true, ..options }).is_ok());
    }
}
